import type { ChatMessage } from "@smooth/protocol/operator";
import { expect, test } from "vitest";
import { chatWire } from "./chat.ts";
import { messagesWire } from "./messages.ts";
import { responsesWire } from "./responses.ts";
import type { Wire } from "./wire.ts";

const CALL = { id: "call:1", name: "read", args: `{"path":"a"}` };
const HISTORY: readonly ChatMessage[] = [
  { role: "system", content: "be brief" },
  { role: "user", content: "fix it" },
  { role: "assistant", content: "", toolCalls: [CALL, { ...CALL, id: "call:2", args: `{"pa` }] },
  { role: "tool", callId: "call:1", content: "text" },
  { role: "tool", callId: "call:2", content: "" },
  { role: "user", content: "and hurry" },
  { role: "assistant", content: "", toolCalls: [] },
  { role: "user", content: "still there?" },
];
const TOOL = {
  type: "function" as const,
  function: { name: "read", description: "reads", parameters: { type: "object" } },
};
const bodyOf = (wire: Wire) => JSON.parse(wire.body("slot", { messages: HISTORY, tools: [TOOL] })) as never;
const fold = (wire: Wire, ...events: unknown[]) => {
  const reader = wire.reader("slot");
  const text = events.map((event) => reader.take(typeof event === "string" ? event : JSON.stringify(event))).join("");
  return { ...reader.answer(), shown: text };
};

test("N1: messages alternate, results come first, ids are safe, broken arguments are none, empty words are left out", () => {
  expect(bodyOf(messagesWire)).toMatchObject({
    model: "slot",
    stream: true,
    max_tokens: 8_192,
    system: "be brief",
    tools: [{ name: "read", input_schema: { type: "object" } }],
    messages: [
      { role: "user", content: [{ type: "text", text: "fix it" }] },
      {
        role: "assistant",
        content: [
          { type: "tool_use", id: "call_1", input: { path: "a" } },
          { type: "tool_use", id: "call_2", input: {} },
        ],
      },
      {
        role: "user",
        content: [
          { type: "tool_result", tool_use_id: "call_1", content: "text" },
          { type: "tool_result", tool_use_id: "call_2" },
          { type: "text", text: "and hurry" },
          { type: "text", text: "still there?" },
        ],
      },
    ],
  });
});

test("responses: the whole conversation as items, nothing stored", () => {
  expect(bodyOf(responsesWire)).toMatchObject({
    store: false,
    instructions: "be brief",
    tools: [{ type: "function", name: "read", parameters: { type: "object" } }],
    input: [
      { role: "user", content: [{ type: "input_text", text: "fix it" }] },
      { type: "function_call", call_id: "call:1", arguments: `{"path":"a"}` },
      { type: "function_call", call_id: "call:2", arguments: "{}" },
      { type: "function_call_output", call_id: "call:1", output: "text" },
      { type: "function_call_output", call_id: "call:2", output: "" },
      { role: "user" },
      { role: "user" },
    ],
  });
});

test("each dialect brings its key in its own header", () => {
  expect(chatWire.headers("k")).toEqual({ authorization: "Bearer k" });
  expect(responsesWire.headers("k")).toEqual({ authorization: "Bearer k" });
  expect(messagesWire.headers("k")).toEqual({ "x-api-key": "k", "anthropic-version": "2023-06-01" });
});

const MESSAGES = [
  { type: "message_start", message: { model: "claude", usage: { input_tokens: 3, cache_read_input_tokens: 4 } } },
  { type: "ping" },
  { type: "content_block_start", index: 0, content_block: { type: "thinking" } },
  { type: "content_block_delta", index: 0, delta: { type: "thinking_delta", thinking: "hm" } },
  { type: "content_block_start", index: 1, content_block: { type: "text", text: "" } },
  { type: "content_block_delta", index: 1, delta: { type: "text_delta", text: "hi" } },
  { type: "content_block_start", index: 2, content_block: { type: "tool_use", id: "a", name: "read", input: {} } },
  { type: "content_block_start", index: 3, content_block: { type: "tool_use", id: "b", name: "list", input: {} } },
  { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: `{"path"` } },
  { type: "content_block_delta", index: 2, delta: { type: "input_json_delta", partial_json: `:"x"}` } },
  { type: "message_delta", delta: { stop_reason: "tool_use" }, usage: { output_tokens: 5 } },
];
const RESPONSES = [
  { type: "response.created", response: { model: "gpt" } },
  { type: "response.output_item.added", output_index: 0, item: { type: "reasoning" } },
  { type: "response.output_text.delta", output_index: 1, delta: "hi" },
  { type: "response.output_item.added", output_index: 2, item: { type: "function_call", call_id: "a", name: "read" } },
  { type: "response.function_call_arguments.delta", output_index: 2, delta: `{"path"` },
  { type: "response.output_item.done", output_index: 2, item: { type: "function_call", arguments: `{"path":"x"}` } },
  { type: "response.output_item.added", output_index: 3, item: { type: "function_call", call_id: "b", name: "list" } },
  { type: "response.function_call_arguments.delta", output_index: 3, delta: "{}" },
];
const HEARD = {
  kind: "answer",
  text: "hi",
  shown: "hi",
  toolCalls: [
    { id: "a", name: "read", args: `{"path":"x"}` },
    { id: "b", name: "list", args: "{}" },
  ],
};

test("a stream is folded into one answer, thinking left out", () => {
  const usage = { input_tokens: 7, output_tokens: 5 };

  expect(fold(messagesWire, ...MESSAGES, { type: "message_stop" })).toMatchObject({
    ...HEARD,
    model: "claude",
    usage: { inputTokens: 7, outputTokens: 5 },
  });
  expect(
    fold(responsesWire, ...RESPONSES, { type: "response.completed", response: { model: "gpt", usage } }),
  ).toMatchObject({ ...HEARD, model: "gpt", usage: { inputTokens: 7, outputTokens: 5 } });
});

test("an answer that comes whole is the same answer", () => {
  const content = [
    { type: "text", text: "hi" },
    { type: "tool_use", id: "a", name: "read", input: { path: "x" } },
    { type: "tool_use", id: "b", name: "list" },
  ];
  const output = [
    { type: "message", content: [{ type: "output_text", text: "hi" }] },
    { type: "function_call", call_id: "a", name: "read", arguments: `{"path":"x"}` },
    { type: "function_call", call_id: "b", name: "list", arguments: "{}" },
  ];

  expect(fold(messagesWire, { type: "message", content, stop_reason: "tool_use" })).toMatchObject(HEARD);
  expect(fold(responsesWire, { object: "response", output })).toMatchObject(HEARD);
});

test.each([
  ["messages", messagesWire, MESSAGES],
  ["responses", responsesWire, RESPONSES],
])("W2: %s cut before the end, or with an error in it, may pass", (_, wire, events) => {
  expect(fold(wire, ...events)).toMatchObject({ kind: "failed", retry: { afterMs: null } });
  expect(fold(wire, ...events, { type: "error", error: { message: "Overloaded" } })).toMatchObject({
    kind: "failed",
    message: expect.stringContaining("Overloaded"),
    retry: {},
  });
});

test("a refusal without a word is final; a failed response is an error", () => {
  const refused = { kind: "failed", message: expect.stringContaining("refused"), retry: null };
  const delta = { type: "message_delta", delta: { stop_reason: "refusal" } };

  expect(fold(messagesWire, delta, { type: "message_stop" })).toMatchObject(refused);
  expect(fold(chatWire, { choices: [{ delta: {}, finish_reason: "content_filter" }] })).toMatchObject(refused);
  expect(
    fold(responsesWire, { type: "response.refusal.delta", delta: "no" }, { type: "response.completed", response: {} }),
  ).toMatchObject(refused);
  expect(fold(responsesWire, { type: "response.failed", response: { error: { message: "quota" } } })).toMatchObject({
    kind: "failed",
    message: expect.stringContaining("quota"),
  });
});

test("W1: nonsense between the events is ignored", () => {
  const nonsense = ["not json", "null", "[]", { type: 7 }, { type: "content_block_delta" }, { type: "message_start" }];
  const odd = [
    { type: "response.output_item.done", item: null },
    { type: "response.function_call_arguments.delta", output_index: 9, delta: 5 },
  ];

  expect(fold(messagesWire, ...nonsense, { type: "message_stop" })).toMatchObject({ kind: "answer", text: "" });
  expect(fold(responsesWire, ...nonsense, ...odd, { type: "response.completed" })).toMatchObject({
    kind: "answer",
    toolCalls: [],
  });
});
