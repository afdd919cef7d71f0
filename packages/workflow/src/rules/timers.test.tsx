/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §5 about timers. */
import { findResumable } from "@smooth/engine/control";
import { settle } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { Approval, Loop, Parallel, Sequence, smithers, Task, Timer, Workflow, outputs, one } from "../testing/rules.ts";
import { OWNER, runToEnd, testEngine } from "../testing/run-in-memory.ts";

const HOUR = 3_600_000;
const after = (duration: string) =>
  smithers(() => (
    <Workflow name="later">
      <Timer id="pause" duration={duration} />
      <Task id="after" output={outputs.n}>
        {one}
      </Task>
    </Workflow>
  ));

describe("a run that waits for a time", () => {
  test("suspends as a row with the time it is due, and is resumable from then on", async () => {
    const engine = testEngine();
    const { runId, result } = await engine.start(after("1h"));
    const dueMs = engine.clock.now() + HOUR;
    expect(await result).toMatchObject({ status: "waiting-timer", waiting: [{ nodeId: "pause" }], wakeAtMs: dueMs });
    expect(await engine.store.run(runId)).toMatchObject({ status: "waiting-timer", owner: null, wakeAtMs: dueMs });

    const check = (nowMs: number) => findResumable(engine.store, { isAlive: () => true, host: OWNER.host, nowMs });
    expect(await check(dueMs - 1)).toEqual([]);
    expect(await check(dueMs)).toMatchObject([{ run: { runId }, because: "due" }]);

    await engine.clock.advance(HOUR);
    expect((await (await engine.resume(after("1h"), runId)).result).status).toBe("finished");
    expect(engine.trace()).toContain("node.finished after#0");
  });

  test("W1: a restart before its time does not reset it, even when the workflow now says another duration", async () => {
    const engine = testEngine();
    const { runId, result } = await engine.start(after("1h"));
    await result;
    await engine.clock.advance(HOUR / 2);

    const early = await (await engine.resume(after("5h"), runId)).result;
    expect(early).toMatchObject({ status: "waiting-timer", wakeAtMs: engine.clock.now() + HOUR / 2 });
    await engine.clock.advance(HOUR / 2);

    expect((await (await engine.resume(after("5h"), runId)).result).status).toBe("finished");
    expect(engine.events.filter((event) => event.type === "wait.opened")).toHaveLength(1);
  });

  test("sleeps in the process while something else runs, and fires in between", async () => {
    const engine = testEngine();
    const gate = Promise.withResolvers<{ n: number }>();
    const handle = await engine.start(
      smithers(() => (
        <Workflow name="beside">
          <Parallel>
            <Task id="slow" output={outputs.n}>
              {() => gate.promise}
            </Task>
            <Sequence>
              <Timer id="pause" duration="1h" />
              <Task id="after" output={outputs.n}>
                {one}
              </Task>
            </Sequence>
          </Parallel>
        </Workflow>
      )),
    );
    await engine.clock.advance(HOUR - 1);
    expect(engine.trace()).not.toContain("node.finished pause#0");
    await engine.clock.advance(1);
    expect(engine.trace()).toContain("node.finished after#0");

    gate.resolve({ n: 1 });
    expect((await handle.result).status).toBe("finished");
  });

  test("a wait of a second is sat out", async () => {
    const engine = testEngine();
    const handle = await engine.start(after("1s"));
    await settle();
    await engine.clock.advance(1_000);

    expect((await handle.result).status).toBe("finished");
  });

  test("waits longer than 24.8 days, and several timers, are due at the earliest", async () => {
    const engine = testEngine();
    const workflow = smithers(() => (
      <Workflow name="long">
        <Parallel>
          <Timer id="long" duration="6w" />
          <Timer id="longer" duration="90d" />
        </Parallel>
      </Workflow>
    ));
    const startMs = engine.clock.now();
    const { runId, result } = await engine.start(workflow);
    expect(await result).toMatchObject({ wakeAtMs: startMs + 42 * 24 * HOUR });

    await engine.clock.advance(42 * 24 * HOUR);
    expect(await (await engine.resume(workflow, runId)).result).toMatchObject({ wakeAtMs: startMs + 90 * 24 * HOUR });
  });
});

test("a moment that is past fires at once", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="past">
        <Timer id="then" until="2001-01-01T00:00:00Z" />
        <Timer id="also" until={new Date(1)} />
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("finished");
  expect(run.trace()).toEqual([
    "wait.opened then#0",
    "node.finished then#0",
    "wait.opened also#0",
    "node.finished also#0",
  ]);
});

test("M1: in a loop `every` keeps its beat, and beats that a slow pass missed are not made up", async () => {
  const engine = testEngine();
  const startMs = engine.clock.now();
  const takesMs = [0, 2.5 * HOUR, 0];
  const workflow = smithers((ctx) => (
    <Workflow name="beat">
      <Loop id="beats" until={ctx.iterationCount(outputs.n, "work") >= 3}>
        <Sequence>
          <Timer id="beat" every="1h" />
          <Task id="work" output={outputs.n}>
            {async () => {
              await engine.clock.sleep(takesMs[ctx.iteration] ?? 0);
              return { n: 1 };
            }}
          </Task>
        </Sequence>
      </Loop>
    </Workflow>
  ));

  let result = await (await engine.start(workflow, { runId: "run-beat" })).result;
  while (result.status === "waiting-timer") {
    await engine.clock.advance((result.wakeAtMs ?? 0) - engine.clock.now());
    const handle = await engine.resume(workflow, "run-beat");
    await engine.clock.advance(takesMs.at(engine.trace().filter((line) => /finished work/.test(line)).length) ?? 0);
    result = await handle.result;
  }

  const dues = engine.events.flatMap((event) => (event.type === "wait.opened" ? [event.on.dueMs] : []));
  expect(dues).toEqual([1, 2, 5].map((hours) => startMs + hours * HOUR));
});

test("the time of a timer that has left the tree wakes nobody, and keeps no process busy when it is over", async () => {
  const workflow = smithers((ctx) => (
    <Workflow name="overtaken">
      <Parallel>
        <Task id="fast" output={outputs.n}>
          {one}
        </Task>
        {ctx.outputMaybe(outputs.n, "fast") ? null : <Timer id="late" duration="10s" />}
      </Parallel>
      <Approval id="ask" output={outputs.decision} request={{ title: "?" }} />
    </Workflow>
  ));
  const { runId, result, ...engine } = await runToEnd(workflow);
  expect(result).toMatchObject({ status: "waiting-approval", waiting: [{ nodeId: "ask" }], wakeAtMs: null });

  await engine.clock.advance(20_000);

  expect(await (await engine.resume(workflow, runId)).result).toEqual(result);
});

test.each([
  [{}, "exactly one"],
  [{ duration: "1h", until: "2030-01-01" }, "exactly one"],
  [{ duration: "soon" }, "a duration like"],
  [{ every: "0s" }, "a duration like"],
  [{ until: "tomorrow" }, "ISO 8601"],
  [{ duration: "1h", output: "n" }, "output"],
])("a Timer with %j is refused", async (props, said) => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="wrong">
        <Timer id="t" {...props} />
      </Workflow>
    )),
  );

  expect(run.result).toMatchObject({ status: "failed", error: { message: expect.stringContaining(said) as string } });
});
