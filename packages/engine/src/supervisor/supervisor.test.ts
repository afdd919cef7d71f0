import { ManualClock, memoryLog } from "@smooth/platform/testing";
import { SmoothError } from "@smooth/protocol/errors";
import { expect, test } from "vitest";
import { openMemoryStore } from "../store/memory.ts";
import type { Owner } from "../store/port.ts";
import { Supervisor, type SupervisorDeps } from "./supervisor.ts";

const DEAD: Owner = { host: "here", boot: "b", pid: 1, pidStartedAt: "1" };

/** Runs whose owner is dead, and what the supervisor did about them. */
async function left(...runIds: readonly string[]) {
  const clock = new ManualClock();
  const store = openMemoryStore();
  const did: string[] = [];
  for (const runId of runIds)
    await store.create({ runId, workflow: "w", input: {}, auth: null, owner: DEAD, atMs: clock.now() });
  const deps: SupervisorDeps = {
    store,
    clock,
    log: memoryLog(),
    host: "here",
    isAlive: () => false,
    reapOrphans: async () => void did.push("reap"),
    resume: async ({ runId }) => void did.push(runId),
    // A death is noted before a run is taken up; these runs wait no time after it.
    giveUp: { maxFailures: 3, firstWaitMs: 0, maxWaitMs: 0 },
  };
  return { store, deps, did };
}

test("what a dead owner left running is ended before its run is taken up", async () => {
  const { deps, did } = await left("a", "b");

  await new Supervisor(deps).tick();

  expect(did.toSorted()).toEqual(["a", "b", "reap"]);
  expect(did[0]).toBe("reap");
});

test("U1: a run whose rows cannot be read holds up no other", async () => {
  const { deps, did, store } = await left("a", "broken", "c");
  const events = store.events.bind(store);
  store.events = async (runId, ...rest) => {
    if (runId === "broken") throw new Error("damaged");
    return events(runId, ...rest);
  };

  const round = await new Supervisor(deps).tick();

  expect([round.failed, round.resumed.toSorted(), did.slice(1).toSorted()]).toEqual([
    ["broken"],
    ["a", "c"],
    ["a", "c"],
  ]);
});

test("U2: a claim that another process won is no failure of the run", async () => {
  const { deps, store } = await left("a");
  const taken = async () => Promise.reject(new SmoothError("RUN_CLAIM_LOST", "another process was first"));

  const round = await new Supervisor({ ...deps, resume: taken }).tick();

  expect(round).toMatchObject({ resumed: [], failed: [] });
  const failures = (await store.events("a", 0)).filter((event) => event.type === "run.resume-failed");
  expect(failures.map((event) => event.how)).toEqual(["died"]);
});

test.each([{ intervalMs: 0 }, { intervalMs: Number.NaN }, { maxPerRound: 0 }, { maxPerRound: 1.5 }])(
  "a supervisor that could not do its rounds is refused: %o",
  async (option) => {
    const { deps } = await left();

    expect(() => new Supervisor({ ...deps, ...option })).toThrow(expect.objectContaining({ code: "INVALID_INPUT" }));
  },
);
