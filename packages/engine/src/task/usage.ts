/** Tokens an agent used, from whatever shape it reports them in, and their sum.
 *  U1. Numbers that are missing, negative, fractional or not numbers count as 0; a report without any tokens is no report. */
import { lazily } from "@smooth/protocol/lazily";
import { z } from "zod";
import { peek, peekText } from "./peek.ts";

const tokens = lazily(() => z.int().nonnegative());

export const TokenUsage = lazily(() =>
  z.object({
    model: z.string().max(200).nullable(),
    /** Cached ones included. */
    inputTokens: tokens(),
    /** Reasoning included. */
    outputTokens: tokens(),
    cacheReadTokens: tokens(),
    cacheWriteTokens: tokens(),
    reasoningTokens: tokens(),
    /** null: the agent did not say, which is not the same as free. */
    costUsd: z.number().nonnegative().nullable(),
  }),
);
export type TokenUsage = z.infer<ReturnType<typeof TokenUsage>>;

/** What agents may report: the AI SDK's `usage`, or its flat older form. */
export interface ReportedUsage {
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly cachedInputTokens?: number | undefined;
  readonly reasoningTokens?: number | undefined;
  readonly inputTokenDetails?:
    | { readonly cacheReadTokens?: number | undefined; readonly cacheWriteTokens?: number | undefined }
    | undefined;
  readonly outputTokenDetails?: { readonly reasoningTokens?: number | undefined } | undefined;
  readonly costUsd?: number | undefined;
  readonly model?: string | undefined;
}

/** U1. From the result of `generate`, or from an error that carries usage. */
export function usageOf(result: unknown): TokenUsage | null {
  const usage = readUsage(peek(result, "totalUsage") ?? peek(result, "usage"));
  if (!usage) return null;
  const response = peek(result, "response");
  return {
    ...usage,
    model: usage.model ?? clip(peekText(response, "modelId") ?? peekText(result, "modelId")),
    costUsd: usage.costUsd ?? amount(peek(result, "costUsd")),
  };
}

export function readUsage(usage: unknown): TokenUsage | null {
  const input = peek(usage, "inputTokenDetails");
  const read = {
    inputTokens: count(peek(usage, "inputTokens")),
    outputTokens: count(peek(usage, "outputTokens")),
    cacheReadTokens: count(peek(input, "cacheReadTokens") ?? peek(usage, "cachedInputTokens")),
    cacheWriteTokens: count(peek(input, "cacheWriteTokens")),
    reasoningTokens: count(
      peek(peek(usage, "outputTokenDetails"), "reasoningTokens") ?? peek(usage, "reasoningTokens"),
    ),
  };
  if (Object.values(read).every((number) => number === 0)) return null;
  return { ...read, model: clip(peekText(usage, "model")), costUsd: amount(peek(usage, "costUsd")) };
}

const count = (value: unknown): number =>
  Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0;
const amount = (value: unknown): number | null =>
  typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
const clip = (text: string | null): string | null => text?.slice(0, 200) ?? null;

export type UsageTotals = Readonly<Omit<TokenUsage, "model">>;

export const NO_USAGE: UsageTotals = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadTokens: 0,
  cacheWriteTokens: 0,
  reasoningTokens: 0,
  costUsd: null,
};

export const addUsage = (b: UsageTotals, a: UsageTotals = NO_USAGE): UsageTotals => ({
  inputTokens: a.inputTokens + b.inputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
  cacheWriteTokens: a.cacheWriteTokens + b.cacheWriteTokens,
  reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  costUsd: a.costUsd === null && b.costUsd === null ? null : (a.costUsd ?? 0) + (b.costUsd ?? 0),
});
