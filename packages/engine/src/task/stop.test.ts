import { expect, test } from "vitest";
import { Stop, stoppedBy } from "./stop.ts";

test("whoever asks for the signal before or after the stop sees it aborted, with the first reason", () => {
  const [early, late] = [new Stop(), new Stop()];
  const { signal } = early;
  expect([signal.aborted, early.aborted]).toEqual([false, false]);

  for (const stop of [early, late]) {
    stop.abort("first");
    stop.abort("second");
  }

  expect([signal.aborted, signal.reason, early.signal === signal]).toEqual([true, "first", true]);
  expect([late.aborted, late.signal.aborted, late.signal.reason]).toEqual([true, true, "first"]);
});

test("what a body is handed carries its signal like any other property: spread, picked out and inherited it is the same", () => {
  const stop = new Stop();
  const given = stoppedBy(stop, { runId: "r" });
  const { signal, ...rest } = { ...given };
  const derived = Object.create(given) as typeof given;

  stop.abort("enough");

  expect(Object.keys(given)).toEqual(["runId", "signal"]);
  expect([given.signal, derived.signal]).toEqual([signal, signal]);
  expect(signal.reason).toBe("enough");
  expect(rest.runId).toBe("r");
});
