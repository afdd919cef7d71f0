import type { ChatMessage, ToolCall } from "@smooth/protocol/operator";

/** The conversation as data: what is still to run, and what fits. */

/** Calls of the last assistant message that have no result yet, in order: a crash fell between them. */
export function openCalls(conversation: readonly ChatMessage[]): ToolCall[] {
  const at = conversation.findLastIndex(({ role }) => role === "assistant");
  const last = conversation[at];
  if (last?.role !== "assistant") return [];
  const answered = new Set(
    conversation.slice(at + 1).map((message) => (message.role === "tool" ? message.callId : "")),
  );
  return last.toolCalls.filter(({ id }) => !answered.has(id));
}

/** Results stand right behind the calls they answer, before anything a person said meanwhile. */
export function withResult(conversation: readonly ChatMessage[], callId: string, content: string): ChatMessage[] {
  const asked = conversation.findLastIndex(({ role }) => role === "assistant");
  const later = conversation.findIndex(({ role }, at) => at > asked && role !== "tool");
  return conversation.toSpliced(later < 0 ? conversation.length : later, 0, { role: "tool", callId, content });
}

/** Every call gets an id that no earlier call of this conversation has: models repeat them or leave them out. */
export function withUniqueIds(calls: readonly ToolCall[], conversation: readonly ChatMessage[]): ToolCall[] {
  const taken = new Set(
    conversation.flatMap((message) => (message.role === "assistant" ? message.toolCalls : [])).map(({ id }) => id),
  );
  return calls.map((call, index) => {
    const id = call.id === "" || taken.has(call.id) ? `call-${conversation.length}-${index}` : call.id.slice(0, 200);
    taken.add(id);
    return { ...call, id };
  });
}

const KEEP_WHOLE = 6;
const ELIDED = "[an older result, left out to save room; run the tool again if you need it]";

/** Drops the oldest tool results until the whole is under `maxChars`; words of people and models stay. */
export function fitted(conversation: readonly ChatMessage[], maxChars: number): ChatMessage[] {
  let excess = conversation.reduce((sum, message) => sum + sizeOf(message), 0) - maxChars;
  return conversation.map((message, at) => {
    if (excess <= 0 || message.role !== "tool" || at >= conversation.length - KEEP_WHOLE) return message;
    if (message.content.length <= ELIDED.length) return message;
    excess -= message.content.length - ELIDED.length;
    return { ...message, content: ELIDED };
  });
}

function sizeOf(message: ChatMessage): number {
  const calls = message.role === "assistant" ? message.toolCalls : [];
  return message.content.length + calls.reduce((sum, { args }) => sum + args.length, 0);
}
