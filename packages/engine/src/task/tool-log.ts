/** The record of a task's tool calls, and what a body is run within so that its tools find it.
 *  L1. A call that must not simply be repeated runs only after the note of its start is durable; so no attempt forgets one.
 *  L2. `call` counts the calls of one attempt from 1. Texts are cut; a note is evidence, not an archive. */
import type { NodeRef } from "../graph/identity.ts";
import type { RunEventBody } from "../run/events.ts";
import type { TaskContext } from "./body.ts";

export interface ToolCall {
  readonly tool: string;
  /** Changes something outside the workspace. */
  readonly sideEffect: boolean;
  /** Calling twice with the same input is as good as once. */
  readonly idempotent: boolean;
  /** What was asked, as text fit for a log. */
  readonly input: string;
}

export interface ToolCallEnd {
  readonly status: "success" | "error";
  /** What came back, or why nothing did. */
  readonly output: string;
}

export interface ToolLog {
  /** Resolves when the call may run, with the function that notes its end. */
  begin(call: ToolCall): Promise<(end: ToolCallEnd) => void>;
}

/** What a task lends to the tools that its body calls. */
export interface TaskScope extends TaskContext {
  /** Names of the tools this task may call; null: all that its agent has. */
  readonly allowTools: readonly string[] | null;
  readonly toolLog: ToolLog;
}

/** Runs a body so that tools called anywhere below it belong to `scope`. */
export type AroundBody = <T>(scope: TaskScope, body: () => Promise<T>) => Promise<T>;

const MAX_TEXT = 4_000;
const cut = (text: string): string => (text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}…`);

export interface ToolLogPorts {
  readonly nowMs: () => number;
  readonly note: (event: RunEventBody) => void;
  /** Resolves once everything noted so far is durable. */
  readonly recorded: () => Promise<void>;
}

export function openToolLog(at: NodeRef & { readonly attempt: number }, ports: ToolLogPorts): ToolLog {
  let calls = 0;
  return {
    async begin({ input, ...kind }) {
      const call = (calls += 1); // L2
      const { tool } = kind;
      const startedAtMs = ports.nowMs();
      ports.note({ type: "tool.started", ...at, call, ...kind, input: cut(input) });
      if (!kind.idempotent) await ports.recorded(); // L1
      return ({ status, output }) => {
        const durationMs = ports.nowMs() - startedAtMs;
        ports.note({ type: "tool.finished", ...at, call, tool, status, durationMs, output: cut(output) });
      };
    },
  };
}

/** What earlier attempts of a node did that the next one must know of. */
export interface ToolHistory {
  readonly sideEffect: boolean;
  /** Names of the tools that must not simply be called again, once per call. */
  readonly unsafe: readonly string[];
}

export function rememberCall(history: ToolHistory | undefined, call: Omit<ToolCall, "input">): ToolHistory {
  const { sideEffect, unsafe } = history ?? { sideEffect: false, unsafe: [] };
  return {
    sideEffect: sideEffect || call.sideEffect,
    unsafe: call.idempotent ? unsafe : [...unsafe, call.tool],
  };
}

/** Stands before the prompt of an attempt that follows such calls. */
export function repeatWarning(history: ToolHistory | undefined): string {
  if (!history || history.unsafe.length === 0) return "";
  const times = new Map<string, number>();
  for (const tool of history.unsafe) times.set(tool, (times.get(tool) ?? 0) + 1);
  const list = [...times].map(([tool, count]) => `- ${tool} (${count === 1 ? "once" : `${count} times`})`);
  return `Warning: an earlier attempt of this task already called tools that are not safe to call twice:\n${list.join("\n")}\nLook at what they have done before you call them again.\n\n`;
}
