import { describe, expect, test } from "vitest";
import { readAnswer } from "./agent-output.ts";

const valueOf = (result: unknown): unknown => {
  const answer = readAnswer(result);
  return answer.kind === "value" ? answer.value : answer.kind;
};

describe("what an agent said becomes a value", () => {
  test.each<[string, unknown, unknown]>([
    ["native structured output wins over the text", { output: { n: 1 }, text: '{"n":2}' }, { n: 1 }],
    ["the whole text as JSON", '{"n":1}', { n: 1 }],
    ["the last json fence, not the first", 'a\n```json\n{"n":1}\n```\nno:\n```json\n{"n":2}\n```', { n: 2 }],
    ["a fence before what stands behind it", '```json\n{"n":1}\n```\nas in {"n":2}', { n: 1 }],
    ["the last balanced object or array", 'first {"n":1} then [{"n":2}] and }', [{ n: 2 }]],
    ["braces in strings are text", 'so: {"text":"} {"}', { text: "} {" }],
    ["a fence without an end is no fence", '```json\n{"n":1}', { n: 1 }],
    ["half an object is none", 'so: {"n":', "no-json"],
    ["a number alone is none", "7", "no-json"],
  ])("%s", (_, said, value) => {
    expect(valueOf(said)).toEqual(value);
  });
});
