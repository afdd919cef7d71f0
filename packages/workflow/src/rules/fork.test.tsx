/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §8 about forks, replays and the timeline, on real files under git. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { readFrame } from "@smooth/engine/frames";
import { compareSnapshots } from "@smooth/engine/time-travel/compare";
import { forkRun, replayRun } from "@smooth/engine/time-travel/fork";
import { timeline } from "@smooth/engine/time-travel/timeline";
import { retryTask } from "@smooth/engine/time-travel/verbs";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { Approval, outputs, Sequence, smithers, Task, Timer, Workflow } from "../testing/rules.ts";
import { bench, editing } from "../testing/time-travel.tsx";

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
  expect((await readFrame(engine.store, fork.runId, afterA)).root.children.map(({ id, state }) => [id, state])).toEqual(
    [
      ["a", "finished"],
      ["b", "pending"],
      ["c", "pending"],
    ],
  );
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

test("K2: what the end of a cancelled run cut off is asked anew in its fork", async () => {
  const { engine, step, deps, go, resume } = bench();
  const workflow = smithers(() => (
    <Workflow name="w">
      {step("a")}
      <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} />
    </Workflow>
  ));
  const { runId } = await go(workflow);
  const handle = await engine.resume(workflow, runId);
  handle.cancel();
  expect((await handle.result).status).toBe("cancelled");

  const fork = await forkRun(deps(workflow), { runId, by: "ann" });

  expect((await resume(workflow, fork.runId)).status).toBe("waiting-approval");
});
