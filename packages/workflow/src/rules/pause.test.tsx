/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §2.9 about paused runs. */
import { cancelRun, findResumable, pauseRun, signalRun, unpauseRun } from "@smooth/engine/control";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { one, outputs, Parallel, Sequence, smithers, Task, Timer, Workflow } from "../testing/rules.ts";
import { OWNER, sayBefore, testEngine } from "../testing/run-in-memory.ts";

function pausing() {
  const engine = testEngine();
  const whom = { runId: "r", by: "ann", atMs: 1 };
  const due = () => findResumable(engine.store, { isAlive: () => false, host: OWNER.host, nowMs: engine.clock.now() });
  return {
    ...engine,
    pause: () => pauseRun(engine.store, whom),
    unpause: () => unpauseRun(engine.store, whom),
    due: async () => (await due()).map(({ because }) => because),
  };
}
const gated = (gate: Promise<unknown>) =>
  smithers(() => (
    <Workflow name="gated">
      <Parallel>
        <Sequence>
          <Task id="slow" output={outputs.n}>
            {() => gate.then(one)}
          </Task>
          <Task id="next" output={outputs.n}>
            {one}
          </Task>
        </Sequence>
      </Parallel>
    </Workflow>
  ));

test("what runs ends and is recorded, nothing new starts, and no supervisor takes it up", async () => {
  const engine = pausing();
  const gate = Promise.withResolvers<void>();
  const { result } = await engine.start(gated(gate.promise), { runId: "r" });
  await settle();
  expect(await engine.pause()).toBe("requested");
  await settle();
  gate.resolve();

  expect(await result).toEqual({ status: "paused", runId: "r" });
  expect(engine.trace()).toEqual(["node.started slow#0", "node.finished slow#0"]);
  expect(await engine.store.run("r")).toMatchObject({ status: "paused", owner: null });
  expect(await engine.due()).toEqual([]);

  expect(await engine.unpause()).toBe("done");
  expect(await engine.due()).toEqual(["owner-gone"]);
  expect((await (await engine.resume(gated(gate.promise), "r")).result).status).toBe("finished");
});

test("a pause outlives a crash of the process that was to heed it", async () => {
  const engine = pausing();
  const gate = Promise.withResolvers<void>();
  await engine.start(gated(gate.promise), { runId: "r" });
  await settle();
  await engine.pause(); // and its owner is gone before its body has ended

  expect(await (await engine.resume(gated(gate.promise), "r")).result).toEqual({ status: "paused", runId: "r" });
  expect(engine.trace().filter((line) => line.startsWith("node.started"))).toHaveLength(1);

  gate.resolve(); // a person's own resume goes on with it
  expect((await (await engine.resume(gated(gate.promise), "r")).result).status).toBe("finished");
});

test("a suspended run is paused on the spot; neither its time nor a signal wakes it, and then it catches up", async () => {
  const engine = pausing();
  const workflow = smithers(() => (
    <Workflow name="later">
      <Timer id="pause" duration="1h" />
    </Workflow>
  ));
  await (
    await engine.start(workflow, { runId: "r" })
  ).result;
  expect(await engine.pause()).toBe("done");
  await engine.clock.advance(7_200_000);
  await signalRun(engine.store, { runId: "r", name: "x", payload: null, by: "ann", atMs: engine.clock.now() });
  expect(await engine.due()).toEqual([]);

  await engine.unpause();
  expect(await engine.due()).toEqual(["owner-gone"]);
  expect((await (await engine.resume(workflow, "r")).result).status).toBe("finished");
});

test("taken back before the owner was done, it goes on as if nothing had been; a run that is over is not paused", async () => {
  const engine = pausing();
  const gate = Promise.withResolvers<void>();
  const { result } = await engine.start(gated(gate.promise), { runId: "r" });
  await settle();
  await engine.pause();
  await settle();
  await engine.unpause();
  await settle();
  gate.resolve();

  expect((await result).status).toBe("finished");
  await expect(engine.pause()).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
});

test("L7: taken back right before the commit that pauses it, it goes on", async () => {
  const engine = pausing();
  const gate = Promise.withResolvers<void>();
  sayBefore(engine.store, "paused", engine.unpause);
  const { result } = await engine.start(gated(gate.promise), { runId: "r" });
  await settle();
  await engine.pause();
  await settle();
  gate.resolve();

  expect((await result).status).toBe("finished");
  expect(engine.trace().filter((line) => line.startsWith("node.finished"))).toHaveLength(2);
});

test("a cancellation right before the commit that suspends a run makes it due, and whoever takes it up cancels it", async () => {
  const engine = pausing();
  const workflow = smithers(() => (
    <Workflow name="later">
      <Timer id="long" duration="1h" />
    </Workflow>
  ));
  sayBefore(engine.store, "waiting-timer", (runId) => cancelRun(engine.store, { runId, by: "ann", atMs: 1 }));
  await (
    await engine.start(workflow, { runId: "r" })
  ).result;

  expect(await engine.due()).toEqual(["cancel-requested"]);
  expect((await (await engine.resume(workflow, "r")).result).status).toBe("cancelled");
});
