import { ManualClock } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { openMemoryStore } from "../store/memory.ts";
import { tend } from "./tend.ts";

const nothing = (): void => {};
const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
const store = openMemoryStore();

test("all runs of a clock sleep on one timer, each is looked after, and the last one to end takes the timer with it", async () => {
  const clock = new ManualClock();
  const polls = { a: 0, b: 0 };
  const tended = (runId: "a" | "b") =>
    tend({ store, clock, log, runId, epoch: 1 }, async () => void (polls[runId] += 1));
  const leaveA = tended("a");
  const leaveB = tended("b");
  await clock.advance(1_000);
  expect([clock.sleeping, polls]).toEqual([1, { a: 1, b: 1 }]);

  leaveA();
  await clock.advance(1_000);
  expect([clock.sleeping, polls]).toEqual([1, { a: 1, b: 2 }]);

  leaveB();
  leaveB();
  await clock.advance(1_000);
  expect([clock.sleeping, polls]).toEqual([0, { a: 1, b: 2 }]);

  const leaveAgain = tended("a");
  await clock.advance(1_000);
  leaveAgain();
  expect(polls).toEqual({ a: 2, b: 2 });
});

test("a run whose look hangs holds back no other, and is not looked after twice at once", async () => {
  const clock = new ManualClock();
  let [hung, other] = [0, 0];
  const leave = [
    tend({ store, clock, log, runId: "a", epoch: 1 }, () => ((hung += 1), new Promise(nothing))),
    tend({ store, clock, log, runId: "b", epoch: 1 }, async () => void (other += 1)),
  ];

  await clock.advance(3_000);

  expect([hung, other]).toEqual([1, 3]);
  leave.forEach((end) => end());
});
