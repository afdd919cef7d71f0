/** What a scorer is, and the two ways to make one: from code, or from a judge that reads the output.
 *  A score is a number from 0 (bad) to 1 (good). A scorer may throw: its failure is recorded and its task is not touched. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import { legible, type JsonValue } from "../outputs/json.ts";
import { askAside } from "../task/ask-aside.ts";
import type { AgentLike } from "../task/body.ts";

export interface ScoreResult {
  readonly score: number;
  readonly reason?: string | undefined;
  readonly meta?: Readonly<Record<string, JsonValue>> | undefined;
}

export interface ScorerInput {
  /** The prompt of an agent task; the `deps` of a computed one. */
  readonly input: unknown;
  readonly output: unknown;
  /** What the output should have been, when the binding says it. */
  readonly groundTruth?: unknown;
  /** What the output may rest on, when the binding says it. */
  readonly context?: unknown;
  readonly latencyMs?: number | undefined;
  readonly outputSchema?: z.ZodObject | undefined;
}

/** A model to judge with, by name: the run knows which agent that is. */
export interface JudgeModel {
  readonly model: string;
  readonly temperature?: number | undefined;
  readonly maxTokens?: number | undefined;
}

export interface ScorerContext {
  readonly signal: AbortSignal;
  /** Throws AGENT_CONFIG_INVALID when the run knows no agent for the model. */
  judge(model: JudgeModel): AgentLike;
}

export type ScorerFn = (input: ScorerInput, context: ScorerContext) => Promise<ScoreResult> | ScoreResult;

export interface Scorer {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly score: ScorerFn;
}

export type SamplingConfig =
  | { readonly type: "all" }
  | { readonly type: "ratio"; readonly rate: number }
  | { readonly type: "none" };

export interface ScorerBinding {
  readonly scorer: Scorer;
  /** Default: all. */
  readonly sampling?: SamplingConfig | undefined;
  readonly groundTruth?: unknown;
  readonly context?: unknown;
}
export type ScorersMap = Readonly<Record<string, ScorerBinding>>;

type Named = Pick<Scorer, "id" | "name" | "description">;

export interface ScorerExample {
  readonly input: unknown;
  readonly output: unknown;
  readonly score: number;
  readonly explanation: string;
}

export type CreateScorerConfig = Named &
  (
    | { readonly score: ScorerFn }
    | { readonly model: string | AgentLike; readonly criteria: string; readonly examples?: readonly ScorerExample[] }
  );

export function createScorer(config: CreateScorerConfig): Scorer {
  const { id, name, description } = config;
  if ("score" in config) return { id, name, description, score: config.score };
  const { model, criteria, examples = [] } = config;
  const shown = examples.map(
    (example) =>
      `Example. Input: ${shownAs(example.input)}\nOutput: ${shownAs(example.output)}\nScore: ${example.score}, because ${example.explanation}`,
  );
  const systemPrompt = [`Judge the output by this: ${criteria}`, ...shown].join("\n\n");
  return llmJudge({
    id,
    name,
    description,
    systemPrompt,
    ...(typeof model === "string" ? { model } : { judge: model }),
  });
}

export type LlmJudgeConfig = Partial<Named> & {
  /** What to judge by; `instructions` is its other name. */
  readonly systemPrompt?: string;
  readonly instructions?: string;
  /** The question itself; default: the input, the output and what they are compared with. */
  readonly promptTemplate?: (input: ScorerInput) => string;
} & ({ readonly judge: AgentLike } | JudgeModel);

const Verdict = z.object({ score: z.number(), reason: z.string().nullish() });

/** A scorer that asks an agent. The agent answers `{ "score": 0…1, "reason": "…" }`. */
export function llmJudge(config: LlmJudgeConfig): Scorer {
  const {
    id = "llm-judge",
    name = "LLM judge",
    description = "An agent judges the output.",
    promptTemplate = asked,
  } = config;
  const rules = config.systemPrompt ?? config.instructions ?? "Judge how well the output answers the input.";
  return {
    id,
    name,
    description,
    async score(input, context) {
      const agent = "judge" in config ? config.judge : context.judge(config);
      const prompt = `${rules}\n\n${promptTemplate(input)}\n\nAnswer with JSON only: {"score": <0 to 1>, "reason": "<one sentence>"}`;
      const answer = await askAside(agent, {
        prompt,
        signal: context.signal,
        about: `scorer:${id}`,
        outputSchema: Verdict,
      });
      const verdict = Verdict.safeParse(answer.kind === "value" ? answer.value : undefined);
      if (verdict.success) return { score: verdict.data.score, reason: verdict.data.reason ?? undefined };
      throw new SmoothError(
        "SCORER_FAILED",
        `the judge of ${id} gave no score but ${JSON.stringify(answer.text.slice(0, 200))}`,
      );
    },
  };
}

function asked({ input, output, groundTruth, context }: ScorerInput): string {
  const parts = { Input: input, Output: output, "Expected output": groundTruth, Context: context };
  return Object.entries(parts)
    .flatMap(([title, value]) => (value === undefined ? [] : [`${title}:\n${shownAs(value)}`]))
    .join("\n\n");
}

const shownAs = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(legible(value)));
