/** What a task's body is given and what an agent must offer. */
import { SmoothError } from "@smooth/protocol/errors";
import type { z } from "zod";
import type { JsonValue } from "../outputs/json.ts";
import type { ReportedUsage } from "./usage.ts";

export type { ReportedUsage };

/** Where the tasks below a <Worktree> work. */
export interface TaskWorktree {
  readonly id: string;
  /** Absolute. */
  readonly path: string;
  readonly branch: string | null;
}

/** What a body asks a person. */
export interface Question<S extends z.ZodType> {
  readonly prompt: string;
  /** Of the answer; a text when absent. */
  readonly schema?: S;
  /** One of these is the answer. */
  readonly choices?: readonly string[];
  readonly timeoutMs?: number;
}

/** Handed to every compute body. */
export interface TaskContext {
  readonly runId: string;
  readonly nodeId: string;
  readonly iteration: number;
  /** 1 for the first try; a body cut off by a crash sees a higher number and the same idempotency key. */
  readonly attempt: number;
  readonly idempotencyKey: string;
  /** Null: outside a <Worktree>. */
  readonly worktree: TaskWorktree | null;
  /** Aborted when the run is cancelled or fails, when the task times out, or when the run is let go by its process. */
  readonly signal: AbortSignal;
  /** Proof of life with a small JSON payload (≤ 1 MB); the last one reaches the next attempt. */
  heartbeat(payload?: JsonValue): void;
  readonly lastHeartbeat: JsonValue | null;
  /** Blocks until a person has answered. Asked again after a crash or in a retry, the same question has the same answer.
   *  Rejects with HUMAN_TASK_CANCELLED when they refuse, with TIMED_OUT when nobody does in time. */
  ask<S extends z.ZodType = z.ZodString>(question: Question<S>): Promise<z.output<S>>;
}

/** A function child; its context also carries the rows of `deps` by name. */
export type ComputeFn = (context: never) => unknown;

export interface ConversationMessage {
  readonly role: "user" | "assistant";
  readonly content: string;
  /** The same turn in the agent's own words (AI SDK messages with tool calls and results), as its result brought them. */
  readonly native?: readonly unknown[];
}

export interface GenerateArgs extends TaskContext {
  readonly prompt: string;
  /** The same signal under the name the AI SDK uses. */
  readonly abortSignal: AbortSignal;
  readonly outputSchema: z.ZodType;
  /** Earlier turns: of the task's memory thread, and of this attempt when the engine asks for a correction. */
  readonly conversation: readonly ConversationMessage[];
  /** Names of the tools this task may call, empty: none; null: all that the agent has. */
  readonly allowTools: readonly string[] | null;
  /** What an earlier attempt, or a person who had it in hand, left of the agent's session; null: begin a new one. */
  readonly session: JsonValue;
  /** Says how the session can be taken up again (≤ 64 KB of JSON): it reaches later attempts, and whoever takes the task over. */
  reportSession(session: JsonValue): void;
  /** Tokens used since the last report, while the agent is still at work. An agent that calls this is not asked for the
   *  usage of its result, which would count them twice. */
  reportUsage(usage: ReportedUsage): void;
  /** What the agent says on the way, for whoever watches; proof of life, too. */
  onStdout(text: string): void;
  onStderr(text: string): void;
}

/** Anything that can answer a prompt. It may throw; it must stop when `signal` aborts. */
export interface AgentLike {
  readonly id?: string | undefined;
  readonly tools?: unknown;
  readonly capabilities?: unknown;
  /** How a person opens its session: the program (`cliEngine`), or who speaks its conversation (`hijackEngine`). */
  readonly cliEngine?: string | undefined;
  readonly hijackEngine?: string | undefined;
  // A method, so that agents with narrower argument types (the AI SDK's) fit.
  generate(args: GenerateArgs): Promise<unknown>;
}

/** What an agent throws when its provider refuses it until later: the task waits instead of losing an attempt. */
export const quotaError = (message: string, retryAfterMs: number): SmoothError =>
  new SmoothError("RATE_LIMITED", message, { details: { retryAfterMs } });
