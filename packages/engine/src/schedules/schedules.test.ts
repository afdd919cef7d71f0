import { openSqlite } from "@smooth/platform/node/sqlite";
import { countingIds, ManualClock, memoryLog } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { SmoothError } from "@smooth/protocol/errors";
import { openMemoryStore } from "../store/memory.ts";
import { NOTHING, type Owner, type Successor } from "../store/port.ts";
import { createSchedule, deleteSchedule, fireSchedules, pauseSchedule, preview } from "./schedules.ts";
import type { Schedule, Slot } from "./port.ts";
import { schedulesContract } from "./schedules.contract.ts";
import { slotsAfter } from "./slots.ts";
import { openSqliteSchedules } from "./sqlite.ts";

const OWNER: Owner = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
const MINUTE = 60_000;
const iso = (times: readonly number[]): string[] => times.map((at) => new Date(at).toISOString());

function bench() {
  const clock = new ManualClock(Date.parse("2026-01-01T00:00:30Z"));
  const store = openMemoryStore();
  const schedules = openSqliteSchedules(openSqlite(":memory:"));
  const launched: string[] = [];
  const deps = {
    schedules,
    store,
    clock,
    ids: countingIds(),
    log: memoryLog(),
    launch: async (_schedule: unknown, runId: string) => {
      const made = await store.create({ runId, workflow: "w", input: {}, auth: null, owner: OWNER, atMs: clock.now() });
      if (made === "exists") throw new SmoothError("CONFLICT", "exists");
      launched.push(runId);
    },
  };
  const end = (runId: string, status: "finished" | "cancelled" = "finished") =>
    store.commit({
      runId,
      epoch: 1,
      atMs: clock.now(),
      ...NOTHING,
      status: { status, error: null, wakeAtMs: null, seenSeq: 1 },
    });
  const round = () => fireSchedules(deps);
  const states = async (scheduleId: string) =>
    (await schedules.slots(scheduleId)).toReversed().map(({ state }) => state);
  return { deps, clock, store, schedules, launched, end, round, states };
}
const every = { workflow: "flow.tsx", pattern: "* * * * *" };

describe("SQLite schedules", () => schedulesContract(() => openSqliteSchedules(openSqlite(":memory:"))));

describe("time zones", () => {
  test("a slot keeps its wall time over a change to daylight saving and back", () => {
    const at9 = { pattern: "0 9 * * *", timezone: "Europe/Berlin" };
    expect(iso(slotsAfter(at9, Date.parse("2026-03-28T00:00:00Z"), { count: 3 }))).toEqual([
      "2026-03-28T08:00:00.000Z",
      "2026-03-29T07:00:00.000Z",
      "2026-03-30T07:00:00.000Z",
    ]);
    expect(iso(slotsAfter(at9, Date.parse("2026-10-24T12:00:00Z"), { count: 2 }))).toEqual([
      "2026-10-25T08:00:00.000Z",
      "2026-10-26T08:00:00.000Z",
    ]);
  });

  test("a time that comes twice fires once; one that does not exist fires once that day as well", () => {
    const at230 = { pattern: "30 2 * * *", timezone: "Europe/Berlin" };
    const days = (from: string) => iso(slotsAfter(at230, Date.parse(from), { count: 2 })).map((at) => at.slice(0, 10));

    expect(days("2026-10-24T12:00:00Z")).toEqual(["2026-10-25", "2026-10-26"]);
    expect(days("2026-03-28T12:00:00Z")).toEqual(["2026-03-29", "2026-03-30"]);
  });

  test("a pattern or a zone that is none is refused", () => {
    for (const timing of [
      { pattern: "61 * * * *", timezone: "UTC" },
      { pattern: "* * * * *", timezone: "Mars/Base" },
    ])
      expect(() => slotsAfter(timing, 0, { count: 1 })).toThrow(/is no schedule/);
  });
});

test("it fires at its time, once, also when two supervisors look", async () => {
  const { deps, clock, round, launched, end } = bench();
  const schedule = await createSchedule(deps, every);
  expect(iso(preview(schedule, clock.now(), 2))).toEqual(["2026-01-01T00:01:00.000Z", "2026-01-01T00:02:00.000Z"]);

  await round();
  expect(launched).toEqual([]);
  await clock.advance(MINUTE);
  await Promise.all([round(), round()]);
  expect(launched).toHaveLength(1);
  await end(launched[0]!);
  await clock.advance(MINUTE);
  await round();
  expect(new Set(launched).size).toBe(2);
});

test.each([
  ["skip", 0],
  ["once", 1],
  ["all", 10],
] as const)("C1: after an outage of ten slots, catch-up %s fires %i", async (catchUp, fired) => {
  const { deps, clock, round, schedules } = bench();
  const { scheduleId } = await createSchedule(deps, { ...every, pattern: "0 * * * *", catchUp, overlap: "queue" });
  await clock.advance(10 * 60 * MINUTE + 5 * MINUTE);

  await round();

  expect(await schedules.slots(scheduleId)).toHaveLength(fired);
});

test.each([
  ["skip", 1],
  ["once", 1],
  ["all", 100],
] as const)(
  "C1: after nine days of missed minutes, catch-up %s still fires at the next one",
  async (catchUp, fired) => {
    const { deps, clock, round, schedules } = bench();
    const { scheduleId } = await createSchedule(deps, { ...every, catchUp, overlap: "queue" });
    await clock.advance(9 * 24 * 60 * MINUTE);

    await round();
    await clock.advance(MINUTE);
    await round();

    const slots = await schedules.slots(scheduleId);
    expect(iso(slots.slice(0, 1).map(({ slotMs }) => slotMs))).toEqual(["2026-01-10T00:01:00.000Z"]);
    expect(slots.length).toBeGreaterThanOrEqual(fired);
  },
);

describe("C2: when the previous run goes on", () => {
  async function overlapping(overlap: "skip" | "queue" | "cancel-previous") {
    const made = bench();
    const { scheduleId } = await createSchedule(made.deps, { ...every, overlap });
    await made.clock.advance(MINUTE);
    await made.round();
    await made.clock.advance(MINUTE);
    await made.round();
    return { ...made, scheduleId };
  }

  test("skip drops the slot", async () => {
    const { states, scheduleId, launched } = await overlapping("skip");
    expect([await states(scheduleId), launched.length]).toEqual([["launched", "dropped"], 1]);
  });

  test("queue starts it when that one has ended", async () => {
    const { states, scheduleId, launched, end, round } = await overlapping("queue");
    expect([await states(scheduleId), launched.length]).toEqual([["launched", "pending"], 1]);
    await end(launched[0]!);
    await round();
    expect([await states(scheduleId), launched.length]).toEqual([["launched", "launched"], 2]);
  });

  test("cancel-previous asks it to stop, and starts when it has", async () => {
    const { scheduleId, states, launched, end, round, store } = await overlapping("cancel-previous");
    expect((await store.run(launched[0]!))?.cancelRequestedBy).toBe(scheduleId);
    expect(launched).toHaveLength(1);
    await end(launched[0]!, "cancelled");
    await round();
    expect([await states(scheduleId), launched.length]).toEqual([["launched", "launched"], 2]);
  });

  test.each([
    ["skip", "dropped", null],
    ["cancel-previous", "pending", "schedule"],
  ] as const)("%s looks at the run that it continued as", async (overlap, state, cancelledBy) => {
    const { deps, clock, round, states, launched, store } = bench();
    const { scheduleId } = await createSchedule(deps, { ...every, overlap });
    await clock.advance(MINUTE);
    await round();
    await store.commit({
      runId: launched[0]!,
      epoch: 1,
      atMs: clock.now(),
      ...NOTHING,
      status: { status: "continued", error: null, wakeAtMs: null, seenSeq: 1 },
      successor: successorOf(launched[0]!, clock.now()),
    });

    await clock.advance(MINUTE);
    await round();

    expect(await states(scheduleId)).toEqual(["launched", state]);
    expect((await store.run("run-next"))?.cancelRequestedBy ?? null).toBe(cancelledBy && scheduleId);
  });
});

const successorOf = (runId: string, atMs: number): Successor => ({
  run: {
    runId: "run-next",
    workflow: "w",
    input: {},
    auth: null,
    parent: { runId, as: "continuation", key: null },
    owner: OWNER,
    atMs,
  },
  events: [],
  outputs: [],
});

test("F1: a supervisor that died between row and launch is made up for, and a launched one is not launched again", async () => {
  const { deps, clock, round, launched, schedules } = bench();
  const { scheduleId } = await createSchedule(deps, every);
  await clock.advance(MINUTE);
  const dying = { ...deps, launch: async () => Promise.reject(new Error("killed")) };
  await fireSchedules(dying);
  expect((await schedules.slots(scheduleId)).map(({ state }) => state)).toEqual(["pending"]);

  await round();
  await round();

  expect(launched).toHaveLength(1);
});

test("F1: a run that was started, though nobody wrote that down, is not started again", async () => {
  const { deps, clock, round, launched, schedules } = bench();
  const { scheduleId } = await createSchedule(deps, every);
  await clock.advance(MINUTE);
  const dying = { ...schedules, settle: async () => Promise.reject(new Error("killed")) };
  await fireSchedules({ ...deps, schedules: dying });

  await round();

  expect([(await schedules.slots(scheduleId)).map(({ state }) => state), launched.length]).toEqual([["launched"], 1]);
});

describe("C4: when the clock jumps ten minutes ahead and comes back", () => {
  async function jumped(given: Partial<Pick<Schedule, "catchUp" | "overlap">> = {}) {
    const made = bench();
    const { scheduleId } = await createSchedule(made.deps, { ...every, ...given });
    await made.clock.advance(10 * MINUTE);
    await made.round();
    await made.clock.advance(-10 * MINUTE);
    await made.round();
    const nextMinute = async (): Promise<void> => {
      await made.clock.advance(MINUTE);
      await made.round();
    };
    return { ...made, scheduleId, nextMinute };
  }
  const times = (slots: readonly Slot[]): string[] =>
    slots.toReversed().map(({ slotMs }) => new Date(slotMs).toISOString().slice(14, 16));

  test("the schedule fires at its next slot", async () => {
    const { launched, end, nextMinute, schedules, scheduleId } = await jumped();
    await end(launched[0]!);

    await nextMinute();

    expect(times(await schedules.slots(scheduleId))).toEqual(["01", "10"]);
    expect(launched).toHaveLength(2);
  });

  test("each slot is launched once, the one that came ahead of its time too", async () => {
    const { launched, end, nextMinute, schedules, scheduleId } = await jumped({ catchUp: "all", overlap: "queue" });
    expect(times(await schedules.slots(scheduleId))).toEqual(["01"]);

    for (let minute = 0; minute < 3; minute += 1) {
      await end(launched.at(-1)!);
      await nextMinute();
    }

    expect(times(await schedules.slots(scheduleId))).toEqual(["01", "02", "03"]);
    expect(launched).toEqual((await schedules.slots(scheduleId)).map(({ runId }) => runId).toReversed());
  });

  test("what goes on of either side of the jump counts as the previous run", async () => {
    const { launched, end, nextMinute, states, scheduleId } = await jumped({ overlap: "skip" });
    await nextMinute();
    expect(await states(scheduleId)).toEqual(["dropped", "launched"]);

    await end(launched[0]!);
    await nextMinute();
    await nextMinute();

    expect(await states(scheduleId)).toEqual(["dropped", "launched", "dropped", "launched"]);
  });
});

test("C3: the slots of one schedule start in the order of their times", async () => {
  const { deps, clock, end, round, launched, schedules } = bench();
  const { scheduleId } = await createSchedule(deps, { ...every, catchUp: "all", overlap: "queue" });
  await clock.advance(3 * MINUTE);
  for (let slot = 0; slot < 3; slot += 1) {
    await round();
    await end(launched[slot]!);
  }

  const slots = await schedules.slots(scheduleId); // newest first
  expect(launched).toEqual(slots.map(({ runId }) => runId).toReversed());
});

test("a paused schedule lets its slots go; a deleted one is gone; an unknown one is named", async () => {
  const { deps, clock, round, launched, schedules } = bench();
  const { scheduleId } = await createSchedule(deps, { ...every, catchUp: "all" });
  await pauseSchedule(deps, scheduleId, true);
  await clock.advance(5 * MINUTE);
  await round();
  await pauseSchedule(deps, scheduleId, false);
  await round();
  expect(launched).toEqual([]);

  await deleteSchedule(schedules, scheduleId);
  expect(await schedules.list()).toEqual([]);
  await expect(deleteSchedule(schedules, scheduleId)).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("a file of before, whose schedules have no maker, is read on and taken into use", async () => {
  const sql = openSqlite(":memory:");
  const made = await createSchedule(
    { schedules: openSqliteSchedules(sql), clock: new ManualClock(0), ids: countingIds() },
    every,
  );
  sql.exec("ALTER TABLE _smithers_schedules DROP COLUMN maker");

  const schedules = openSqliteSchedules(sql);
  await schedules.add({ ...made, scheduleId: "next", maker: "ann" });

  expect((await schedules.list()).map(({ maker }) => maker)).toEqual([null, "ann"]);
});
