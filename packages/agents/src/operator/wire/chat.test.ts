import { expect, test } from "vitest";
import { fitted } from "../conversation.ts";
import { chatWire } from "./chat.ts";
import { SseReader } from "./sse.ts";
import { refusal } from "./wire.ts";

const fold = (...chunks: unknown[]) => {
  const builder = chatWire.reader("slot");
  for (const chunk of chunks) builder.take(typeof chunk === "string" ? chunk : JSON.stringify(chunk));
  return builder.answer();
};
const delta = (value: unknown, finish_reason: string | null = null) => ({ choices: [{ delta: value, finish_reason }] });
const piece = (call: unknown) => delta({ tool_calls: [call] });
const END = delta({}, "tool_calls");

test("calls come together by index, in whatever pieces", () => {
  const answer = fold(
    piece({ index: 0, id: "a", function: { name: "read", arguments: "" } }),
    piece({ index: 1, id: "b", function: { name: "bash", arguments: `{"c` } }),
    piece({ index: 0, function: { arguments: `{"path":"x"}` } }),
    piece({ index: 1, function: { arguments: `md":1}` } }),
    END,
  );

  expect(answer).toMatchObject({
    toolCalls: [
      { id: "a", name: "read", args: `{"path":"x"}` },
      { id: "b", name: "bash", args: `{"cmd":1}` },
    ],
  });
});

test("W1: missing indexes, missing ids, one index for all, and arguments as an object", () => {
  const noIndex = fold(
    piece({ id: "a", function: { name: "x", arguments: "{" } }),
    piece({ function: { arguments: "}" } }),
    piece({ id: "b", function: { name: "y", arguments: {} } }),
    END,
  );
  const sameIndex = fold(
    piece({ index: 0, id: "a", function: { name: "x", arguments: "{}" } }),
    piece({ index: 0, id: "b", function: { name: "y", arguments: "{}" } }),
    END,
  );
  const noIds = fold(
    piece({ index: 0, function: { name: "x", arguments: "{}" } }),
    piece({ index: 1, function: { name: "y", arguments: "{}" } }),
    END,
  );

  for (const answer of [noIndex, sameIndex, noIds])
    expect(answer).toMatchObject({
      toolCalls: [
        { name: "x", args: "{}" },
        { name: "y", args: "{}" },
      ],
    });
});

test("W1: nonsense between the chunks is ignored", () => {
  const answer = fold(
    "not json",
    "null",
    { choices: "?" },
    { choices: [] },
    delta({ content: [{ type: "text", text: "hi" }], tool_calls: [null] }),
    delta({}, "stop"),
    { usage: { prompt_tokens: 3, completion_tokens: -1 } },
  );

  expect(answer).toMatchObject({
    kind: "answer",
    text: "hi",
    model: "slot",
    usage: { inputTokens: 3, outputTokens: 0 },
  });
});

test("W2: a stream cut before its end, or with an error in it, may pass", () => {
  expect(fold(delta({ content: "half" }))).toMatchObject({ kind: "failed", retry: { afterMs: null } });
  expect(fold(delta({ content: "half" }), { error: { message: "overloaded" } }, "[DONE]")).toMatchObject({
    kind: "failed",
    message: expect.stringContaining("overloaded"),
    retry: {},
  });
});

test("statuses: 429 and 5xx may pass, 403 is policy, the rest is final", () => {
  expect(refusal(429, "", "7")).toMatchObject({ code: "RATE_LIMITED", retry: { afterMs: 7_000 } });
  expect(refusal(503, "", "soon")).toMatchObject({ code: "PROVIDER_FAILED", retry: { afterMs: null } });
  expect(refusal(403, "", undefined)).toMatchObject({ code: "POLICY_DENIED", retry: null });
  expect(refusal(401, "", undefined)).toMatchObject({ code: "PROVIDER_FAILED", retry: null });
});

test("broken arguments in the history are not sent back to the provider", () => {
  const toolCalls = [{ id: "a", name: "read", args: `{"pa` }];
  const body = chatWire.body("slot", { messages: [{ role: "assistant", content: "", toolCalls }], tools: [] });

  expect(JSON.parse(body)).toMatchObject({
    model: "slot",
    messages: [{ tool_calls: [{ function: { arguments: "{}" } }] }],
  });
});

test("events are found wherever the chunks break, with any line ending", () => {
  const stream = `: hi\n\ndata: one\r\n\r\nevent: x\ndata:two\ndata: lines\n\ndata: last`;
  for (let at = 0; at <= stream.length; at += 1) {
    const reader = new SseReader();
    const payloads = [...reader.push(stream.slice(0, at)), ...reader.push(stream.slice(at)), ...reader.end()];
    expect(payloads, `cut at ${at}`).toEqual(["one", "two\nlines", "last"]);
  }
});

test("the oldest tool results make room; words of people and the newest results stay", () => {
  const big = "r".repeat(1_000);
  const conversation = [
    { role: "user" as const, content: "u".repeat(1_000) },
    ...Array.from({ length: 10 }, (_, at) => ({ role: "tool" as const, callId: `${at}`, content: big })),
  ];

  const kept = fitted(conversation, 9_000).map(({ content }) => content.length);

  expect(kept[0]).toBe(1_000);
  expect(kept.slice(1, 4).every((length) => length < 100)).toBe(true);
  expect(kept.slice(4)).toEqual(Array(7).fill(1_000));
});
