/** The engine's events as the documented API names them: what `onProgress` hears and what event streams carry.
 *  N1. The same log always gives the same events: an event's place among them is a number that a stream can be resumed from.
 *  N2. What the documented union has no name for is not told; what the log does not know is left out of an event, never made up. */
import type { ErrorInfo, RunStatus, StoredEvent } from "@smooth/engine/events";
import type { SandboxRuntime } from "@smooth/engine/sandboxes";

interface InRun {
  readonly runId: string;
  readonly timestampMs: number;
}
interface OfNode {
  readonly nodeId: string;
  readonly iteration: number;
}
interface OfAttempt extends OfNode {
  readonly attempt: number;
}
interface OfTool extends OfAttempt {
  readonly toolName: string;
  readonly seq: number;
}
interface OfSandbox {
  readonly sandboxId: string;
  readonly runtime: SandboxRuntime;
}
interface OfScorer {
  readonly nodeId: string;
  readonly scorerId: string;
  readonly scorerName: string;
}

type Body =
  | { readonly type: "RunStarted" | "RunFinished" | "RunCancelled" }
  | { readonly type: "RunStatusChanged"; readonly status: RunStatus }
  | { readonly type: "RunFailed"; readonly error: ErrorInfo }
  | { readonly type: "RunContinuedAsNew"; readonly newRunId: string }
  | { readonly type: "RunHijackRequested"; readonly target: string }
  | (OfAttempt & { readonly type: "RunHijacked"; readonly engine: string })
  | (OfNode & {
      readonly type:
        | "NodePending"
        | "NodeSkipped"
        | "NodeWaitingApproval"
        | "ApprovalRequested"
        | "ApprovalGranted"
        | "ApprovalDenied";
    })
  | (OfAttempt & { readonly type: "NodeStarted" | "NodeFinished" | "NodeCancelled" | "NodeRetrying" })
  | (OfAttempt & { readonly type: "NodeFailed"; readonly error: ErrorInfo })
  | (OfAttempt & { readonly type: "NodeOutput"; readonly text: string; readonly stream: "stdout" | "stderr" })
  | (OfTool & { readonly type: "ToolCallStarted" })
  | (OfTool & { readonly type: "ToolCallFinished"; readonly status: "success" | "error" })
  | (OfAttempt & {
      readonly type: "TokenUsageReported";
      readonly model: string;
      readonly agent: string;
      readonly inputTokens: number;
      readonly outputTokens: number;
      readonly cacheReadTokens: number;
      readonly cacheWriteTokens: number;
      readonly reasoningTokens: number;
    })
  | (OfScorer & { readonly type: "ScorerFinished"; readonly score: number })
  | (Omit<OfScorer, "scorerName"> & { readonly type: "ScorerFailed"; readonly error: ErrorInfo })
  | { readonly type: "TimerCreated"; readonly timerId: string; readonly firesAtMs: number }
  | {
      readonly type: "TimerFired";
      readonly timerId: string;
      readonly firesAtMs: number;
      readonly firedAtMs: number;
      readonly delayMs: number;
    }
  | (OfSandbox & { readonly type: "SandboxCreated"; readonly configJson: string })
  | (OfSandbox & { readonly type: "SandboxShipped"; readonly bundleSizeBytes: number })
  | (OfSandbox & {
      readonly type: "SandboxCompleted";
      readonly remoteRunId?: string;
      readonly status: "finished" | "failed" | "cancelled";
      readonly durationMs: number;
    })
  | { readonly type: "MemoryFactSet"; readonly namespace: string; readonly key: string }
  | { readonly type: "MemoryRecalled"; readonly namespace: string; readonly resultCount: number }
  | { readonly type: "WorkflowReloaded"; readonly generation: number; readonly changedFiles: readonly string[] }
  | { readonly type: "WorkflowReloadFailed"; readonly error: ErrorInfo }
  | { readonly type: "WorkflowReloadUnsafe"; readonly reason: string };

export type SmithersEvent = Body & InRun;

/** What is known of a run so far. */
interface Seen {
  readonly attempts: Map<string, number>;
  readonly timers: Map<string, number>;
  readonly facts: Map<string, { readonly namespace: string; readonly key: string }>;
  generation: number;
}

/** One run's log, event by event from its first: some names need what came before. */
export class SmithersEvents {
  readonly #seen: Seen = { attempts: new Map(), timers: new Map(), facts: new Map(), generation: 0 };

  translate(event: StoredEvent): readonly SmithersEvent[] {
    const { runId, atMs: timestampMs } = event;
    if ("attempt" in event) this.#seen.attempts.set(keyOf(event), event.attempt);
    const name = NAMES[event.type] as ((event: StoredEvent, seen: Seen) => readonly Body[]) | undefined;
    return (name?.(event, this.#seen) ?? []).map((body) => ({ ...body, runId, timestampMs }));
  }
}

/** For events of several runs. `past`: what happened in them before the first that is asked about. */
export function translator(past: readonly StoredEvent[] = []): (event: StoredEvent) => readonly SmithersEvent[] {
  const logs = new Map<string, SmithersEvents>();
  const translate = (event: StoredEvent): readonly SmithersEvent[] => {
    const names = logs.get(event.runId) ?? new SmithersEvents();
    logs.set(event.runId, names);
    return names.translate(event);
  };
  for (const event of past) translate(event);
  return translate;
}

type Named = { readonly [T in StoredEvent["type"]]?: (event: Of<T>, seen: Seen) => readonly Body[] };
type Of<T> = Extract<StoredEvent, { type: T }>;

const keyOf = ({ nodeId, iteration }: OfNode): string => `${nodeId}::${iteration}`;
const nodeOf = ({ nodeId, iteration }: OfNode): OfNode => ({ nodeId, iteration });
const attemptOf = ({ attempt, ...at }: OfAttempt): OfAttempt => ({ ...nodeOf(at), attempt });
const toolOf = ({ tool, call, ...at }: Of<"tool.started" | "tool.finished">): OfTool => ({
  ...attemptOf(at),
  toolName: tool,
  seq: call,
});

/** N2. */
const NAMES: Named = {
  "run.started": () => [{ type: "RunStarted" }],
  "run.claimed": () => [{ type: "RunStatusChanged", status: "running" }],
  "run.status": (event) => [{ type: "RunStatusChanged", status: event.status }, ...ending(event)],
  "run.reloaded": ({ changed }, seen) => [
    { type: "WorkflowReloaded", generation: (seen.generation += 1), changedFiles: changed },
  ],
  "run.reload-refused": ({ error }) =>
    error.code === "SCHEMA_CHANGE_HOT"
      ? [{ type: "WorkflowReloadUnsafe", reason: error.message }]
      : [{ type: "WorkflowReloadFailed", error }],
  "node.started": (event) => [{ type: "NodeStarted", ...attemptOf(event) }],
  "node.finished": finished,
  "node.failed": (event) => {
    const failed = { type: "NodeFailed", ...attemptOf(event), error: event.error } as const;
    return event.retryAtMs === null ? [failed] : [failed, { type: "NodeRetrying", ...attemptOf(event) }];
  },
  "node.cancelled": (event) => [{ type: "NodeCancelled", ...attemptOf(event) }],
  "node.skipped": (event) => [{ type: "NodeSkipped", ...nodeOf(event) }],
  "node.output": (event) => [{ type: "NodeOutput", ...attemptOf(event), text: event.text, stream: event.stream }],
  "node.usage": (event) => {
    if (event.ofRun !== undefined) return []; // that run reports it itself
    const { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens } = event;
    const tokens = { inputTokens, outputTokens, cacheReadTokens, cacheWriteTokens, reasoningTokens };
    const whose = { model: event.model ?? "unknown", agent: event.agent ?? "unknown" };
    return [{ type: "TokenUsageReported", ...attemptOf(event), ...whose, ...tokens }];
  },
  "wait.opened": (event, seen) => {
    const { on, nodeId } = event;
    const attempt = seen.attempts.get(keyOf(event)) ?? 0;
    if (on.kind === "hijack") return [{ type: "RunHijacked", ...nodeOf(event), attempt, engine: on.engine }];
    if (on.kind !== "timer") return [{ type: "NodePending", ...nodeOf(event) }];
    seen.timers.set(keyOf(event), on.dueMs);
    return [{ type: "TimerCreated", timerId: nodeId, firesAtMs: on.dueMs }];
  },
  "approval.opened": (event) => [
    { type: "NodeWaitingApproval", ...nodeOf(event) },
    { type: "ApprovalRequested", ...nodeOf(event) },
  ],
  "approval.decided": (event) => [
    { type: event.verdict === "deny" ? "ApprovalDenied" : "ApprovalGranted", ...nodeOf(event) },
  ],
  "hijack.requested": ({ nodeId }) => [{ type: "RunHijackRequested", target: nodeId }],
  "tool.started": (event) => [{ type: "ToolCallStarted", ...toolOf(event) }],
  "tool.finished": (event) => [{ type: "ToolCallFinished", ...toolOf(event), status: event.status }],
  "sandbox.created": ({ sandboxId, runtime, level, config }) => [
    { type: "SandboxCreated", sandboxId, runtime, configJson: JSON.stringify({ level, ...Object(config) }) },
  ],
  "sandbox.shipped": ({ sandboxId, runtime, bundleSizeBytes }) => [
    { type: "SandboxShipped", sandboxId, runtime, bundleSizeBytes },
  ],
  "sandbox.completed": ({ sandboxId, runtime, remoteRunId, status, durationMs }) => [
    {
      type: "SandboxCompleted",
      sandboxId,
      runtime,
      ...(remoteRunId === undefined ? {} : { remoteRunId }),
      status,
      durationMs,
    },
  ],
  "score.recorded": ({ nodeId, scorerId, scorerName, score }) => [
    { type: "ScorerFinished", nodeId, scorerId, scorerName, score },
  ],
  "score.failed": ({ nodeId, scorerId, error }) => [{ type: "ScorerFailed", nodeId, scorerId, error }],
  "memory.recalled": ({ namespace, keys }) => [{ type: "MemoryRecalled", namespace, resultCount: keys.length }],
  "aftermath.due": (event, seen) => {
    if (event.remember) seen.facts.set(keyOf(event), event.remember);
    return [];
  },
  "memory.remembered": (event, seen) => {
    const fact = seen.facts.get(keyOf(event));
    return fact ? [{ type: "MemoryFactSet", ...fact }] : [];
  },
};

function finished(event: Of<"node.finished">, { timers, attempts }: Seen): readonly Body[] {
  const firesAtMs = timers.get(keyOf(event));
  if (firesAtMs === undefined)
    return [{ type: "NodeFinished", ...nodeOf(event), attempt: attempts.get(keyOf(event)) ?? 0 }];
  const firedAtMs = event.atMs;
  return [{ type: "TimerFired", timerId: event.nodeId, firesAtMs, firedAtMs, delayMs: firedAtMs - firesAtMs }];
}

function ending({ status, error, nextRunId = "" }: Of<"run.status">): readonly Body[] {
  if (status === "finished") return [{ type: "RunFinished" }];
  if (status === "cancelled") return [{ type: "RunCancelled" }];
  if (status === "continued") return [{ type: "RunContinuedAsNew", newRunId: nextRunId }];
  return status === "failed" && error ? [{ type: "RunFailed", error }] : [];
}
