import { afterEach, expect, test, vi } from "vitest";
import { systemClock, systemIds, systemRandom } from "./system.node.ts";

afterEach(() => void vi.useRealTimers());

test("a sleep longer than 24.8 days is armed again, and aborting ends it", async () => {
  vi.useFakeTimers();
  const day = 86_400_000;
  let awake = false;
  void systemClock.sleep(60 * day).then(() => (awake = true));
  const abort = new AbortController();
  const aborted = systemClock.sleep(60 * day, abort.signal).catch((reason: unknown) => reason);

  await vi.advanceTimersByTimeAsync(60 * day - 1);
  expect(awake).toBe(false);
  abort.abort("enough");
  await vi.advanceTimersByTimeAsync(1);

  expect(awake).toBe(true);
  expect(await aborted).toBe("enough");
});

test("no two ids are the same, however many are made in one millisecond", () => {
  const ids = Array.from({ length: 2_000 }, () => systemIds.next("run"));

  expect(new Set(ids).size).toBe(2_000);
  expect(ids.every((id) => /^run-[0-9a-hjkmnp-tv-z]{20}$/.test(id))).toBe(true);
  expect(new Set(Array.from({ length: 200 }, systemRandom)).size).toBe(200);
});
