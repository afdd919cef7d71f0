import { assertNever, SmoothError } from "@smooth/protocol/errors";
import type { ChatMessage, OperatorInput, OperatorOutput, ToolCall } from "@smooth/protocol/operator";
import type { Finding } from "@smooth/protocol/policy";
import type { RunEventBody } from "@smooth/protocol/run-events";
import type { OperatorLine } from "./operator-line.ts";

/** One turn of an operator, seen from the host: questions answered, results kept, words redacted.
 *  T1. A tool runs only after the guard said so; a refusal reaches the model as the tool's result.
 *  T2. A call's result and the workspace it left are kept before the model may see the result, so a crash never repeats it.
 *  T3. No guest text becomes an event, a result or a checkpoint before it is redacted (promise P4). */

export interface ToolGuard {
  /** Narc, then Wonk, then a person when Wonk asks. Holds the call as long as that takes; never rejects but on abort. */
  judge(call: ToolCall, signal: AbortSignal): Promise<Verdict>;
  redact(text: string): { readonly text: string; readonly findings: readonly Finding[] };
  /** What Narc thinks of a result: injections and the like, beside the redaction. */
  inspect(text: string): readonly Finding[];
}

export type Verdict = { readonly kind: "run" } | { readonly kind: "refuse"; readonly message: string };

export interface TurnMemory {
  /** Persists the call's result together with what changed in the workspace since the last call; returns the checkpoint id. */
  keepCall(call: {
    readonly callId: string;
    readonly tool: string;
    readonly ok: boolean;
    readonly content: string;
  }): Promise<string>;
  keepConversation(conversation: readonly ChatMessage[]): void;
}

export interface TurnPorts {
  readonly line: OperatorLine;
  readonly guard: ToolGuard;
  readonly memory: TurnMemory;
  readonly emit: (...bodies: RunEventBody[]) => void;
}

export type TurnStart = Extract<OperatorInput, { type: "start" }>;
export type TurnEnd = Pick<Extract<OperatorOutput, { type: "completed" }>, "text" | "reason">;

/** Runs one turn to its end. Rejects with PROVIDER_FAILED when the operator gave up, SANDBOX_FAILED when its program died. */
export async function runTurn(start: TurnStart, ports: TurnPorts, signal: AbortSignal): Promise<TurnEnd> {
  const turn = new Turn(ports, signal);
  ports.line.send(start);
  for await (const output of ports.line.outputs) {
    if (output.type === "completed") return { text: ports.guard.redact(output.text).text, reason: output.reason };
    await turn.take(output);
    signal.throwIfAborted();
  }
  throw new SmoothError("SANDBOX_FAILED", "the operator program ended without a last word");
}

class Turn {
  readonly #ports: TurnPorts;
  readonly #signal: AbortSignal;
  /** Calls that were judged and may answer once. */
  readonly #open = new Map<string, ToolCall>();

  constructor(ports: TurnPorts, signal: AbortSignal) {
    this.#ports = ports;
    this.#signal = signal;
  }

  async take(output: Exclude<OperatorOutput, { type: "completed" }>): Promise<void> {
    const { emit, guard, memory } = this.#ports;
    switch (output.type) {
      case "ready":
      case "usage": // counted on the host, from the provider's own answer
        return;
      case "delta":
        return emit({ type: "message.delta", partId: output.partId, text: guard.redact(output.text).text });
      case "message":
        return this.#message(output.partId, output.text);
      case "tool.request":
        return this.#request(output.call);
      case "tool.output":
        return this.#output(output);
      case "checkpoint":
        return memory.keepConversation(output.conversation.map((message) => this.#clean(message)));
      case "failed":
        throw new SmoothError("PROVIDER_FAILED", guard.redact(`${output.code}: ${output.message}`).text);
      default:
        return assertNever(output);
    }
  }

  #message(partId: string, raw: string): void {
    const { text, findings } = this.#ports.guard.redact(raw);
    if (text.trim() !== "") this.#ports.emit({ type: "message", partId, role: "assistant", text: clip(text) });
    this.#report(findings);
  }

  async #request(call: ToolCall): Promise<void> {
    const { line, guard, emit } = this.#ports;
    const args = guard.redact(call.args);
    emit({ type: "tool.started", callId: call.id, tool: call.name, args: clip(args.text) });
    this.#report(args.findings);
    const verdict = await guard.judge(call, this.#signal); // T1
    if (verdict.kind === "run") this.#open.set(call.id, call);
    else
      emit({
        type: "tool.finished",
        callId: call.id,
        tool: call.name,
        ok: false,
        output: clip(verdict.message),
        tookMs: 0,
      });
    line.send({ type: "tool.verdict", callId: call.id, verdict });
  }

  async #output({ callId, ok, content, tookMs }: Extract<OperatorOutput, { type: "tool.output" }>): Promise<void> {
    const { line, guard, memory, emit } = this.#ports;
    const call = this.#open.get(callId);
    if (!call) return this.#report([unasked(callId)]);
    this.#open.delete(callId);
    const { text, findings } = guard.redact(content); // T3
    const checkpointId = await memory.keepCall({ callId, tool: call.name, ok, content: text }); // T2
    emit(
      { type: "tool.finished", callId, tool: call.name, ok, output: clip(text), tookMs },
      { type: "checkpoint", checkpointId, afterCallId: callId },
    );
    this.#report([...findings, ...guard.inspect(text)]);
    line.send({ type: "tool.result", callId, content: text });
  }

  #report(findings: readonly Finding[]): void {
    if (findings.length > 0) this.#ports.emit(...findings.map((finding) => ({ type: "finding" as const, finding })));
  }

  #clean(message: ChatMessage): ChatMessage {
    const redact = (text: string): string => this.#ports.guard.redact(text).text;
    if (message.role !== "assistant") return { ...message, content: redact(message.content) };
    return {
      ...message,
      content: redact(message.content),
      toolCalls: message.toolCalls.map((call) => ({ ...call, args: redact(call.args) })),
    };
  }
}

const unasked = (callId: string): Finding => ({
  severity: "alert",
  category: "command",
  rule: "unasked-tool-output",
  excerpt: `the operator reported a result for ${callId.slice(0, 100)}, which nobody allowed`,
});

const MAX_EVENT_TEXT = 100_000;

/** Events are for people: the end of a long text matters most, and what is left out is said. */
function clip(text: string): string {
  if (text.length <= MAX_EVENT_TEXT) return text;
  return `[${text.length - MAX_EVENT_TEXT} characters left out]\n${text.slice(-MAX_EVENT_TEXT)}`;
}
