import { expect, test } from "vitest";
import { parseDurationMs } from "./duration.ts";

test.each([
  ["250ms", 250],
  ["30s", 30_000],
  ["1.5h", 5_400_000],
  ["1d 12h", 129_600_000],
  ["2w", 1_209_600_000],
  ["0s", 0],
])("%s is %i ms", (text, ms) => expect(parseDurationMs(text)).toBe(ms));

test.each(["", "5", "h", "-1s", "1y", "1h!", "1 h x"])("%j is no duration", (text) =>
  expect(parseDurationMs(text)).toBeUndefined(),
);
