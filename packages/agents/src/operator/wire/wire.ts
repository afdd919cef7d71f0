import type { ModelAnswer, ModelRequest } from "../model.ts";

/** A provider's dialect as data: what is sent, and how what comes back is folded into one answer.
 *  W1. Whatever a provider sends is read leniently: missing ids, missing indexes, objects where text belongs, unknown fields.
 *  W2. A stream that ends before the model said it had finished is a failure that may pass, never half an answer.
 *  W3. An answer has an end: what is longer than MAX_ANSWER_CHARS is given up. */

export interface Wire {
  /** Below the base URL: `/chat/completions`. */
  readonly path: string;
  headers(token: string): Readonly<Record<string, string>>;
  body(model: string, request: Pick<ModelRequest, "messages" | "tools">): string;
  reader(model: string): AnswerReader;
}

export interface AnswerReader {
  /** Takes one `data:` payload, or one whole answer; gives the new text in it. */
  take(data: string): string;
  answer(): ModelAnswer;
}

export const MAX_ANSWER_CHARS = 20_000_000;
const MAX_ARGS_CHARS = 1_000_000;

export const mayPass = (message: string, afterMs: number | null = null): ModelAnswer => ({
  kind: "failed",
  code: "PROVIDER_FAILED",
  message,
  retry: { afterMs },
});

export const final = (message: string): ModelAnswer => ({
  kind: "failed",
  code: "PROVIDER_FAILED",
  message,
  retry: null,
});

/** What an HTTP status other than 200 means. */
export function refusal(status: number, body: string, retryAfter: string | undefined): ModelAnswer {
  const message = `the model endpoint answered ${status}: ${body.slice(0, 2_000)}`;
  if (status === 429) return { kind: "failed", code: "RATE_LIMITED", message, retry: { afterMs: afterMs(retryAfter) } };
  if (status >= 500 || status === 408 || status === 425) return mayPass(message, afterMs(retryAfter));
  return { kind: "failed", code: status === 403 ? "POLICY_DENIED" : "PROVIDER_FAILED", message, retry: null };
}

function afterMs(header: string | undefined): number | null {
  const seconds = Number(header);
  return header === undefined || !Number.isFinite(seconds) || seconds < 0 ? null : seconds * 1_000;
}

export interface PartialCall {
  id: string;
  name: string;
  args: string;
}

/** What every reader ends with. */
export interface Heard {
  readonly text: string;
  readonly calls: readonly PartialCall[];
  readonly model: string;
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number } | null;
  readonly finished: boolean;
  /** Why the model would not answer, when it said so. */
  readonly refused: string | null;
  readonly error: string | null;
}

export function answerOf({ text, calls, model, usage, finished, refused, error }: Heard): ModelAnswer {
  if (error !== null) return mayPass(`the provider said: ${error}`);
  if (!finished) return mayPass("the provider's answer was cut off"); // W2
  if (refused !== null && text === "" && calls.length === 0) return final(`the model refused to answer: ${refused}`);
  const toolCalls = calls.map(({ id, name, args }) => ({
    id,
    name: name.slice(0, 100),
    args: args.slice(0, MAX_ARGS_CHARS),
  }));
  return { kind: "answer", text, toolCalls, model, usage };
}

export type Loose = Readonly<Record<string, unknown>>;

export const loose = (value: unknown): Loose | null =>
  value !== null && typeof value === "object" ? (value as Loose) : null;
export const listOf = (value: unknown): Loose[] =>
  Array.isArray(value) ? value.map(loose).filter((one) => one !== null) : [];
export const textIn = (value: unknown): string => (typeof value === "string" ? value : "");
export const count = (value: unknown): number => (typeof value === "number" && value >= 0 ? Math.trunc(value) : 0);

export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return listOf(content)
    .map(({ text }) => textIn(text))
    .join("");
}

export function errorText(error: unknown): string {
  const message = loose(error)?.["message"];
  return (typeof message === "string" ? message : JSON.stringify(error)).slice(0, 2_000);
}

export function parseLoose(data: string): Loose | null {
  try {
    return loose(JSON.parse(data));
  } catch {
    return null;
  }
}

/** Providers refuse a history with broken JSON in it; the tool's result already told the model. */
export function argsObject(args: string): Loose {
  const value = parseLoose(args);
  return value === null || Array.isArray(value) ? {} : value;
}
