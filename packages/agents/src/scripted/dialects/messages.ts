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
  type Loose,
  type Sent,
  type StreamEvent,
} from "./dialect.ts";

/** Anthropic messages. Refuses what the real one refuses: no max_tokens, empty texts, results nobody asked for. */
export const messages: Dialect = {
  path: "/v1/messages",
  historyOf(body) {
    const said = listOf(looseOf(body)["messages"]);
    const results = new Map(
      said
        .flatMap(blocksOf)
        .filter(({ type }) => type === "tool_result")
        .map((block) => [String(block["tool_use_id"]), textOf(block["content"])]),
    );
    const users = said.filter(({ role }) => role === "user");
    return {
      asked: users.map((message) => textOf(blocksOf(message).filter(({ type }) => type === "text"))).filter(Boolean),
      calls: said
        .flatMap(blocksOf)
        .filter(({ type }) => type === "tool_use")
        .map(({ id, name, input }) => ({
          name: String(name),
          args: parseObject(input),
          result: results.get(String(id)) ?? null,
        })),
      tools: new Set(listOf(looseOf(body)["tools"]).map(({ name }) => String(name))),
      turns: said.filter(({ role }) => role === "assistant").length,
    };
  },
  complaint(body) {
    if (!Number.isInteger(looseOf(body)["max_tokens"])) return "max_tokens: Field required";
    const said = listOf(looseOf(body)["messages"]);
    for (const [at, message] of said.entries()) {
      const wrong = wrongBlock(blocksOf(message), blocksOf(said[at - 1] ?? {}));
      if (wrong !== null) return `messages.${at}: ${wrong}`;
      if (said[at - 1]?.["role"] === message["role"]) return `messages.${at}: roles must alternate`;
    }
    return null;
  },
  whole: ({ id, turn, ...sent }) => ({
    ...head(id),
    content: [
      ...(turn.text === "" ? [] : [{ type: "text", text: turn.text }]),
      ...turn.calls.map(({ name, args }, index) => ({ type: "tool_use", id: callId(id, index), name, input: args })),
    ],
    stop_reason: reasonOf(turn),
    stop_sequence: null,
    usage: usageOf(sent),
  }),
  stream: ({ id, turn, spoilt, inputTokens, outputTokens }) => [
    event("message_start", { message: { ...head(id), content: [], usage: usageOf({ inputTokens, outputTokens: 0 }) } }),
    ...textBlock(turn.text),
    ...turn.calls.flatMap(({ name, args }, index) =>
      block(
        index + (turn.text === "" ? 0 : 1),
        { type: "tool_use", id: callId(id, index), name, input: {} },
        piecesOf(args, spoilt && index === 0).map((partial_json) => ({ type: "input_json_delta", partial_json })),
      ),
    ),
    event("message_delta", { delta: { stop_reason: reasonOf(turn) }, usage: { output_tokens: outputTokens } }),
    event("message_stop", {}),
  ],
  error: (status, message) => ({
    type: "error",
    error: {
      type: status === 429 ? "rate_limit_error" : status === 400 ? "invalid_request_error" : "api_error",
      message,
    },
  }),
};

/** A plain string is one text block. */
function blocksOf({ content }: Loose): Loose[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : listOf(content);
}

function wrongBlock(blocks: readonly Loose[], before: readonly Loose[]): string | null {
  if (blocks.length === 0) return "content must not be empty";
  if (blocks.some(({ type, text }) => type === "text" && text === "")) return "text content blocks must be non-empty";
  const idsOf = (of: readonly Loose[], kind: string, key: string): string[] =>
    of.filter(({ type }) => type === kind).map((one) => String(one[key]));
  const answered = idsOf(blocks, "tool_result", "tool_use_id");
  const asked = idsOf(before, "tool_use", "id");
  if (answered.some((id) => !asked.includes(id))) return "a tool_result has no tool_use in the message before";
  if (asked.some((id) => !answered.includes(id))) return "a tool_use has no tool_result in the message after";
  return null;
}

const head = (id: string): Loose => ({ id: `msg_${id}`, type: "message", role: "assistant", model: DEMO_MODEL });
const callId = (id: string, index: number): string => `toolu_${id}_${index}`;
const reasonOf = (turn: Turn): string => (turn.calls.length === 0 ? "end_turn" : "tool_use");
const usageOf = ({ inputTokens, outputTokens }: Pick<Sent, "inputTokens" | "outputTokens">): unknown => ({
  input_tokens: inputTokens,
  output_tokens: outputTokens,
});

const event = (type: string, more: object): StreamEvent => ({ event: type, data: JSON.stringify({ type, ...more }) });

const textBlock = (text: string): readonly StreamEvent[] =>
  text === ""
    ? []
    : block(
        0,
        { type: "text", text: "" },
        wordsOf(text).map((word) => ({ type: "text_delta", text: word })),
      );

const block = (index: number, content_block: object, deltas: readonly object[]): readonly StreamEvent[] => [
  event("content_block_start", { index, content_block }),
  ...deltas.map((delta) => event("content_block_delta", { index, delta })),
  event("content_block_stop", { index }),
];
