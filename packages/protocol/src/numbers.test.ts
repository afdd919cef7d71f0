import { expect, test } from "vitest";
import { checkCount, checkNumber } from "./numbers.ts";

test.each([-1, 0, Number.NaN, 1.5, Infinity, "7" as unknown as number])("a count of %s is refused by name", (value) => {
  expect(() => checkCount("topK", value)).toThrow(`topK must be a whole number ≥ 1, not ${value}`);
});

test("what is allowed passes, and nothing given is the default", () => {
  checkCount("topK", 1);
  checkCount("topK", undefined);
  checkNumber("maxAgeMs", 0.5, { least: 0 });
  checkNumber("maxAgeMs", Infinity, { least: 0, orInfinity: true });
  expect(() => checkNumber("maxAgeMs", Number.NaN, { least: 0, orInfinity: true })).toThrow(
    "maxAgeMs must be a number ≥ 0, or Infinity, not NaN",
  );
});
