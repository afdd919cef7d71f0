import type { Turn } from "./persona.ts";

/** A turn in the words of the OpenAI chat dialect. */

export const DEMO_MODEL = "DEMO-scripted";
const FINGERPRINT = "DEMO";

interface Sent {
  readonly id: string;
  readonly turn: Turn;
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number; readonly total_tokens: number };
}

/** What real providers stream: words, then calls by index with the arguments in pieces, then the reason, then usage. */
export function chunksOf({ id, turn, usage }: Sent): unknown[] {
  const chunk = (delta: unknown, finish_reason: string | null = null): unknown => ({
    ...head(id, "chat.completion.chunk"),
    choices: [{ index: 0, delta, finish_reason }],
  });
  const words = turn.text.match(/\s*\S+/g) ?? [];
  const calls = turn.calls.flatMap(({ name, args }, index) => {
    const text = JSON.stringify(args);
    const middle = Math.ceil(text.length / 2);
    const piece = (part: string): unknown => chunk({ tool_calls: [{ index, function: { arguments: part } }] });
    return [
      chunk({ tool_calls: [{ index, id: callId(id, index), type: "function", function: { name, arguments: "" } }] }),
      piece(text.slice(0, middle)),
      piece(text.slice(middle)),
    ];
  });
  return [
    chunk({ role: "assistant", content: "" }),
    ...words.map((content) => chunk({ content })),
    ...calls,
    chunk({}, reasonOf(turn)),
    { ...head(id, "chat.completion.chunk"), choices: [], usage },
  ];
}

export function completionOf({ id, turn, usage }: Sent): unknown {
  const tool_calls = turn.calls.map(({ name, args }, index) => ({
    id: callId(id, index),
    type: "function",
    function: { name, arguments: JSON.stringify(args) },
  }));
  const message = { role: "assistant", content: turn.text, ...(tool_calls.length === 0 ? {} : { tool_calls }) };
  return { ...head(id, "chat.completion"), choices: [{ index: 0, message, finish_reason: reasonOf(turn) }], usage };
}

const head = (id: string, object: string): Record<string, unknown> => ({
  id,
  object,
  created: 0,
  model: DEMO_MODEL,
  system_fingerprint: FINGERPRINT,
});
const callId = (id: string, index: number): string => `call_${id.replace(/^chatcmpl-/, "")}_${index}`;
const reasonOf = (turn: Turn): string => (turn.calls.length === 0 ? "stop" : "tool_calls");

/** Four characters a token: an estimate, as everything about a model that does not exist. */
export function usageOf(promptChars: number, turn: Turn): Sent["usage"] {
  const prompt_tokens = Math.ceil(promptChars / 4);
  const completion_tokens = Math.ceil((turn.text.length + JSON.stringify(turn.calls).length) / 4);
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}
