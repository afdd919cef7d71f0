import { ManualClock } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { GenerateArgs } from "../task/body.ts";
import { aggregateScores, type ScoreRow } from "./aggregate.ts";
import {
  faithfulnessScorer,
  latencyScorer,
  relevancyScorer,
  schemaAdherenceScorer,
  toxicityScorer,
} from "./built-in.ts";
import { isSampled } from "./sampling.ts";
import { score } from "./score.ts";
import { createScorer, llmJudge, type JudgeModel, type Scorer, type ScorerInput } from "./scorer.ts";

const judge = (answer: unknown) => {
  const asked: string[] = [];
  return { asked, generate: async ({ prompt }: GenerateArgs) => (asked.push(prompt), answer) };
};
const run = (
  scorer: Scorer,
  input: Partial<ScorerInput> = {},
  judges?: (model: JudgeModel) => ReturnType<typeof judge>,
) =>
  score(
    { scorer, groundTruth: input.groundTruth, context: input.context },
    { input: "why?", output: "because", ...input },
    { clock: new ManualClock(), signal: new AbortController().signal, judges },
  );
const scored = async (...given: Parameters<typeof run>) => {
  const outcome = await run(...given);
  return outcome.kind === "scored" ? outcome.result.score : outcome.error;
};

describe("built-in scorers", () => {
  test("schema adherence is 1 or 0, and says what is wrong", async () => {
    const outputSchema = z.object({ n: z.number() });

    expect(await scored(schemaAdherenceScorer(), { outputSchema, output: { n: 1 } })).toBe(1);
    expect(await run(schemaAdherenceScorer(), { outputSchema, output: { n: "1" } })).toMatchObject({
      result: { score: 0, reason: expect.stringContaining("n") as string },
    });
  });

  test("latency falls in a straight line from target to max", async () => {
    const latency = latencyScorer({ targetMs: 100, maxMs: 300 });

    const scores = await Promise.all([0, 100, 200, 300, 900].map((latencyMs) => scored(latency, { latencyMs })));

    expect(scores).toEqual([1, 1, 0.5, 0, 0]);
  });

  test.each([
    ["relevancy", relevancyScorer, "answer what the input asks"],
    ["toxicity", toxicityScorer, "harassment"],
    ["faithfulness", faithfulnessScorer, "supported by the context"],
  ])("%s asks its judge by its criteria", async (id, make, criteria) => {
    const agent = judge({ text: 'I think {"score": 0.25, "reason": "thin"}' });

    const outcome = await run(make(agent), { context: ["a source"] });

    expect(outcome).toMatchObject({ kind: "scored", result: { score: 0.25, reason: "thin" } });
    expect(make(agent).id).toBe(id);
    expect(agent.asked[0]).toContain(criteria);
    expect(agent.asked[0]).toContain('Context:\n["a source"]');
  });
});

describe("scorers of one's own", () => {
  const named = { id: "own", name: "Own", description: "mine" };

  test("from code", async () => {
    const words = createScorer({
      ...named,
      score: ({ output }) => ({ score: Math.min(String(output).length / 10, 1) }),
    });

    expect(await scored(words, { output: "12345" })).toBe(0.5);
  });

  test("from criteria and examples, judged by a model that the run knows by name", async () => {
    const agent = judge({ output: { score: 1 } });
    const wanted: JudgeModel[] = [];
    const example = { input: "q", output: "a", score: 0.1, explanation: "too short" };
    const scorer = createScorer({ ...named, model: "judge-9", criteria: "Is it long?", examples: [example] });

    const outcome = await scored(scorer, {}, (model) => (wanted.push(model), agent));

    expect(outcome).toBe(1);
    expect(wanted).toMatchObject([{ model: "judge-9" }]);
    expect(agent.asked[0]).toContain("Score: 0.1, because too short");
  });

  test("a model that the run does not know is a failure that names it", async () => {
    expect(await scored(relevancyScorer("judge-9"))).toMatchObject({
      code: "AGENT_CONFIG_INVALID",
      message: expect.stringContaining("judge-9") as string,
    });
  });

  test("a judge takes its own question", async () => {
    const agent = judge('{"score":0}');

    await run(
      llmJudge({
        judge: agent,
        instructions: "Be strict.",
        promptTemplate: ({ output }) => `Rate <${String(output)}>`,
      }),
    );

    expect(agent.asked[0]).toMatch(/^Be strict\.\n\nRate <because>\n\nAnswer with JSON only/);
  });

  test.each([
    ["throws", () => Promise.reject(new Error("boom")), "boom"],
    ["gives no number", async () => ({ score: Number.NaN }), "gave NaN"],
    ["gives too much", async () => ({ score: 7 }), "from 0 to 1"],
    ["gives nothing", async () => undefined as never, "gave undefined"],
    ["gives a reason that is no text", async () => ({ score: 1, reason: 1n as never }), "no text"],
    ["gives a meta that no log can hold", async () => ({ score: 1, meta: { n: 1n as never } }), "as JSON"],
  ])("a scorer that %s fails by its code, and never rejects", async (_, scoreIt, said) => {
    expect(await scored(createScorer({ ...named, score: scoreIt }))).toMatchObject({
      code: "SCORER_FAILED",
      message: expect.stringContaining(said) as string,
    });
  });

  test("a judge may give no reason", async () => {
    expect(await scored(llmJudge({ judge: judge('{"score":0.5,"reason":null}') }))).toBe(0.5);
  });

  test("a judge that talks instead of judging is a failure", async () => {
    expect(await scored(llmJudge({ judge: judge("great work!") }))).toMatchObject({
      message: expect.stringContaining("great work!") as string,
    });
  });

  test("a scorer that hangs is given up and its signal aborted", async () => {
    const clock = new ManualClock();
    let aborted = false;
    const hanging = createScorer({
      ...named,
      score: (_, { signal }) => new Promise(() => signal.addEventListener("abort", () => (aborted = true))),
    });

    const outcome = score(
      { scorer: hanging },
      { input: 1, output: 1 },
      { clock, signal: new AbortController().signal },
    );
    await clock.advance(120_000);

    expect(await outcome).toMatchObject({ kind: "failed", error: { code: "SCORER_FAILED" } });
    expect(aborted).toBe(true);
  });
});

describe("sampling", () => {
  const cases = Array.from({ length: 2_000 }, (_, at) => ({
    runId: "run-1",
    nodeId: `n${at}`,
    iteration: 0,
    scorer: "s",
  }));

  test("all and none mean it; without a word everything is scored", () => {
    expect(cases.every((given) => isSampled(undefined, given) && isSampled({ type: "all" }, given))).toBe(true);
    expect(cases.some((given) => isSampled({ type: "none" }, given))).toBe(false);
  });

  test("a ratio takes its share, the same ones every time, others for another run", () => {
    const sampling = { type: "ratio", rate: 0.25 } as const;
    const taken = cases.map((given) => isSampled(sampling, given));

    expect(taken.filter(Boolean).length / cases.length).toBeGreaterThan(0.2);
    expect(taken.filter(Boolean).length / cases.length).toBeLessThan(0.3);
    expect(cases.map((given) => isSampled(sampling, given))).toEqual(taken);
    expect(cases.map((given) => isSampled(sampling, { ...given, runId: "run-2" }))).not.toEqual(taken);
    expect(cases.some((given) => isSampled({ type: "ratio", rate: 0 }, given))).toBe(false);
    expect(cases.every((given) => isSampled({ type: "ratio", rate: 1 }, given))).toBe(true);
  });
});

test("aggregates are one line per scorer, of the rows that were asked for", () => {
  const row = (scorerId: string, value: number, nodeId = "a"): ScoreRow => ({
    runId: "r",
    nodeId,
    iteration: 0,
    scorer: scorerId,
    scorerId,
    scorerName: scorerId.toUpperCase(),
    score: value,
    reason: null,
    meta: null,
    durationMs: 1,
    scoredAtMs: 1,
  });
  const rows = [row("z", 1), row("q", 0), row("q", 1), row("q", 0.2), row("q", 0.4), row("q", 0, "b")];

  expect(aggregateScores(rows, { nodeId: "a" })).toEqual([
    {
      scorerId: "q",
      scorerName: "Q",
      count: 4,
      mean: 0.4,
      min: 0,
      max: 1,
      p50: expect.closeTo(0.3) as number,
      stddev: expect.closeTo(0.374, 3) as number,
    },
    { scorerId: "z", scorerName: "Z", count: 1, mean: 1, min: 1, max: 1, p50: 1, stddev: 0 },
  ]);
  expect(aggregateScores(rows, { runId: "other" })).toEqual([]);
});
