/** @jsxImportSource @smooth/workflow */
/** A wall clock that is set forward and back by a day while runs are at work. */
import { isOwnerAlive } from "@smooth/engine/process-owner";
import { resumeRun } from "@smooth/engine/run";
import { ManualClock, seededRandom } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { Loop, Parallel, Sequence, Task, Workflow, outputs, smithers } from "../testing/rules.ts";
import { OWNER, testEngine } from "../testing/run-in-memory.ts";

const DAY_MS = 86_400_000;

/** Shows another day at every look, and sleeps as long as it is told. */
class JumpyClock extends ManualClock {
  readonly #random: () => number;
  jumps = 0;

  constructor(seed: number) {
    super();
    this.#random = seededRandom(seed);
  }

  override now(): number {
    const days = Math.floor(this.#random() * 3) - 1;
    this.jumps += Math.abs(days);
    return super.now() + days * DAY_MS;
  }
}

const workflow = smithers((ctx) => (
  <Workflow name="busy">
    <Loop id="turns" maxIterations={4}>
      <Sequence>
        <Task id="turn" output={outputs.n} heartbeatTimeoutMs={60_000} timeoutMs={3_600_000}>
          {() => ({ n: ctx.iteration })}
        </Task>
        <Task id="said" output={outputs.text}>
          {{ text: `turn ${ctx.latest(outputs.n, "turn")?.n}` }}
        </Task>
      </Sequence>
    </Loop>
    <Parallel>
      {[1, 2, 3].map((at) => (
        <Task key={at} id={`p${at}`} output={outputs.n}>
          {async () => {
            await Promise.resolve();
            return { n: at };
          }}
        </Task>
      ))}
    </Parallel>
  </Workflow>
));

async function played(clock: ManualClock) {
  const engine = testEngine();
  const handle = await engine.start(workflow, { clock });
  await clock.advance(60_000);
  const { status } = await handle.result;
  const events = await engine.store.events(handle.runId, 0);
  return { status, events: events.map(({ atMs: _atMs, ...event }) => event) };
}

describe("the clock jumps by a day, forward and back", () => {
  test.each([1, 2, 3, 4, 5])("seed %i: the run records what it records on a calm clock", async (seed) => {
    const clock = new JumpyClock(seed);

    const jumpy = await played(clock);

    expect(jumpy).toEqual(await played(new ManualClock()));
    expect(clock.jumps).toBeGreaterThan(10);
  });

  test("a clock set back does not let the lease run out: another host still finds the owner alive", async () => {
    const { store, log, random, start } = testEngine();
    const clock = new ManualClock();
    let setBackMs = 0;
    const shifted = { now: () => clock.now() - setBackMs, sleep: clock.sleep.bind(clock) };
    const waiting = smithers(() => (
      <Workflow name="waits">
        <Task id="a" output={outputs.n}>
          {() => new Promise<{ n: number }>(() => {})}
        </Task>
      </Workflow>
    ));
    const handle = await start(waiting, { clock: shifted });
    setBackMs = DAY_MS;
    await clock.advance(60_000);

    const { heartbeatAtMs = 0 } = (await store.run(handle.runId)) ?? {};
    expect(shifted.now() - heartbeatAtMs).toBeLessThan(10_000);
    const elsewhere = { ...OWNER, host: "elsewhere" };
    await expect(
      resumeRun({
        store,
        log,
        random,
        clock: shifted,
        owner: elsewhere,
        isAlive: isOwnerAlive,
        workflow: waiting,
        runId: handle.runId,
      }),
    ).rejects.toMatchObject({ code: "RUN_OWNER_ALIVE" });
    handle.cancel();
    await clock.advance(10_000);
    expect((await handle.result).status).toBe("cancelled");
  });
});
