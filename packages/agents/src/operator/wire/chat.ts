import type { ChatMessage, ToolCall } from "@smooth/protocol/operator";
import type { ModelAnswer } from "../model.ts";
import {
  answerOf,
  argsObject,
  count,
  errorText,
  listOf,
  loose,
  parseLoose,
  textOf,
  type AnswerReader,
  type Loose,
  type PartialCall,
  type Wire,
} from "./wire.ts";

/** OpenAI chat completions, and whoever speaks it too. */
export const chatWire: Wire = {
  path: "/chat/completions",
  headers: (token) => ({ authorization: `Bearer ${token}` }),
  body: (model, { messages, tools }) =>
    JSON.stringify({
      model,
      stream: true,
      stream_options: { include_usage: true },
      messages: messages.map(toWire),
      ...(tools.length === 0 ? {} : { tools }),
    }),
  reader: (model) => new ChatReader(model),
};

function toWire(message: ChatMessage): unknown {
  switch (message.role) {
    case "system":
    case "user":
      return message;
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

const callToWire = ({ id, name, args }: ToolCall): unknown => ({
  id,
  type: "function",
  function: { name, arguments: JSON.stringify(argsObject(args)) },
});

interface IndexedCall extends PartialCall {
  readonly index: number | null;
}

class ChatReader implements AnswerReader {
  readonly #calls: IndexedCall[] = [];
  #text = "";
  #model: string;
  #usage: { inputTokens: number; outputTokens: number } | null = null;
  #finished = false;
  #refused: string | null = null;
  #error: string | null = null;

  constructor(requestedModel: string) {
    this.#model = requestedModel;
  }

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
    const [choice] = listOf(chunk["choices"]);
    if (!choice) return "";
    if (typeof choice["finish_reason"] === "string") this.#finished = true;
    if (choice["finish_reason"] === "content_filter") this.#refused = "content_filter";
    const delta = loose(choice["delta"]) ?? loose(choice["message"]);
    for (const call of listOf(delta?.["tool_calls"])) this.#takeCall(call);
    const text = textOf(delta?.["content"]);
    this.#text += text;
    return text;
  }

  answer(): ModelAnswer {
    return answerOf({
      text: this.#text,
      calls: this.#calls,
      model: this.#model,
      usage: this.#usage,
      finished: this.#finished,
      refused: this.#refused,
      error: this.#error,
    });
  }

  #takeUsage(usage: Loose | null): void {
    if (usage)
      this.#usage = { inputTokens: count(usage["prompt_tokens"]), outputTokens: count(usage["completion_tokens"]) };
  }

  #takeCall(delta: Loose): void {
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
  #callFor(index: number | null, id: string): IndexedCall {
    const found = index === null ? this.#calls.at(-1) : this.#calls.findLast((call) => call.index === index);
    if (found && (id === "" || found.id === "" || found.id === id)) return found;
    const fresh = { index, id, name: "", args: "" };
    this.#calls.push(fresh);
    return fresh;
  }
}
