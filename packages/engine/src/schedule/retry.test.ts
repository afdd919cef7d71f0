import { expect, test } from "vitest";
import { DEFAULT_RETRY, nextDelayMs, type RetryPolicy } from "./retry.ts";

const delays = (policy: RetryPolicy, random = () => 1) =>
  [1, 2, 3, 4].map((round) => nextDelayMs(policy, round, random));

test("by default a task is tried for ever: exponentially from one second, capped at five minutes, with full jitter", () => {
  expect(DEFAULT_RETRY.retries).toBe(Infinity);
  expect(delays(DEFAULT_RETRY)).toEqual([1_000, 2_000, 4_000, 8_000]);
  expect(nextDelayMs(DEFAULT_RETRY, 60, () => 1)).toBe(300_000);
  expect(delays(DEFAULT_RETRY, () => 0)).toEqual([0, 0, 0, 0]);
  expect(delays(DEFAULT_RETRY, () => 0.25)).toEqual([250, 500, 1_000, 2_000]);
});

test("fixed, linear and exponential policies", () => {
  const own = { ...DEFAULT_RETRY, initialDelayMs: 10, maxDelayMs: 35, jitter: false };

  expect(delays({ ...own, backoff: "fixed" })).toEqual([10, 10, 10, 10]);
  expect(delays({ ...own, backoff: "linear" })).toEqual([10, 20, 30, 35]);
  expect(delays({ ...own, backoff: "exponential", multiplier: 3 })).toEqual([10, 30, 35, 35]);
});

test("no delay stays none, however often it grows", () => {
  expect(nextDelayMs({ ...DEFAULT_RETRY, initialDelayMs: 0 }, 2_000, () => 1)).toBe(0);
});
