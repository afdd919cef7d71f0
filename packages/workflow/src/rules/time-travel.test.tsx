/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §8 about what is done again in the same run, on real files under git. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decideApproval } from "@smooth/engine/control";
import type { ToolCall } from "@smooth/engine/tool-log";
import { forkRun } from "@smooth/engine/time-travel/fork";
import { fitting, nodeDiffs } from "@smooth/engine/time-travel/node-diff";
import { retryTask, revert, timetravel } from "@smooth/engine/time-travel/verbs";
import { pointers } from "@smooth/vcs/pointers";
import { describe, expect, test } from "vitest";
import {
  Approval,
  ContinueAsNew,
  Loop,
  outputs,
  Parallel,
  Sequence,
  smithers,
  Task,
  TryCatchFinally,
  Workflow,
} from "../testing/rules.ts";
import { bench, editing } from "../testing/time-travel.tsx";

describe("retry-task", () => {
  test("does the task and what comes after it again, nothing else, and counts attempts on", async () => {
    const { engine, ran, step, deps, go, resume } = bench();
    const workflow = smithers(() => (
      <Workflow name="w">
        {step("a")}
        <Parallel>
          <Sequence>
            {step("b")}
            {step("c")}
          </Sequence>
          {step("d")}
        </Parallel>
        {step("e")}
      </Workflow>
    ));
    const { runId } = await go(workflow);
    ran.length = 0;

    const { reset } = await retryTask(deps(workflow), { runId, nodeId: "b", iteration: 0, by: "ann" });
    expect((await engine.store.run(runId))?.status).toBe("paused");
    const result = await resume(workflow, runId);

    expect(reset.nodes.map(({ nodeId }) => nodeId)).toEqual(["b", "c", "e"]);
    expect([result.status, ran]).toEqual(["finished", ["b", "c", "e"]]);
    const attempts = (await engine.store.events(runId, 0)).flatMap((event) =>
      event.type === "node.started" ? [`${event.nodeId} ${event.attempt}`] : [],
    );
    expect(attempts).toEqual(["a 1", "b 1", "d 1", "c 1", "e 1", "b 2", "c 2", "e 2"]);
  });

  test.each([true, false])(
    "Z7: takes along what the failure cut off, and not what a try gave up (without dependents: %s)",
    async (noDeps) => {
      const { ran, step, deps, go, resume } = bench();
      let isBad = true;
      const fails = (id: string, mended: boolean) => (
        <Task key={id} id={id} output={outputs.n} noRetry>
          {() => {
            ran.push(id);
            if (isBad || !mended) throw new Error(id);
            return { n: 1 };
          }}
        </Task>
      );
      const hangs = (id: string) => (
        <Task key={id} id={id} output={outputs.n}>
          {({ signal }) => {
            ran.push(id);
            if (!isBad) return { n: 1 };
            return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
          }}
        </Task>
      );
      const body = (id: string, mended: boolean) => (
        <Parallel>
          {fails(id, mended)}
          {hangs(`beside ${id}`)}
        </Parallel>
      );
      const workflow = smithers(() => (
        <Workflow name="w">
          <TryCatchFinally id="try" try={body("caught", false)} catch={step("catch")} />
          {body("bad", true)}
          {step("after")}
        </Workflow>
      ));
      const { runId, result } = await go(workflow);
      expect(result.status).toBe("failed");
      isBad = false;
      ran.length = 0;

      await retryTask(deps(workflow), { runId, nodeId: "bad", iteration: 0, by: "ann", noDeps });

      expect((await resume(workflow, runId)).status).toBe("finished");
      expect(ran).toEqual(["bad", "beside bad", "after"]);
    },
  );

  test("without dependents only the task itself runs again", async () => {
    const { ran, step, deps, go, resume } = bench();
    const workflow = smithers(() => <Workflow name="w">{["a", "b", "c"].map((id) => step(id))}</Workflow>);
    const { runId } = await go(workflow);
    ran.length = 0;

    await retryTask(deps(workflow), { runId, nodeId: "b", iteration: 0, noDeps: true, by: "ann" });
    await resume(workflow, runId);

    expect(ran).toEqual(["b"]);
  });

  test("a pass of a loop takes its later passes along", async () => {
    const { ran, step, deps, go, resume } = bench();
    const workflow = smithers((ctx) => (
      <Workflow name="w">
        <Loop id="l" until={ctx.iterationCount(outputs.n, "b") >= 3} maxIterations={5}>
          <Sequence>
            {step("a")}
            {step("b")}
          </Sequence>
        </Loop>
        {step("end")}
      </Workflow>
    ));
    const { runId } = await go(workflow);
    expect(ran).toEqual(["a", "b", "a", "b", "a", "b", "end"]);
    ran.length = 0;

    await retryTask(deps(workflow), { runId, nodeId: "b", iteration: 1, by: "ann" });
    await resume(workflow, runId);

    expect(ran).toEqual(["b", "a", "b", "end"]);
  });

  test("a decided approval is asked anew", async () => {
    const { engine, step, deps, go, resume } = bench();
    const workflow = smithers(() => (
      <Workflow name="w">
        <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} />
        {step("a")}
      </Workflow>
    ));
    const { runId } = await go(workflow);
    const decide = {
      runId,
      nodeId: "ask",
      iteration: 0,
      decision: { verdict: "approve" },
      by: "ann",
      atMs: 1,
    } as const;
    await decideApproval(engine.store, decide);
    expect((await resume(workflow, runId)).status).toBe("finished");

    await retryTask(deps(workflow), { runId, nodeId: "ask", iteration: 0, by: "ann" });

    expect((await resume(workflow, runId)).status).toBe("waiting-approval");
    await decideApproval(engine.store, decide);
    expect((await resume(workflow, runId)).status).toBe("finished");
  });

  test("a run that somebody works on is refused; forced, that owner records nothing more", async () => {
    const { engine, deps } = bench();
    const gate = Promise.withResolvers<void>();
    const workflow = smithers(() => (
      <Workflow name="w">
        <Task id="a" output={outputs.n}>
          {() => ({ n: 1 })}
        </Task>
        <Task id="b" output={outputs.n}>
          {async () => (await gate.promise, { n: 2 })}
        </Task>
      </Workflow>
    ));
    const handle = await engine.start(workflow);
    await engine.clock.advance(0);
    const request = { runId: handle.runId, nodeId: "a", iteration: 0, by: "ann" };

    const alive = { ...deps(workflow), isAlive: () => true };
    await expect(retryTask(alive, request)).rejects.toMatchObject({ code: "RUN_OWNER_ALIVE" });
    await retryTask(alive, { ...request, force: true });
    gate.resolve();
    await engine.clock.advance(2_000);

    expect(await handle.result).toMatchObject({ status: "lost" });
    expect((await engine.store.events(handle.runId, 0)).at(-1)?.type).toBe("nodes.reset");
  });
});

describe("files", () => {
  test("timetravel puts run and files back to the start of an attempt; revert puts back files only", async () => {
    const { engine, ran, root, files, edit, there, deps, go, resume } = editing();
    const workflow = smithers(() => <Workflow name="w">{["a", "b", "c"].map((id) => edit(id))}</Workflow>);
    const { runId, result } = await go(workflow, files);
    expect([result.status, there()]).toEqual(["finished", ["a", "b", "c"]]);

    await revert(deps(workflow), { runId, nodeId: "a", iteration: 0, by: "ann" });
    expect([there(), (await engine.store.run(runId))?.status]).toEqual([["a"], "finished"]);

    ran.length = 0;
    const { reset } = await timetravel(deps(workflow), { runId, nodeId: "b", iteration: 0, by: "ann" });
    expect([there(), reset.nodes.map(({ nodeId }) => nodeId)]).toEqual([["a"], ["b", "c"]]);
    await resume(workflow, runId, files);
    expect([ran, there(), readFileSync(join(root, "b.txt"), "utf8")]).toEqual([["b", "c"], ["a", "b", "c"], "b 1\n"]);
  });

  test("a bundle shows what one attempt did; two askers share one computation; what is too large is named", async () => {
    const { engine, files, edit, go } = editing();
    const workflow = smithers(() => <Workflow name="w">{["a", "b"].map((id) => edit(id))}</Workflow>);
    const { runId } = await go(workflow, files);
    let computed = 0;
    const counting = {
      ...pointers,
      diff: (...args: Parameters<typeof pointers.diff>) => ((computed += 1), pointers.diff(...args)),
    };
    const diffs = nodeDiffs({ store: engine.store, vcs: counting });
    const ask = () => diffs.of(runId, { nodeId: "b", iteration: 0, attempt: 1 });

    const [bundle, same] = await Promise.all([ask(), ask()]);

    expect(bundle.files.map(({ path, status }) => [path, status])).toEqual([["b.txt", "added"]]);
    expect([same === bundle, computed]).toEqual([true, 1]);
    expect(fitting(bundle.files, 3)).toMatchObject({ files: [{ path: "b.txt", patch: "" }], omitted: ["b.txt"] });
    await expect(diffs.of(runId, { nodeId: "b", iteration: 0, attempt: 7 })).rejects.toMatchObject({
      code: "SNAPSHOT_NOT_FOUND",
    });
  });

  test("a call that cannot be undone is named and blocks, unless forced", async () => {
    const { files, edit, deps, go } = editing();
    const order: ToolCall = { tool: "place_order", sideEffect: true, idempotent: false, input: "{}" };
    const workflow = smithers(() => (
      <Workflow name="w">
        {edit("a", { ...order, tool: "upsert", idempotent: true })}
        {edit("b", order)}
      </Workflow>
    ));
    const { runId } = await go(workflow, files);
    const request = { runId, nodeId: "a", iteration: 0, by: "ann" };

    await expect(retryTask(deps(workflow), request)).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("place_order by b#0"),
      details: { sideEffects: [{ nodeId: "b", iteration: 0, attempt: 1, tool: "place_order" }] },
    });
    await expect(forkRun(deps(workflow), { runId, resetNodes: ["b"], by: "ann" })).rejects.toMatchObject({
      code: "CONFLICT",
    });
    expect(await retryTask(deps(workflow), { ...request, force: true })).toMatchObject({
      sideEffects: [{ tool: "place_order" }],
    });
  });

  test("E1: what was called before a reset is not in the way of the next one", async () => {
    const { files, edit, deps, go, resume } = editing();
    const order: ToolCall = { tool: "place_order", sideEffect: true, idempotent: false, input: "{}" };
    const workflow = (call?: ToolCall) => smithers(() => <Workflow name="w">{edit("a", call)}</Workflow>);
    const { runId } = await go(workflow(order), files);
    const request = { runId, nodeId: "a", iteration: 0, by: "ann" };
    await retryTask(deps(workflow()), { ...request, force: true });
    await resume(workflow(), runId, files);

    expect(await retryTask(deps(workflow()), request)).toMatchObject({ sideEffects: [] });
  });

  test("a run that went on as another one is not sent back", async () => {
    const { deps, go } = bench();
    const workflow = smithers((ctx) => (
      <Workflow name="w">
        <Task id="a" output={outputs.n}>
          {{ n: 1 }}
        </Task>
        {ctx.input.__smithersContinuation ? null : <ContinueAsNew />}
      </Workflow>
    ));
    const { runId, result } = await go(workflow);
    expect(result.status).toBe("continued");

    await expect(retryTask(deps(workflow), { runId, nodeId: "a", iteration: 0, by: "ann" })).rejects.toMatchObject({
      code: "RUN_NOT_RESUMABLE",
      message: expect.stringContaining("go back in that one"),
    });
  });
});
