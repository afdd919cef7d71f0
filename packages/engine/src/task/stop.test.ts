import { expect, test } from "vitest";
import { Stop } from "./stop.ts";

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
