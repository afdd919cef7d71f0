import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, parseDuration } from "../src/duration.mjs";

test("parses every unit", () => {
  assert.equal(parseDuration("45s"), 45_000);
  assert.equal(parseDuration("1h30m"), 5_400_000);
  assert.equal(parseDuration("2d"), 172_800_000);
});

test("refuses what is not a duration", () => {
  for (const text of ["", "h", "1x", "30m1h", "-1s"]) assert.throws(() => parseDuration(text), RangeError);
});

test("formats the largest unit first and leaves zeros out", () => {
  assert.equal(formatDuration(5_400_000), "1h30m");
  assert.equal(formatDuration(86_401_000), "1d1s");
  assert.equal(formatDuration(0), "0s");
});

test("rounds part seconds", () => {
  assert.equal(formatDuration(1_500), "2s");
  assert.equal(formatDuration(1_499), "1s");
  assert.equal(formatDuration(59_600), "1m");
});

test("what it formats, it parses", () => {
  for (const ms of [1_000, 61_000, 3_661_000, 90_061_000]) assert.equal(parseDuration(formatDuration(ms)), ms);
});
