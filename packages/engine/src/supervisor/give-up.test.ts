import { expect, test } from "vitest";
import type { RunEventBody, StoredEvent } from "../run/events.ts";
import type { Owner, RunRow } from "../store/port.ts";
import { derivedState } from "./derived-state.ts";
import { diedInVain, judge } from "./give-up.ts";

const policy = { maxFailures: 3, firstWaitMs: 1_000, maxWaitMs: 1_500 };
const error = { code: "TASK_FAILED", message: "no" };
const log = (...bodies: readonly RunEventBody[]): StoredEvent[] =>
  bodies.map((body, at) => ({ ...body, runId: "run-1", seq: at + 1, atMs: at * 100 }));
const started: RunEventBody = { type: "run.started", workflow: "w" };
const claimed = (epoch: number): RunEventBody => ({ type: "run.claimed", epoch });
const failed = (epoch: number, how: "refused" | "died" = "refused"): RunEventBody => ({
  type: "run.resume-failed",
  epoch,
  how,
  error,
});
const begun: RunEventBody = { type: "node.started", nodeId: "a", iteration: 0, attempt: 1, label: "a" };
const done: RunEventBody = { type: "node.finished", nodeId: "a", iteration: 0, output: "n" };

test("a run that never failed to resume is resumed at once", () => {
  expect(judge(log(started, claimed(2), begun), 0, policy)).toEqual({ kind: "resume" });
});

test("G2: the wait doubles up to its limit, then the run is given up", () => {
  const once = log(started, failed(1));
  const twice = log(started, failed(1), failed(1));

  expect(judge(once, 1_099, policy)).toEqual({ kind: "wait", untilMs: 1_100 });
  expect(judge(once, 1_100, policy)).toEqual({ kind: "resume" });
  expect(judge(twice, 200, policy)).toEqual({ kind: "wait", untilMs: 1_700 });
  expect(judge(log(started, failed(1), failed(1), failed(1)), 0, policy)).toEqual({
    kind: "give-up",
    failures: 3,
    error,
  });
});

test("G1: a step forward starts the count anew; taking it up and starting a body does not", () => {
  expect(judge(log(started, failed(1), failed(1), claimed(2), begun, failed(2)), 0, policy).kind).toBe("give-up");
  expect(judge(log(started, failed(1), failed(1), claimed(2), begun, done, failed(2)), 501, policy).kind).toBe("wait");
});

test("G1: two supervisors that note the same death count it once", () => {
  expect(judge(log(started, failed(2, "died"), failed(2, "died"), failed(2, "died")), 1_100, policy)).toEqual({
    kind: "resume",
  });
});

test("a death counts when nothing had gone forward since the run was taken up, and is noted once", () => {
  expect(diedInVain(log(started, begun), 1)).toBe(true);
  expect(diedInVain(log(started, begun, done), 1)).toBe(false);
  expect(diedInVain(log(started, begun, done, claimed(2)), 2)).toBe(true);
  expect(diedInVain(log(started, claimed(2), failed(2, "died")), 2)).toBe(false);
});

const OWNER: Owner = { host: "here", boot: "b", pid: 1, pidStartedAt: "1" };
const NOW = 1_000_000;

test.each([
  ["a finished run is finished, whoever owns the row", "finished", { status: "finished", owner: OWNER }, false],
  ["a status of a newer version is unknown", "unknown", { status: "waiting-moon", owner: null }, false],
  ["a living owner that beats works", "running", { status: "running", owner: OWNER }, true],
  [
    "a living owner that is silent hangs",
    "stale",
    { status: "running", owner: OWNER, heartbeatAtMs: NOW - 30_001 },
    true,
  ],
  ["a dead owner is being replaced", "recovering", { status: "running", owner: OWNER }, false],
  [
    "a wait that is due is being taken up",
    "recovering",
    { status: "waiting-timer", owner: null, wakeAtMs: NOW },
    false,
  ],
  ["a wait is a wait", "waiting-timer", { status: "waiting-timer", owner: null, wakeAtMs: NOW + 1 }, false],
  ["a paused run is paused", "paused", { status: "paused", owner: null }, false],
  [
    "V1: given up and then cancelled, it is cancelled",
    "cancelled",
    { status: "cancelled", owner: null, error: { code: "AUTO_RESUME_GAVE_UP", message: "" } },
    false,
  ],
  [
    "given up is orphaned",
    "orphaned",
    { status: "running", owner: null, error: { code: "AUTO_RESUME_GAVE_UP", message: "" } },
    false,
  ],
])("%s", (_title, expected, change, isAlive) => {
  const row = { heartbeatAtMs: NOW, wakeAtMs: null, error: null, ...change } as unknown as RunRow;

  expect(derivedState(row, { isAlive: () => isAlive, host: "here", nowMs: NOW, supervised: true })).toBe(expected);
});

test("V3: without a supervisor a dead owner's run is orphaned", () => {
  const row = { status: "running", owner: OWNER, heartbeatAtMs: NOW, wakeAtMs: null, error: null } as unknown as RunRow;

  expect(derivedState(row, { isAlive: () => false, host: "here", nowMs: NOW, supervised: false })).toBe("orphaned");
});
