import type { Clock, Random } from "@smooth/platform/ports";
import type { ChatMessage, OperatorOutput, ToolCall } from "@smooth/protocol/operator";
import { callTool, type Tool, type ToolResult } from "@smooth/tools/define-tool";
import { describeTools } from "@smooth/tools/json-schema";
import { clipText } from "@smooth/tools/workspace/output-window";
import type { Workspace } from "@smooth/tools/workspace";
import { fitted, openCalls, withResult, withUniqueIds } from "./conversation.ts";
import type { HostInbox, Start } from "./host-inbox.ts";
import { systemPrompt } from "./instructions.ts";
import { askPatiently, type Model, type ModelAnswer } from "./model.ts";

/** The operator: one loop LLM → tool → LLM, with the host holding every tool call in its hand.
 *  L1. A tool runs only after the host's verdict, and the model sees only what the host gave back.
 *  L2. A checkpoint follows every assistant message, tool call and steer; from it another operator continues without asking
 *      the model again for what it said and without running a call that has a result.
 *  L3. No model request and no tool call starts while paused.
 *  L4. Cancel ends the model request, kills every process of the workspace, and has the last word. */

export interface OperatorPorts {
  readonly inbox: HostInbox;
  readonly send: (output: OperatorOutput) => void;
  readonly open: (start: Start) => { readonly workspace: Workspace; readonly model: Model };
  readonly tools: readonly Tool[];
  readonly clock: Clock;
  readonly random: Random;
  readonly newPartId: () => string;
}

/** Never rejects: how it ended is its last output. */
export async function runOperator(ports: OperatorPorts): Promise<void> {
  ports.send({ type: "ready" });
  ports.send(await lastWord(ports));
}

async function lastWord(ports: OperatorPorts): Promise<OperatorOutput> {
  try {
    const start = await ports.inbox.started();
    const { workspace, model } = ports.open(start);
    await using place = workspace; // L4
    return await new Operator(start, { ...ports, workspace: place, model }).run();
  } catch (error) {
    if (ports.inbox.signal.aborted) return { type: "completed", text: "", reason: "cancelled" };
    return { type: "failed", code: "INTERNAL", message: clip(String(error), 10_000) };
  }
}

const MAX_TOOL_OUTPUT_BYTES = 100_000;
/** About a million characters: more than models take, far less than a line may hold. */
const MAX_CONVERSATION_CHARS = 1_000_000;
const MAX_MODEL_ATTEMPTS = 6;

class Operator {
  readonly #start: Start;
  readonly #ports: OperatorPorts & { readonly workspace: Workspace; readonly model: Model };
  readonly #tools: readonly Tool[];
  #conversation: ChatMessage[];

  constructor(start: Start, ports: OperatorPorts & { readonly workspace: Workspace; readonly model: Model }) {
    this.#start = start;
    this.#ports = ports;
    this.#tools = ports.tools.filter(({ name }) => start.role.tools.includes(name));
    this.#conversation = [...start.conversation];
  }

  async run(): Promise<OperatorOutput> {
    const { inbox } = this.#ports;
    const system = await systemPrompt(this.#start.role, this.#ports.workspace);
    for (const call of openCalls(this.#conversation)) await this.#runCall(call); // L2
    let text = this.#alreadySaid();
    for (let calls = 0; text === null || inbox.steered; calls += 1) {
      await inbox.whenRunning(); // L3
      this.#takeSteers();
      if (calls >= this.#start.maxModelCalls) return this.#limitReached();
      const answer = await this.#ask(system);
      if (answer.kind === "failed") return { type: "failed", code: answer.code, message: clip(answer.message, 10_000) };
      text = await this.#act(answer);
    }
    return { type: "completed", text, reason: "done" };
  }

  /** The last words of a conversation that had ended when its host or VM did. */
  #alreadySaid(): string | null {
    const last = this.#conversation.at(-1);
    return last?.role === "assistant" && last.toolCalls.length === 0 ? last.content : null;
  }

  #limitReached(): OperatorOutput {
    const last = this.#conversation.findLast(({ role }) => role === "assistant");
    return { type: "completed", text: last?.content ?? "", reason: "model-call-limit" };
  }

  #takeSteers(): void {
    for (const { id, text } of this.#ports.inbox.takeSteers()) {
      this.#conversation.push({ role: "user", content: text, steerId: id });
      this.#checkpoint(null);
    }
  }

  async #ask(system: string): Promise<ModelAnswer & { readonly partId: string }> {
    const { model, inbox, send, newPartId } = this.#ports;
    this.#conversation = fitted(this.#conversation, MAX_CONVERSATION_CHARS);
    const partId = newPartId();
    const request = {
      messages: [{ role: "system" as const, content: system }, ...this.#conversation],
      tools: describeTools(this.#tools),
      signal: inbox.signal,
      onText: (text: string) => send({ type: "delta", partId, text: clip(text, 100_000) }),
    };
    const patience = { ...this.#ports, maxAttempts: MAX_MODEL_ATTEMPTS };
    return { ...(await inbox.unlessCancelled(askPatiently(model, request, patience))), partId };
  }

  /** The final text when the model asks for nothing more. */
  async #act(answer: Extract<ModelAnswer, { kind: "answer" }> & { readonly partId: string }): Promise<string | null> {
    const { send } = this.#ports;
    const text = clip(answer.text, 1_000_000);
    const toolCalls = withUniqueIds(answer.toolCalls.slice(0, 100), this.#conversation);
    if (answer.usage) send({ type: "usage", model: clip(answer.model, 200), ...answer.usage });
    send({ type: "message", partId: answer.partId, text, toolCalls });
    this.#conversation.push({ role: "assistant", content: text, toolCalls });
    this.#checkpoint(null);
    for (const call of toolCalls) await this.#runCall(call);
    return toolCalls.length === 0 ? text : null;
  }

  async #runCall(call: ToolCall): Promise<void> {
    const { inbox, send, clock } = this.#ports;
    await inbox.whenRunning(); // L3
    send({ type: "tool.request", call });
    const verdict = await inbox.verdict(call.id); // L1
    if (verdict.kind === "refuse") return this.#answerCall(call.id, verdict.message);
    await inbox.whenRunning(); // L3
    const startedMs = clock.now();
    const { ok, content } = await this.#perform(call);
    send({
      type: "tool.output",
      callId: call.id,
      ok,
      content,
      tookMs: Math.max(0, Math.round(clock.now() - startedMs)),
    });
    this.#answerCall(call.id, await inbox.result(call.id)); // L1
  }

  #perform(call: ToolCall): Promise<ToolResult> {
    const { inbox, workspace } = this.#ports;
    const context = {
      workspace,
      signal: inbox.signal,
      maxOutputBytes: MAX_TOOL_OUTPUT_BYTES,
      idempotencyKey: call.id,
    };
    return inbox.unlessCancelled(callTool(this.#tools, call, context));
  }

  #answerCall(callId: string, content: string): void {
    this.#conversation = withResult(this.#conversation, callId, content);
    this.#checkpoint(callId);
  }

  #checkpoint(afterCallId: string | null): void {
    this.#ports.send({ type: "checkpoint", afterCallId, conversation: this.#conversation });
  }
}

const clip = (text: string, max: number): string =>
  text.length <= max ? text : clipText(text, Math.floor(max * 0.9)).slice(0, max);
