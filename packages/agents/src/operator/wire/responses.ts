import type { ChatMessage } from "@smooth/protocol/operator";
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
  textOf,
  type AnswerReader,
  type Loose,
  type PartialCall,
  type Wire,
} from "./wire.ts";

/** OpenAI responses. Nothing is stored at the provider: each request carries the whole conversation. */
export const responsesWire: Wire = {
  path: "/responses",
  headers: (token) => ({ authorization: `Bearer ${token}` }),
  body(model, { messages, tools }) {
    const instructions = messages.flatMap((message) => (message.role === "system" ? [message.content] : []));
    return JSON.stringify({
      model,
      stream: true,
      store: false,
      ...(instructions.length === 0 ? {} : { instructions: instructions.join("\n\n") }),
      input: messages.flatMap(itemsOf),
      ...(tools.length === 0 ? {} : { tools: tools.map(toolToWire) }),
    });
  },
  reader: (model) => new ResponsesReader(model),
};

const toolToWire = ({ function: { name, description, parameters } }: ToolSchema): unknown => ({
  type: "function",
  name,
  description,
  parameters,
  strict: false,
});

function itemsOf(message: ChatMessage): readonly unknown[] {
  switch (message.role) {
    case "system":
      return [];
    case "user":
      return [{ role: "user", content: [{ type: "input_text", text: message.content }] }];
    case "tool":
      return [{ type: "function_call_output", call_id: message.callId, output: message.content }];
    case "assistant":
      return [
        ...(message.content === ""
          ? []
          : [{ role: "assistant", content: [{ type: "output_text", text: message.content }] }]),
        ...message.toolCalls.map(({ id, name, args }) => ({
          type: "function_call",
          call_id: id,
          name,
          arguments: JSON.stringify(argsObject(args)),
        })),
      ];
  }
}

class ResponsesReader implements AnswerReader {
  readonly #calls = new Map<number, PartialCall>();
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
    const event = parseLoose(data);
    if (event === null) return "";
    if (event["object"] === "response") return this.#end(event);
    switch (event["type"]) {
      case "response.output_text.delta":
        return this.#say(textIn(event["delta"]));
      case "response.refusal.delta":
        this.#refused = (this.#refused ?? "") + textIn(event["delta"]);
        return "";
      case "response.output_item.added":
      case "response.output_item.done":
        this.#item(indexOf(event), loose(event["item"]));
        return "";
      case "response.function_call_arguments.delta": {
        const call = this.#calls.get(indexOf(event));
        if (call) call.args += textIn(event["delta"]);
        return "";
      }
      case "response.completed":
      case "response.incomplete":
      case "response.failed":
        return this.#end(loose(event["response"]) ?? {});
      case "error":
        this.#error ??= errorText(event["error"] ?? event);
        return "";
      default:
        return "";
    }
  }

  answer(): ModelAnswer {
    return answerOf({
      text: this.#text,
      calls: [...this.#calls.values()],
      model: this.#model,
      usage: this.#usage,
      finished: this.#finished,
      refused: this.#refused,
      error: this.#error,
    });
  }

  /** A finished item carries all of its arguments; the pieces may have been lost or never sent. */
  #item(index: number, item: Loose | null): void {
    if (item?.["type"] !== "function_call") return;
    const call = this.#calls.get(index) ?? { id: "", name: "", args: "" };
    const args = textIn(item["arguments"]);
    this.#calls.set(index, {
      id: textIn(item["call_id"]) || call.id,
      name: textIn(item["name"]) || call.name,
      args: args === "" ? call.args : args,
    });
  }

  /** What the deltas did not bring is in the whole. */
  #end(response: Loose): string {
    this.#finished = true;
    if (textIn(response["model"]) !== "") this.#model = textIn(response["model"]);
    if (response["error"] !== undefined && response["error"] !== null) this.#error ??= errorText(response["error"]);
    const usage = loose(response["usage"]);
    if (usage) this.#usage = { inputTokens: count(usage["input_tokens"]), outputTokens: count(usage["output_tokens"]) };
    if (loose(response["incomplete_details"])?.["reason"] === "content_filter") this.#refused ??= "content_filter";
    const items = listOf(response["output"]);
    items.forEach((item, index) => this.#item(index, item));
    const parts = items.filter(({ type }) => type === "message").flatMap(({ content }) => listOf(content));
    const refusal = parts.map((part) => textIn(part["refusal"])).join("");
    if (refusal !== "") this.#refused ??= refusal;
    return this.#text === "" ? this.#say(textOf(parts)) : "";
  }

  #say(text: string): string {
    this.#text += text;
    return text;
  }
}

const indexOf = (event: Loose): number => (typeof event["output_index"] === "number" ? event["output_index"] : 0);
