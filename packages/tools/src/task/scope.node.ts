/** Tools that know which task calls them. A host puts `bindTools(...)` around every task body; a tool called anywhere below it, also
 *  by an agent that knows nothing of us, finds its task again.
 *  T1. A tool that the task does not allow, that the host's judge refuses, or that no task calls, does nothing.
 *  T2. Every call is in the task's log, with its end, whatever the end was; the log's texts are redacted.
 *  T3. The idempotency key of a call is the same in every attempt of a task's iteration: it is made of the tool, its input, and how
 *      many calls with that input came before in the attempt.
 *  T4. When the body ends, every process its tools have started is gone. */
import { AsyncLocalStorage } from "node:async_hooks";
import { createHash } from "node:crypto";
import process from "node:process";
import { SmoothError } from "@smooth/protocol/errors";
import { networkWall } from "../workspace/network-wall.node.ts";
import { NO_WALL, openNodeWorkspace } from "../workspace/node-workspace.node.ts";
import type { Workspace } from "../workspace/workspace.ts";

/** What the engine lends to the tools of one body. */
export interface ToolScope {
  readonly runId: string;
  readonly nodeId: string;
  readonly iteration: number;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
  readonly allowTools: readonly string[] | null;
  /** Where this task works instead of the root. */
  readonly worktree?: { readonly path: string } | null | undefined;
  readonly toolLog: {
    begin(call: LoggedCall): Promise<(end: { readonly status: "success" | "error"; readonly output: string }) => void>;
  };
}

interface LoggedCall {
  readonly tool: string;
  readonly sideEffect: boolean;
  readonly idempotent: boolean;
  readonly input: string;
}

export interface ToolOptions {
  /** Where paths start and what none may leave. */
  readonly rootDir: string;
  /** Whether commands may use the network; default false. */
  readonly allowNetwork?: boolean | undefined;
  /** Per call; default 200,000. */
  readonly maxOutputBytes?: number | undefined;
  /** For bash and grep; default 60,000. */
  readonly toolTimeoutMs?: number | undefined;
  /** The environment of commands; default: PATH, HOME and the like of this process, and none of its secrets. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Applied to what goes into the log. */
  readonly redact?: ((text: string) => string) | undefined;
  /** Where the tools of a task work, when that is not simply the folder itself: it walls off its commands by its own means. */
  readonly open?: ((place: TaskPlace) => Workspace) | undefined;
  /** Whether a call may be made. Throws what the agent should read instead. */
  readonly judge?: ((call: JudgedCall, place: TaskPlace) => Promise<void>) | undefined;
}

export interface TaskPlace {
  readonly rootDir: string;
  readonly signal: AbortSignal;
}

export interface JudgedCall {
  readonly tool: string;
  readonly args: unknown;
}

/** A call in its task. */
export interface TaskCall extends Omit<ToolScope, "toolLog" | "allowTools"> {
  readonly workspace: () => Workspace;
  readonly maxOutputBytes: number;
  readonly toolTimeoutMs: number;
  readonly allowNetwork: boolean;
  /** Throws SANDBOX_UNAVAILABLE where commands must not use the network and nothing can keep them from it. */
  readonly checkWall: () => Promise<void>;
}

interface Bound {
  readonly scope: ToolScope;
  readonly options: ToolOptions;
  readonly place: TaskPlace;
  readonly workspace: () => Workspace;
  /** How often each tool was called with each input in this attempt. */
  readonly repeats: Map<string, number>;
}

const current = new AsyncLocalStorage<Bound>();
let opened = 0;

export function bindTools(options: ToolOptions): <T>(scope: ToolScope, body: () => Promise<T>) => Promise<T> {
  return async (scope, body) => {
    let held: Workspace | undefined;
    const place = { rootDir: scope.worktree?.path ?? options.rootDir, signal: scope.signal };
    const open = options.open ?? ((at: TaskPlace) => openWorkspace({ ...options, rootDir: at.rootDir }));
    const workspace = (): Workspace => (held ??= open(place));
    try {
      return await current.run({ scope, options, place, workspace, repeats: new Map() }, body);
    } finally {
      await held?.[Symbol.asyncDispose](); // T4
    }
  };
}

function openWorkspace({ rootDir, allowNetwork = false, env = plainEnv() }: ToolOptions): Workspace {
  const marker = `task-${process.pid}-${(opened += 1)}`;
  return openNodeWorkspace(rootDir, { env, marker, network: allowNetwork ? "open" : "none" });
}

const PLAIN = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TERM", "TMPDIR", "TZ"];
const plainEnv = (): Record<string, string | undefined> =>
  Object.fromEntries(PLAIN.map((name) => [name, process.env[name]]));

export interface CallableTool {
  readonly name: string;
  readonly sideEffect: boolean;
  readonly idempotent: boolean;
}

export interface CallArguments {
  readonly args: unknown;
  /** What the log shows of them. */
  readonly logged: unknown;
}

/** T1, T2. */
export async function callInTask<T>(
  tool: CallableTool,
  { args, logged }: CallArguments,
  run: (call: TaskCall) => Promise<T>,
): Promise<T> {
  const bound = current.getStore();
  const { name, sideEffect, idempotent } = tool;
  if (!bound)
    throw new SmoothError(
      "TASK_RUNTIME_UNAVAILABLE",
      `tool ${name} was called outside of a task whose host binds tools`,
    );
  const { scope, options, place } = bound;
  if (scope.allowTools && !scope.allowTools.includes(name))
    throw new SmoothError("POLICY_DENIED", `task ${scope.nodeId} does not allow the tool ${name}`);
  scope.signal.throwIfAborted(); // nothing of a body that is over
  const { redact = (text) => text } = options;
  const begun = scope.toolLog.begin({
    tool: name,
    sideEffect,
    idempotent,
    input: redact(JSON.stringify(logged) ?? ""),
  });
  const end = await unlessAborted(begun, scope.signal);
  try {
    await options.judge?.({ tool: name, args }, place);
    const output = await run(callOf(bound, name, logged));
    end({ status: "success", output: redact(typeof output === "string" ? output : (JSON.stringify(output) ?? "")) });
    return output;
  } catch (error) {
    end({ status: "error", output: redact(error instanceof Error ? error.message : String(error)) });
    throw error;
  }
}

function callOf({ scope, options, workspace, repeats }: Bound, tool: string, input: unknown): TaskCall {
  const { toolLog: _log, allowTools: _allow, ...task } = scope;
  const { maxOutputBytes = 200_000, toolTimeoutMs = 60_000, allowNetwork = false, open } = options;
  const digest = createHash("sha256")
    .update(`${tool}\n${JSON.stringify(input)}`)
    .digest("hex")
    .slice(0, 32);
  const repeat = repeats.get(digest) ?? 0;
  repeats.set(digest, repeat + 1);
  const idempotencyKey = `${scope.idempotencyKey}:${digest}:${repeat}`; // T3
  const checkWall = async (): Promise<void> => {
    if (!open && !allowNetwork && !(await networkWall())) throw new SmoothError("SANDBOX_UNAVAILABLE", NO_WALL);
  };
  return { ...task, idempotencyKey, workspace, maxOutputBytes, toolTimeoutMs, allowNetwork, checkWall };
}

/** The note of a call may never become durable: the run has been lost or stopped. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}
