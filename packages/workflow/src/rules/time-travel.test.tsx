/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §8, on real files under git. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decideApproval } from "@smooth/engine/control";
import { readFrame } from "@smooth/engine/frames";
import type { ToolCall } from "@smooth/engine/tool-log";
import { compareSnapshots } from "@smooth/engine/time-travel/compare";
import { forkRun, replayRun } from "@smooth/engine/time-travel/fork";
import { fitting, nodeDiffs } from "@smooth/engine/time-travel/node-diff";
import { rewind, type Rewind } from "@smooth/engine/time-travel/rewind";
import { timeline } from "@smooth/engine/time-travel/timeline";
import { retryTask, revert, timetravel } from "@smooth/engine/time-travel/verbs";
import type { RunStore } from "@smooth/engine/store";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { pointers } from "@smooth/vcs/pointers";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import {
  Approval,
  ContinueAsNew,
  Loop,
  outputs,
  Parallel,
  Sequence,
  smithers,
  Task,
  Timer,
  Workflow,
} from "../testing/rules.ts";
import { OWNER, testEngine } from "../testing/run-in-memory.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function repo(): string {
  const root = mkdtempSync(join(tmpdir(), "smooth-travel-"));
  folders.push(root);
  execFileSync("git", ["init", "-q", root]);
  writeFileSync(join(root, "base.txt"), "base\n");
  return root;
}

/** What ran, in order, and an engine that remembers it. */
function bench() {
  const engine = testEngine();
  const ran: string[] = [];
  const step = (id: string, value: () => number = () => ran.length) => (
    <Task key={id} id={id} output={outputs.n}>
      {() => (ran.push(id), { n: value() })}
    </Task>
  );
  const deps = (workflow: WorkflowDefinition) => ({ ...engine, workflow, vcs: pointers, isAlive: () => false });
  const go = async (workflow: WorkflowDefinition, options = {}) => {
    const handle = await engine.start(workflow, options);
    return { runId: handle.runId, result: await handle.result };
  };
  const resume = async (workflow: WorkflowDefinition, runId: string, options = {}) =>
    (await engine.resume(workflow, runId, options)).result;
  return { engine, ran, step, deps, go, resume };
}

/** Three agents that each leave a file of their own, in a repository. */
function editing() {
  const made = bench();
  const root = repo();
  const files = { vcs: pointers, vcsRoot: root };
  const edit = (id: string, call?: ToolCall) => (
    <Task
      key={id}
      id={id}
      output={outputs.text}
      agent={{
        id,
        generate: async () => {
          made.ran.push(id);
          writeFileSync(join(root, `${id}.txt`), `${id} ${made.ran.length}\n`);
          if (call) (await scope.current?.toolLog.begin(call))?.({ status: "success", output: "" });
          return { output: { text: `${id} ${made.ran.length}` } };
        },
      }}
    >
      Edit.
    </Task>
  );
  const scope: {
    current?: { toolLog: { begin(call: ToolCall): Promise<(end: { status: "success"; output: string }) => void> } };
  } = {};
  const around = <T,>(given: NonNullable<typeof scope.current>, body: () => Promise<T>): Promise<T> => (
    (scope.current = given),
    body()
  );
  const there = () => ["a", "b", "c"].filter((id) => existsSync(join(root, `${id}.txt`)));
  return { ...made, root, files: { ...files, around } as object, edit, there };
}

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

describe("fork and replay", () => {
  const chain = (made: ReturnType<typeof bench>) =>
    smithers((ctx) => (
      <Workflow name="w">
        {made.step("a")}
        {made.step("b", () => (ctx.outputMaybe(outputs.n, "a")?.n ?? 0) * 10)}
        {made.step("c")}
      </Workflow>
    ));

  test("a fork has what was recorded up to its frame; the source is as it was", async () => {
    const made = bench();
    const { engine, ran, deps, go, resume } = made;
    const workflow = chain(made);
    const { runId } = await go(workflow);
    const events = await engine.store.events(runId, 0);
    const afterA = events.find((event) => event.type === "node.finished" && event.nodeId === "a")?.seq ?? 0;
    ran.length = 0;

    const fork = await forkRun(deps(workflow), { runId, atSeq: afterA, label: "try", by: "ann" });
    const result = await resume(workflow, fork.runId);

    expect([result.status, ran]).toEqual(["finished", ["b", "c"]]);
    expect(await engine.store.events(runId, 0)).toEqual(events);
    expect((await engine.store.run(fork.runId))?.forkedFrom).toEqual({ runId, atSeq: afterA, label: "try" });
    expect(
      (await readFrame(engine.store, fork.runId, afterA)).root.children.map(({ id, state }) => [id, state]),
    ).toEqual([
      ["a", "finished"],
      ["b", "pending"],
      ["c", "pending"],
    ]);
  });

  test("a frame from before a reset is forked with the rows of that time", async () => {
    const made = bench();
    const { engine, deps, go, resume } = made;
    const workflow = chain(made);
    const { runId } = await go(workflow);
    const before = (await engine.store.run(runId))?.lastSeq ?? 0;
    await retryTask(deps(workflow), { runId, nodeId: "a", iteration: 0, by: "ann" });
    await resume(workflow, runId);

    const fork = await forkRun(deps(workflow), { runId, atSeq: before, by: "ann" });

    const { outputs: changed } = await compareSnapshots(deps(workflow), { runId, seq: before }, { runId });
    expect(changed.map(({ nodeId, before: old, after }) => [nodeId, old?.["n"], after?.["n"]])).toEqual([
      ["a", 1, 4],
      ["b", 10, 40],
      ["c", 3, 6],
    ]);
    expect((await compareSnapshots(deps(workflow), { runId, seq: before }, { runId: fork.runId })).outputs).toEqual([]);
  });

  test("replay starts a fork with named nodes reset, and with another input", async () => {
    const made = bench();
    const { ran, deps, go, resume } = made;
    const workflow = chain(made);
    const { runId } = await go(workflow);
    ran.length = 0;

    const result = await replayRun(deps(workflow), { runId, resetNodes: ["b"], input: { x: 1 }, by: "ann" }, (id) =>
      resume(workflow, id),
    );

    expect([result.status, result.runId === runId, ran]).toEqual(["finished", false, ["b", "c"]]);
    await expect(forkRun(deps(workflow), { runId, resetNodes: ["nobody"], by: "ann" })).rejects.toMatchObject({
      code: "NODE_NOT_FOUND",
    });
    await expect(forkRun(deps(workflow), { runId, atSeq: 999, by: "ann" })).rejects.toMatchObject({
      code: "SNAPSHOT_NOT_FOUND",
    });
  });

  test("replay puts the files of the frame back when asked", async () => {
    const { engine, files, edit, there, deps, go } = editing();
    const workflow = smithers(() => <Workflow name="w">{["a", "b"].map((id) => edit(id))}</Workflow>);
    const { runId } = await go(workflow, files);
    const events = await engine.store.events(runId, 0);
    const atSeq = events.find((event) => event.type === "node.finished" && event.nodeId === "a")?.seq;
    const look = async () => there();

    expect(await replayRun(deps(workflow), { runId, atSeq, by: "ann" }, look)).toEqual(["a", "b"]);
    expect(await replayRun(deps(workflow), { runId, atSeq, restoreVcs: true, by: "ann" }, look)).toEqual(["a"]);
  });

  test("F2: what a step without an agent did is among the files of its frame; without any recorded files it is refused", async () => {
    const { engine, files, root, edit, there, deps, go } = editing();
    const step = (
      <Task key="b" id="b" output={outputs.text}>
        {() => (writeFileSync(join(root, "b.txt"), "b\n"), { text: "b" })}
      </Task>
    );
    const workflow = smithers(() => (
      <Workflow name="w">
        <Sequence>
          {edit("a")}
          {step}
          {edit("c")}
        </Sequence>
      </Workflow>
    ));
    const { runId } = await go(workflow, files);
    const seqOf = async (id: string) =>
      (await engine.store.events(runId, 0)).find((event) => event.type === "node.finished" && event.nodeId === id)?.seq;
    const look = async () => there();
    const replay = (atSeq: number | undefined) =>
      replayRun(deps(workflow), { runId, atSeq, restoreVcs: true, by: "ann" }, look);

    expect([await replay(await seqOf("b")), await replay(await seqOf("a"))]).toEqual([["a", "b"], ["a"]]);

    const plain = smithers(() => <Workflow name="w">{step}</Workflow>);
    const unnamed = await go(plain, files);
    await expect(
      replayRun(deps(plain), { runId: unnamed.runId, restoreVcs: true, by: "ann" }, look),
    ).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
  });

  test("an approval that was open at the frame is asked anew in the fork", async () => {
    const { engine, deps, go, resume } = bench();
    const workflow = smithers(() => (
      <Workflow name="w">
        <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} />
      </Workflow>
    ));
    const { runId } = await go(workflow);

    const fork = await forkRun(deps(workflow), { runId, by: "ann" });

    expect(await engine.store.approvals({ runId: fork.runId })).toEqual([]);
    expect((await resume(workflow, fork.runId)).status).toBe("waiting-approval");
    expect((await engine.store.approvals({ runId: fork.runId })).map(({ nodeId }) => nodeId)).toEqual(["ask"]);
  });

  test("K2: a timer that was running at the frame counts from the fork's own start", async () => {
    const { engine, deps, go, resume } = bench();
    const workflow = smithers(() => (
      <Workflow name="w">
        <Timer id="later" duration="1h" />
      </Workflow>
    ));
    const { runId } = await go(workflow);
    await engine.clock.advance(45 * 60_000);

    const fork = await forkRun(deps(workflow), { runId, by: "ann" });

    expect(await resume(workflow, fork.runId)).toMatchObject({
      status: "waiting-timer",
      wakeAtMs: engine.clock.now() + 60 * 60_000,
    });
  });

  test("a fork with an input that the workflow does not take is refused, and there is no fork", async () => {
    const { engine, deps, go } = bench();
    const own = createSmithers({ input: z.object({ n: z.number().default(1) }), n: z.object({ n: z.number() }) });
    const workflow = own.smithers(() => <own.Workflow name="w" />);
    const { runId } = await go(workflow);

    await expect(forkRun(deps(workflow), { runId, input: { n: "x" }, by: "ann" })).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
    expect(await engine.store.runs({})).toHaveLength(1);
  });

  test("K3: a fork belongs to the files it is made with, and is no mismatch when it starts", async () => {
    const { engine, deps, go, resume } = bench();
    const at = (hash: string) => {
      const source = { entry: "w.tsx", files: { "w.tsx": hash }, packages: {} };
      return { ...smithers(() => <Workflow name="w" />), source };
    };
    const { runId } = await go(at("old"));

    const fork = await forkRun(deps(at("new")), { runId, by: "ann" });

    expect((await engine.store.run(fork.runId))?.metadata.source?.files).toEqual({ "w.tsx": "new" });
    expect((await resume(at("new"), fork.runId)).status).toBe("finished");
  });

  test("the timeline shows attempts, resets and forks in order, and the forks' own with the tree", async () => {
    const made = bench();
    const { engine, deps, go, resume } = made;
    const workflow = chain(made);
    const { runId } = await go(workflow);
    await retryTask(deps(workflow), { runId, nodeId: "c", iteration: 0, by: "ann" });
    const fork = await forkRun(deps(workflow), { runId, label: "x", by: "ann" });
    await resume(workflow, runId);

    const { entries, forks } = await timeline(engine.store, runId, { tree: true });

    expect(
      entries.map((entry) =>
        entry.kind === "attempt" ? `${entry.nodeId} ${entry.attempt} ${entry.end?.how}` : entry.kind,
      ),
    ).toEqual(["a 1 finished", "b 1 finished", "c 1 finished", "status", "reset", "fork", "c 2 finished", "status"]);
    expect(forks.map(({ run }) => [run.runId, run.forkedFrom?.label])).toEqual([[fork.runId, "x"]]);
    expect((await timeline(engine.store, runId, { tree: false })).forks).toEqual([]);
  });
});

describe("rewind", () => {
  async function rewindable() {
    const made = editing();
    const workflow = smithers(() => <Workflow name="w">{["a", "b", "c"].map((id) => made.edit(id))}</Workflow>);
    const { runId } = await made.go(workflow, made.files);
    const events = await made.engine.store.events(runId, 0);
    const toSeq = events.find((event) => event.type === "node.finished" && event.nodeId === "a")?.seq ?? 0;
    const request: Rewind = { runId, toSeq, confirm: true, by: "ann" };
    const audit = async () => (await made.engine.store.travels(runId)).map(({ by, result }) => [by, result]);
    return { ...made, workflow, runId, request, audit, deps: made.deps(workflow) };
  }

  test("takes run and files back to the frame, and leaves an audit row", async () => {
    const { deps, request, there, audit, engine, runId, ran, workflow, resume, files } = await rewindable();

    const { reset } = await rewind(deps, request);

    expect([there(), reset.nodes.map(({ nodeId }) => nodeId), await audit()]).toEqual([
      ["a"],
      ["b", "c"],
      [["ann", "success"]],
    ]);
    expect((await engine.store.run(runId))?.status).toBe("paused");
    ran.length = 0;
    await resume(workflow, runId, files);
    expect(ran).toEqual(["b", "c"]);
  });

  test("without a literal confirm, beyond the run, or while another one is under way: refused and audited", async () => {
    const { deps, request, there, audit, engine, runId } = await rewindable();

    await expect(rewind(deps, { ...request, confirm: "yes" as never })).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
    await expect(rewind(deps, { ...request, toSeq: 999 })).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
    const other = {
      travelId: "travel-x",
      runId,
      verb: "rewind",
      by: "bob",
      toSeq: 2,
      owner: OWNER,
      result: "in-progress",
      detail: null,
      undo: [],
    } as const;
    await engine.store.beginTravel({ ...other, atMs: engine.clock.now() + 1 });
    await expect(rewind({ ...deps, isAlive: () => true }, request)).rejects.toMatchObject({ code: "BUSY" });

    expect(there()).toEqual(["a", "b", "c"]);
    expect((await audit()).toSorted(([a], [b]) => String(a).localeCompare(String(b)))).toEqual([
      ["ann", "refused"],
      ["ann", "refused"],
      ["ann", "refused"],
      ["bob", "in-progress"],
    ]);
  });

  test("the eleventh within an hour is refused; an hour later it is not", async () => {
    const { deps, request, audit, engine } = await rewindable();
    const quick = { ...deps, vcs: null };
    for (let nth = 0; nth < 10; nth += 1) await rewind(quick, request);

    await expect(rewind(quick, request)).rejects.toMatchObject({ code: "RATE_LIMITED" });
    await rewind(quick, { ...request, by: "bob" });
    await engine.clock.advance(60 * 60 * 1_000);
    await rewind(quick, request);

    expect((await audit()).filter(([, result]) => result === "refused")).toEqual([["ann", "refused"]]);
  });

  /** Another process takes the run while its files are being moved. */
  const overtaken = (store: ReturnType<typeof testEngine>["store"], runId: string, secondRestore?: Error) => {
    let restores = 0;
    const restore: typeof pointers.restore = async (...args) => {
      if ((restores += 1) > 1 && secondRestore) throw secondRestore;
      await pointers.restore(...args);
      await store.claim({ runId, epoch: 1, owner: OWNER, atMs: 1 });
    };
    return { ...pointers, restore };
  };

  test("all or nothing: when the run moves on in the meantime, the files are put back", async () => {
    const { deps, request, there, audit, engine, runId } = await rewindable();

    const lost = rewind({ ...deps, vcs: overtaken(engine.store, runId) }, request);

    await expect(lost).rejects.toMatchObject({ code: "CONFLICT" });
    expect([there(), await audit()]).toEqual([["a", "b", "c"], [["ann", "failed"]]]);
  });

  test("when the way back fails as well, the audit says so", async () => {
    const { deps, request, audit, engine, runId } = await rewindable();

    const lost = rewind({ ...deps, vcs: overtaken(engine.store, runId, new Error("disk full")) }, request);

    await expect(lost).rejects.toMatchObject({ code: "REWIND_FAILED" });
    expect(await audit()).toEqual([["ann", "partial"]]);
  });

  test("a process that died in the middle blocks nobody: its files are put back by whoever comes next", async () => {
    const { deps, request, there, audit, root } = await rewindable();
    const crash = Promise.withResolvers<never>();
    const moved = Promise.withResolvers<void>();
    const dying = {
      ...deps,
      vcs: {
        ...pointers,
        restore: async (...args: Parameters<typeof pointers.restore>) => (
          await pointers.restore(...args),
          moved.resolve(),
          crash.promise
        ),
      },
    };
    void rewind(dying, request).catch(() => undefined);
    await moved.promise;
    expect(there()).toEqual(["a"]);

    await expect(rewind(deps, { ...request, toSeq: 999 })).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });

    expect(there()).toEqual(["a", "b", "c"]);
    expect(existsSync(join(root, "base.txt"))).toBe(true);
    expect(await audit()).toEqual([
      ["ann", "refused"],
      ["ann", "failed"],
    ]);
  });

  test("R4: a process that died after its reset was recorded has rewound: the audit says so, and the files stay", async () => {
    const { deps, request, there, audit, engine } = await rewindable();
    const { store } = engine;
    const recorded = Promise.withResolvers<void>();
    const proxy: RunStore = new Proxy(store, {
      get(target, name: keyof RunStore) {
        const member = target[name];
        if (name === "updateTravel")
          return (...args: Parameters<RunStore["updateTravel"]>) =>
            args[1].result ? (recorded.resolve(), new Promise(() => {})) : target.updateTravel(...args);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
    void rewind({ ...deps, store: proxy }, request);
    await recorded.promise;

    await expect(rewind(deps, { ...request, toSeq: 999 })).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });

    expect([there(), await audit()]).toEqual([
      ["a"],
      [
        ["ann", "refused"],
        ["ann", "success"],
      ],
    ]);
  });
});
