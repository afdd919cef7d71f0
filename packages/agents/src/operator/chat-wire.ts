import type { ChatMessage, ToolCall } from "@smooth/protocol/operator";
import type { ModelAnswer, ModelRequest } from "./model.ts";

/** The OpenAI chat-completions dialect, both ways, as data.
 *  W1. Whatever a provider sends is read leniently: missing ids, missing indexes, objects where text belongs, unknown fields.
 *  W2. A stream that ends before the model said it had finished is a failure that may pass, never half an answer. */

export function chatBody(model: string, { messages, tools }: Pick<ModelRequest, "messages" | "tools">): string {
  return JSON.stringify({
    model,
    stream: true,
    stream_options: { include_usage: true },
    messages: messages.map(toWire),
    ...(tools.length === 0 ? {} : { tools }),
  });
}

function toWire(message: ChatMessage): unknown {
  switch (message.role) {
    case "system":
    case "user":
      return { role: message.role, content: message.content };
    case "tool":
      return { role: "tool", tool_call_id: message.callId, content: message.content };
    case "assistant":
      return {
        role: "assistant",
        content: message.content,
        ...(message.toolCalls.length === 0 ? {} : { tool_calls: message.toolCalls.map(callToWire) }),
      };
  }
}

/** Providers refuse a history with broken JSON in it; the tool's result already told the model. */
const callToWire = ({ id, name, args }: ToolCall): unknown => ({
  id,
  type: "function",
  function: { name, arguments: isJsonObject(args) ? args : "{}" },
});

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value);
  } catch {
    return false;
  }
}

type Loose = Readonly<Record<string, unknown>>;
interface PartialCall {
  readonly index: number | null;
  id: string;
  name: string;
  args: string;
}

const MAX_ARGS_CHARS = 1_000_000;

/** Folds chunks (or one whole answer) into a ModelAnswer. */
export class AnswerBuilder {
  readonly #calls: PartialCall[] = [];
  readonly #requested: string;
  #text = "";
  #model: string | null = null;
  #usage: { inputTokens: number; outputTokens: number } | null = null;
  #finished = false;
  #error: string | null = null;

  constructor(requestedModel: string) {
    this.#requested = requestedModel;
  }

  /** Takes one `data:` payload; gives the new text in it. */
  take(data: string): string {
    if (data === "[DONE]") {
      this.#finished = true;
      return "";
    }
    const chunk = parseLoose(data);
    if (chunk === null) return "";
    if (chunk["error"] !== undefined && chunk["error"] !== null) this.#error ??= errorText(chunk["error"]);
    if (typeof chunk["model"] === "string" && chunk["model"] !== "") this.#model = chunk["model"];
    this.#takeUsage(loose(chunk["usage"]));
    const choice = loose(Array.isArray(chunk["choices"]) ? (chunk["choices"] as unknown[])[0] : null);
    if (!choice) return "";
    if (typeof choice["finish_reason"] === "string") this.#finished = true;
    const delta = loose(choice["delta"]) ?? loose(choice["message"]);
    for (const call of Array.isArray(delta?.["tool_calls"]) ? delta["tool_calls"] : []) this.#takeCall(loose(call));
    const text = textOf(delta?.["content"]);
    this.#text += text;
    return text;
  }

  answer(): ModelAnswer {
    if (this.#error !== null) return mayPass(`the provider said: ${this.#error}`);
    if (!this.#finished) return mayPass("the provider's answer was cut off"); // W2
    const toolCalls = this.#calls.map(({ id, name, args }) => ({
      id,
      name: name.slice(0, 100),
      args: args.slice(0, MAX_ARGS_CHARS),
    }));
    return { kind: "answer", text: this.#text, toolCalls, model: this.#model ?? this.#requested, usage: this.#usage };
  }

  #takeUsage(usage: Loose | null): void {
    if (usage)
      this.#usage = { inputTokens: count(usage["prompt_tokens"]), outputTokens: count(usage["completion_tokens"]) };
  }

  #takeCall(delta: Loose | null): void {
    if (!delta) return;
    const index = typeof delta["index"] === "number" ? delta["index"] : null;
    const id = typeof delta["id"] === "string" ? delta["id"] : "";
    const spoken = loose(delta["function"]) ?? {};
    const call = this.#callFor(index, id);
    if (call.id === "") call.id = id;
    if (call.name === "" && typeof spoken["name"] === "string") call.name = spoken["name"];
    const args = spoken["arguments"];
    if (typeof args === "string") call.args += args;
    else if (args !== undefined && args !== null) call.args += JSON.stringify(args);
  }

  /** The call a piece belongs to: the same index, unless a new id says that another call has begun (W1). */
  #callFor(index: number | null, id: string): PartialCall {
    const found = index === null ? this.#calls.at(-1) : this.#calls.findLast((call) => call.index === index);
    if (found && (id === "" || found.id === "" || found.id === id)) return found;
    const fresh = { index, id, name: "", args: "" };
    this.#calls.push(fresh);
    return fresh;
  }
}

export const mayPass = (message: string, afterMs: number | null = null): ModelAnswer => ({
  kind: "failed",
  code: "PROVIDER_FAILED",
  message,
  retry: { afterMs },
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

const loose = (value: unknown): Loose | null => (value !== null && typeof value === "object" ? (value as Loose) : null);
const count = (value: unknown): number => (typeof value === "number" && value >= 0 ? Math.trunc(value) : 0);

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part: unknown) => loose(part)?.["text"])
    .filter((text) => typeof text === "string")
    .join("");
}

function errorText(error: unknown): string {
  const message = loose(error)?.["message"];
  return (typeof message === "string" ? message : JSON.stringify(error)).slice(0, 2_000);
}

function parseLoose(data: string): Loose | null {
  try {
    return loose(JSON.parse(data));
  } catch {
    return null;
  }
}
