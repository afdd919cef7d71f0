import type { ChatMessage, ToolCall } from "@smooth/protocol/operator";
import type { ToolSchema } from "@smooth/tools/json-schema";
import type { ModelAnswer } from "../model.ts";
import {
  answerOf,
  argsObject,
  count,
  errorText,
  listOf,
  loose,
  parseLoose,
  textIn,
  type AnswerReader,
  type Loose,
  type PartialCall,
  type Wire,
} from "./wire.ts";

/** Anthropic messages.
 *  N1. Roles alternate, a call's result opens the next message of the user, and no text is empty: else the provider refuses. */
export const messagesWire: Wire = {
  path: "/messages",
  headers: (token) => ({ "x-api-key": token, "anthropic-version": "2023-06-01" }),
  body(model, { messages, tools }) {
    const system = messages.flatMap((message) => (message.role === "system" ? [message.content] : [])).join("\n\n");
    return JSON.stringify({
      model,
      stream: true,
      max_tokens: DEFAULT_MAX_TOKENS,
      ...(system === "" ? {} : { system }),
      messages: merged(messages),
      ...(tools.length === 0 ? {} : { tools: tools.map(toolToWire) }),
    });
  },
  reader: (model) => new MessagesReader(model),
};

/** The dialect demands a number. The host replaces it by the provider's `max_tokens` when there is one. */
const DEFAULT_MAX_TOKENS = 8_192;

const toolToWire = ({ function: { name, description, parameters } }: ToolSchema): unknown => ({
  name,
  description,
  input_schema: parameters,
});

interface WireMessage {
  readonly role: "user" | "assistant";
  readonly content: readonly unknown[];
}

/** N1 */
function merged(messages: readonly ChatMessage[]): readonly WireMessage[] {
  const said: WireMessage[] = [];
  for (const message of messages) {
    const content = blocksOf(message);
    if (content.length === 0) continue;
    const role = message.role === "assistant" ? "assistant" : "user";
    const last = said.at(-1);
    if (last?.role === role) said[said.length - 1] = { role, content: [...last.content, ...content] };
    else said.push({ role, content });
  }
  return said;
}

function blocksOf(message: ChatMessage): readonly unknown[] {
  switch (message.role) {
    case "system":
      return [];
    case "user":
      return textBlock(message.content);
    case "tool":
      return [{ type: "tool_result", tool_use_id: safeId(message.callId), content: message.content }];
    case "assistant":
      return [...textBlock(message.content), ...message.toolCalls.map(callToWire)];
  }
}

const textBlock = (text: string): readonly unknown[] => (text.trim() === "" ? [] : [{ type: "text", text }]);
const callToWire = ({ id, name, args }: ToolCall): unknown => ({
  type: "tool_use",
  id: safeId(id),
  name,
  input: argsObject(args),
});
/** Ids of other providers may hold what this one refuses. */
const safeId = (id: string): string => id.replaceAll(/[^a-zA-Z0-9_-]/g, "_");

class MessagesReader implements AnswerReader {
  readonly #calls = new Map<number, PartialCall>();
  #text = "";
  #model: string;
  #input: number | null = null;
  #output: number | null = null;
  #finished = false;
  #refused: string | null = null;
  #error: string | null = null;

  constructor(requestedModel: string) {
    this.#model = requestedModel;
  }

  take(data: string): string {
    const event = parseLoose(data);
    switch (event?.["type"]) {
      case "message_start":
        this.#head(loose(event["message"]));
        return "";
      case "content_block_start":
        return this.#block(indexOf(event), loose(event["content_block"]));
      case "content_block_delta":
        return this.#delta(indexOf(event), loose(event["delta"]));
      case "message_delta":
        this.#end(loose(event["delta"]));
        this.#usage(loose(event["usage"]));
        return "";
      case "message_stop":
        this.#finished = true;
        return "";
      case "message":
        return this.#whole(event);
      case "error":
        this.#error ??= errorText(event["error"]);
        return "";
      default:
        return "";
    }
  }

  answer(): ModelAnswer {
    return answerOf({
      text: this.#text,
      calls: [...this.#calls.values()].map((call) => ({ ...call, args: call.args === "" ? "{}" : call.args })),
      model: this.#model,
      usage:
        this.#input === null && this.#output === null
          ? null
          : { inputTokens: this.#input ?? 0, outputTokens: this.#output ?? 0 },
      finished: this.#finished,
      refused: this.#refused,
      error: this.#error,
    });
  }

  #head(message: Loose | null): void {
    if (textIn(message?.["model"]) !== "") this.#model = textIn(message?.["model"]);
    this.#usage(loose(message?.["usage"]));
  }

  #whole(message: Loose): string {
    this.#head(message);
    this.#end(message);
    this.#finished = true;
    return listOf(message["content"])
      .map((block, index) => {
        const text = this.#block(index, block);
        const call = this.#calls.get(index);
        if (call) call.args = JSON.stringify(block["input"] ?? {});
        return text;
      })
      .join("");
  }

  #block(index: number, block: Loose | null): string {
    if (block?.["type"] === "tool_use")
      this.#calls.set(index, { id: textIn(block["id"]), name: textIn(block["name"]), args: "" });
    return block?.["type"] === "text" ? this.#say(textIn(block["text"])) : "";
  }

  #delta(index: number, delta: Loose | null): string {
    const call = this.#calls.get(index);
    if (delta?.["type"] === "input_json_delta" && call) call.args += textIn(delta["partial_json"]);
    return delta?.["type"] === "text_delta" ? this.#say(textIn(delta["text"])) : "";
  }

  #say(text: string): string {
    this.#text += text;
    return text;
  }

  #end(message: Loose | null): void {
    if (message?.["stop_reason"] === "refusal") this.#refused = "refusal";
  }

  /** Tokens read from and written to a cache were sent all the same. */
  #usage(usage: Loose | null): void {
    if (!usage) return;
    if (usage["input_tokens"] !== undefined)
      this.#input =
        count(usage["input_tokens"]) +
        count(usage["cache_read_input_tokens"]) +
        count(usage["cache_creation_input_tokens"]);
    if (usage["output_tokens"] !== undefined) this.#output = count(usage["output_tokens"]);
  }
}

const indexOf = (event: Loose): number => (typeof event["index"] === "number" ? event["index"] : 0);
