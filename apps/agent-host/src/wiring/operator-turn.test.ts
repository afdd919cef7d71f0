import type { OperatorInput, OperatorOutput } from "@smooth/protocol/operator";
import type { RunEventBody } from "@smooth/protocol/run-events";
import { createRedactor } from "@smooth/cast/narc/redact";
import { expect, test } from "vitest";
import { runTurn, type ToolGuard, type TurnStart } from "./operator-turn.ts";

const START: TurnStart = {
  type: "start",
  role: { name: "fixer", slot: "smooth-coding", prompt: "fix", tools: ["bash"] },
  workspace: "/workspace",
  modelUrl: "http://model.th.internal/v1",
  modelFormats: ["OpenAiCompat"],
  modelToken: "placeholder",
  conversation: [],
  maxModelCalls: 10,
};

const OPEN_GUARD: ToolGuard = {
  judge: async () => ({ kind: "run" }),
  redactor: createRedactor(["s3cret-value"]),
  inspect: () => [],
};

/** An operator program that answers each thing the host sends by the given rule. */
async function play(outputs: readonly OperatorOutput[], guard: ToolGuard = OPEN_GUARD) {
  const order: string[] = [];
  const sent: OperatorInput[] = [];
  const events: RunEventBody[] = [];
  const end = await runTurn(
    START,
    {
      line: {
        send: (input) => {
          sent.push(input);
          order.push(`send ${input.type}`);
        },
        outputs: (async function* () {
          yield* outputs;
        })(),
      },
      guard,
      keep: async ({ afterCallId, conversation }) => {
        order.push(`keep ${afterCallId} ${JSON.stringify(conversation.at(-1))}`);
        return "cp-1";
      },
      emit: (...bodies) => void events.push(...bodies),
    },
    new AbortController().signal,
  );
  return { order, sent, events, end };
}

const CALL = { id: "c1", name: "bash", args: `{"command":"echo s3cret-value"}` };
const DONE: OperatorOutput = { type: "completed", text: "done", reason: "done" };

test("a result is kept before the model may see it", async () => {
  const { order } = await play([
    { type: "tool.request", call: CALL },
    { type: "tool.output", callId: "c1", ok: true, content: "ok", tookMs: 1 },
    DONE,
  ]);

  expect(order).toEqual([
    "send start",
    "send tool.verdict",
    `keep c1 {"role":"tool","callId":"c1","content":"ok"}`,
    "send tool.result",
  ]);
});

test("a refused tool gets no result and nothing is kept", async () => {
  const refuse: ToolGuard = { ...OPEN_GUARD, judge: async () => ({ kind: "refuse", message: "not here" }) };

  const { order, events } = await play(
    [
      { type: "tool.request", call: CALL },
      { type: "tool.output", callId: "c1", ok: true, content: "did it anyway", tookMs: 1 },
      DONE,
    ],
    refuse,
  );

  expect(order).toEqual(["send start", "send tool.verdict"]);
  expect(events.at(-1)).toMatchObject({ type: "finding", finding: { rule: "unasked-tool-output" } });
});

test("no guest text leaves unredacted: events, results, checkpoints, last word", async () => {
  const { order, sent, events, end } = await play([
    { type: "delta", partId: "p", text: "s3cret-value" },
    { type: "message", partId: "p", text: "s3cret-value", toolCalls: [] },
    { type: "tool.request", call: CALL },
    { type: "tool.output", callId: "c1", ok: true, content: "s3cret-value", tookMs: 1 },
    {
      type: "checkpoint",
      afterCallId: "c1",
      conversation: [{ role: "assistant", content: "s3cret-value", toolCalls: [CALL] }],
    },
    { ...DONE, text: "s3cret-value" },
  ]);

  expect(JSON.stringify([order, sent, events, end])).not.toContain("s3cret-value");
});

test("a program that dies without a last word is a sandbox failure", async () => {
  await expect(play([{ type: "ready" }])).rejects.toMatchObject({ code: "SANDBOX_FAILED" });
});

test("an operator that gives up says why, as a provider failure", async () => {
  await expect(play([{ type: "failed", code: "HTTP_500", message: "boom s3cret-value" }])).rejects.toMatchObject({
    code: "PROVIDER_FAILED",
    message: "HTTP_500: boom [REDACTED:known-secret]",
  });
});
