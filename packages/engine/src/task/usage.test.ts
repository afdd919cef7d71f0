import { expect, test } from "vitest";
import { addUsage, readUsage, usageOf } from "./usage.ts";

const NOTHING = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  costUsd: null,
};

test("the AI SDK's shape, its flat older form and a command line's cost are all read", () => {
  const sdk = {
    usage: {
      inputTokens: 10,
      outputTokens: 5,
      inputTokenDetails: { cacheReadTokens: 3, cacheWriteTokens: 2 },
      outputTokenDetails: { reasoningTokens: 1 },
    },
    response: { modelId: "big" },
  };

  expect(usageOf(sdk)).toEqual({
    model: "big",
    inputTokens: 10,
    outputTokens: 5,
    cacheReadTokens: 3,
    cacheWriteTokens: 2,
    reasoningTokens: 1,
    costUsd: null,
  });
  expect(usageOf({ usage: { inputTokens: 1, cachedInputTokens: 1, reasoningTokens: 4 }, costUsd: 0.5 })).toEqual({
    ...NOTHING,
    model: null,
    inputTokens: 1,
    cacheReadTokens: 1,
    reasoningTokens: 4,
    costUsd: 0.5,
  });
  expect(usageOf({ totalUsage: { inputTokens: 7 }, usage: { inputTokens: 1 } })).toMatchObject({ inputTokens: 7 });
});

test("U1: nonsense counts as 0, and nothing but nonsense is no report", () => {
  expect(readUsage({ inputTokens: -1, outputTokens: 2.5, reasoningTokens: 3 })).toMatchObject({
    inputTokens: 0,
    outputTokens: 0,
    reasoningTokens: 3,
  });
  for (const usage of [
    undefined,
    null,
    "many",
    {},
    { inputTokens: NaN },
    { inputTokens: "5" },
    { inputTokens: Infinity },
  ])
    expect(readUsage(usage)).toBeNull();
});

test("an unpriced part leaves the price of the others", () => {
  const one = { ...NOTHING, inputTokens: 1 };

  expect(addUsage(one, one)).toEqual({ ...NOTHING, inputTokens: 2 });
  expect(addUsage({ ...one, costUsd: 0.25 }, one)).toMatchObject({ costUsd: 0.25 });
});
