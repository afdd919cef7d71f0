import type { Turn } from "../persona.ts";
import {
  DEMO_MODEL,
  listOf,
  looseOf,
  parseObject,
  piecesOf,
  textOf,
  wordsOf,
  type Dialect,
  type Sent,
  type StreamEvent,
} from "./dialect.ts";

/** OpenAI chat completions. */
export const chat: Dialect = {
  path: "/v1/chat/completions",
  historyOf(body) {
    const messages = listOf(looseOf(body)["messages"]);
    const results = new Map(
      messages
        .filter(({ role }) => role === "tool")
        .map((message) => [String(message["tool_call_id"]), textOf(message["content"])]),
    );
    const assistants = messages.filter(({ role }) => role === "assistant");
    return {
      asked: messages.filter(({ role }) => role === "user").map(({ content }) => textOf(content)),
      calls: assistants
        .flatMap((message) => listOf(message["tool_calls"]))
        .map((call) => ({
          name: String(looseOf(call["function"])["name"]),
          args: parseObject(looseOf(call["function"])["arguments"]),
          result: results.get(String(call["id"])) ?? null,
        })),
      tools: new Set(listOf(looseOf(body)["tools"]).map((tool) => String(looseOf(tool["function"])["name"]))),
      turns: assistants.length,
    };
  },
  complaint: () => null,
  whole({ id, turn, ...sent }) {
    const tool_calls = turn.calls.map(({ name, args }, index) => ({
      id: callId(id, index),
      type: "function",
      function: { name, arguments: JSON.stringify(args) },
    }));
    const message = { role: "assistant", content: turn.text, ...(tool_calls.length === 0 ? {} : { tool_calls }) };
    const choices = [{ index: 0, message, finish_reason: reasonOf(turn) }];
    return { ...head(id, "chat.completion"), choices, usage: usageOf(sent) };
  },
  stream: ({ id, turn, spoilt, ...sent }) => [
    chunk(id, { role: "assistant", content: "" }),
    ...wordsOf(turn.text).map((content) => chunk(id, { content })),
    ...turn.calls.flatMap(({ name, args }, index) => [
      chunk(id, {
        tool_calls: [{ index, id: callId(id, index), type: "function", function: { name, arguments: "" } }],
      }),
      ...piecesOf(args, spoilt && index === 0).map((part) =>
        chunk(id, { tool_calls: [{ index, function: { arguments: part } }] }),
      ),
    ]),
    chunk(id, {}, reasonOf(turn)),
    event({ ...head(id, "chat.completion.chunk"), choices: [], usage: usageOf(sent) }),
    { data: "[DONE]" },
  ],
  error: (_status, message) => ({ error: { message, type: "demo", code: null } }),
};

const event = (value: unknown): StreamEvent => ({ data: JSON.stringify(value) });
const chunk = (id: string, delta: unknown, finish_reason: string | null = null): StreamEvent =>
  event({ ...head(id, "chat.completion.chunk"), choices: [{ index: 0, delta, finish_reason }] });
const head = (id: string, object: string): Record<string, unknown> => ({
  id: `chatcmpl-${id}`,
  object,
  created: 0,
  model: DEMO_MODEL,
  system_fingerprint: "DEMO",
});
const callId = (id: string, index: number): string => `call_${id}_${index}`;
const reasonOf = (turn: Turn): string => (turn.calls.length === 0 ? "stop" : "tool_calls");
const usageOf = ({ inputTokens, outputTokens }: Pick<Sent, "inputTokens" | "outputTokens">): unknown => ({
  prompt_tokens: inputTokens,
  completion_tokens: outputTokens,
  total_tokens: inputTokens + outputTokens,
});
