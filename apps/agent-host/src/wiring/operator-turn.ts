import type { Redactor, RedactorStream } from "@smooth/cast/narc/redact";
import { assertNever, SmoothError } from "@smooth/protocol/errors";
import type { ChatMessage, OperatorInput, OperatorOutput, ToolCall } from "@smooth/protocol/operator";
import type { Finding } from "@smooth/protocol/policy";
import type { RunEventBody } from "@smooth/protocol/run-events";
import type { OperatorLine } from "./operator-line.ts";

/** One turn of an operator, seen from the host: questions answered, results kept, words redacted.
 *  T1. A tool runs only after the guard said so; a refusal reaches the model as the tool's result.
 *  T2. A call's result, the conversation it belongs to and the workspace it left are kept, as one checkpoint, before the
 *      model may see the result: a crash never repeats a completed call.
 *  T3. No guest text becomes an event, a result or a checkpoint before it is redacted (promise P4). */

export interface ToolGuard {
  /** Narc, then Wonk, then a person when Wonk asks. Holds the call as long as that takes; never rejects but on abort. */
  judge(call: ToolCall, signal: AbortSignal): Promise<Verdict>;
  readonly redactor: Redactor;
  /** What Narc thinks of a result: injections and the like, beside the redaction. */
  inspect(text: string): readonly Finding[];
}

export type Verdict = { readonly kind: "run" } | { readonly kind: "refuse"; readonly message: string };

export interface TurnPorts {
  readonly line: OperatorLine;
  readonly guard: ToolGuard;
  /** One checkpoint: the conversation so far, and what changed in the workspace. Answers its id. */
  readonly keep: (checkpoint: {
    readonly afterCallId: string | null;
    readonly conversation: readonly ChatMessage[];
  }) => Promise<string>;
  readonly emit: (...bodies: RunEventBody[]) => void;
}

export type TurnStart = Extract<OperatorInput, { type: "start" }>;
export type TurnEnd = Pick<Extract<OperatorOutput, { type: "completed" }>, "text" | "reason">;

/** Runs one turn to its end. Rejects with PROVIDER_FAILED when the operator gave up, SANDBOX_FAILED when its program died. */
export async function runTurn(start: TurnStart, ports: TurnPorts, signal: AbortSignal): Promise<TurnEnd> {
  const turn = new Turn(start.conversation, ports, signal);
  ports.line.send(start);
  for await (const output of ports.line.outputs) {
    if (output.type === "completed")
      return { text: ports.guard.redactor.redact(output.text).text, reason: output.reason };
    await turn.take(output);
    signal.throwIfAborted();
  }
  throw new SmoothError("SANDBOX_FAILED", "the operator program ended without a last word");
}

class Turn {
  readonly #ports: TurnPorts;
  readonly #signal: AbortSignal;
  #conversation: readonly ChatMessage[];
  /** Calls that were judged and may answer once. */
  readonly #open = new Map<string, ToolCall>();
  readonly #parts = new Map<string, RedactorStream>();

  constructor(conversation: readonly ChatMessage[], ports: TurnPorts, signal: AbortSignal) {
    this.#conversation = conversation;
    this.#ports = ports;
    this.#signal = signal;
  }

  async take(output: Exclude<OperatorOutput, { type: "completed" }>): Promise<void> {
    switch (output.type) {
      case "ready":
      case "usage": // counted on the host, from the provider's own answer
        return;
      case "delta":
        return this.#delta(output.partId, output.text);
      case "message":
        return this.#message(output);
      case "tool.request":
        return this.#request(output.call);
      case "tool.output":
        return this.#output(output);
      case "checkpoint":
        return this.#checkpoint(output);
      case "failed":
        throw new SmoothError("PROVIDER_FAILED", this.#redact(`${output.code}: ${output.message}`));
      default:
        return assertNever(output);
    }
  }

  #delta(partId: string, raw: string): void {
    const stream = this.#parts.get(partId) ?? this.#ports.guard.redactor.stream();
    this.#parts.set(partId, stream);
    const { text } = stream.push(raw);
    if (text !== "") this.#ports.emit({ type: "message.delta", partId, text });
  }

  #message({ partId, text: raw, toolCalls }: Extract<OperatorOutput, { type: "message" }>): void {
    this.#parts.delete(partId);
    const { text, findings } = this.#ports.guard.redactor.redact(raw);
    const calls = toolCalls.map((call) => ({ ...call, args: this.#redact(call.args) }));
    this.#conversation = [...this.#conversation, { role: "assistant", content: text, toolCalls: calls }];
    if (text.trim() !== "") this.#ports.emit({ type: "message", partId, role: "assistant", text: clip(text) });
    this.#report(findings);
  }

  async #request(call: ToolCall): Promise<void> {
    const { line, guard, emit } = this.#ports;
    const args = guard.redactor.redact(call.args);
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
    const { line, guard, keep, emit } = this.#ports;
    const call = this.#open.get(callId);
    if (!call) return this.#report([unasked(callId)]);
    this.#open.delete(callId);
    const { text, findings } = guard.redactor.redact(content); // T3
    this.#conversation = [...this.#conversation, { role: "tool", callId, content: text }];
    const checkpointId = await keep({ afterCallId: callId, conversation: this.#conversation }); // T2
    emit(
      { type: "tool.finished", callId, tool: call.name, ok, output: clip(text), tookMs },
      { type: "checkpoint", checkpointId, afterCallId: callId },
    );
    this.#report([...findings, ...guard.inspect(text)]);
    line.send({ type: "tool.result", callId, content: text });
  }

  /** The operator's own view, which also holds refusals and steering; it never invents results of calls that ran. */
  async #checkpoint({ afterCallId, conversation }: Extract<OperatorOutput, { type: "checkpoint" }>): Promise<void> {
    this.#conversation = conversation.map((message) => this.#clean(message));
    if (afterCallId === null) await this.#ports.keep({ afterCallId, conversation: this.#conversation });
  }

  #report(findings: readonly Finding[]): void {
    if (findings.length > 0) this.#ports.emit(...findings.map((finding) => ({ type: "finding" as const, finding })));
  }

  #redact(text: string): string {
    return this.#ports.guard.redactor.redact(text).text;
  }

  #clean(message: ChatMessage): ChatMessage {
    if (message.role !== "assistant") return { ...message, content: this.#redact(message.content) };
    const toolCalls = message.toolCalls.map((call) => ({ ...call, args: this.#redact(call.args) }));
    return { ...message, content: this.#redact(message.content), toolCalls };
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
