import type { Ask } from "./asks.ts";
import type { DiffFile, RunEvent, RunStatus, StopReason } from "./run-events.ts";
import type { Finding, IsolationLevel } from "./policy.ts";

/** The one fold from events to what people see. Host list, web list, live page and CLI all use it.
 *  R1. Pure: the same events give the same view; an event with a seq already seen changes nothing. */

export type TranscriptItem =
  | {
      readonly kind: "message";
      readonly id: string;
      readonly role: "user" | "assistant" | "system";
      readonly text: string;
      readonly streaming: boolean;
      readonly atMs: number;
    }
  | {
      readonly kind: "tool";
      readonly id: string;
      readonly tool: string;
      readonly args: string;
      readonly result: { readonly ok: boolean; readonly output: string; readonly tookMs: number } | null;
      readonly atMs: number;
    }
  | {
      readonly kind: "verify";
      readonly id: string;
      readonly command: string;
      readonly green: boolean;
      readonly exitCode: number | null;
      readonly output: string;
      readonly atMs: number;
    }
  | {
      readonly kind: "egress";
      readonly id: string;
      readonly verdict: "allowed" | "blocked";
      readonly host: string;
      readonly port: number;
      readonly rule: string;
      readonly atMs: number;
    }
  | { readonly kind: "ask"; readonly id: string; readonly ask: Ask; readonly atMs: number }
  | { readonly kind: "finding"; readonly id: string; readonly finding: Finding; readonly atMs: number }
  | { readonly kind: "note"; readonly id: string; readonly text: string; readonly atMs: number };

export interface NodeView {
  readonly nodeId: string;
  readonly iteration: number;
  readonly label: string;
  readonly attempt: number;
  readonly state: "running" | "finished" | "failed" | "waiting";
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly detail: string | null;
}

export interface RunView {
  readonly runId: string;
  readonly lastSeq: number;
  readonly title: string;
  readonly workflow: string;
  readonly pearlId: string | null;
  readonly demo: boolean;
  readonly status: RunStatus;
  readonly reason: string | null;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
  readonly sandbox: { readonly driver: string; readonly level: IsolationLevel } | null;
  readonly transcript: readonly TranscriptItem[];
  readonly nodes: readonly NodeView[];
  readonly asks: readonly Ask[];
  /** `costUsd` is null while no priced usage was seen: unpriced is not $0. */
  readonly usage: {
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly costUsd: number | null;
    readonly unpricedCalls: number;
  };
  readonly diff: { readonly hash: string; readonly files: readonly DiffFile[] } | null;
  readonly merged: { readonly commit: string; readonly branch: string } | null;
  readonly stop: { readonly reason: StopReason; readonly detail: string } | null;
}

export function emptyRunView(runId: string): RunView {
  return {
    runId,
    lastSeq: 0,
    title: runId,
    workflow: "",
    pearlId: null,
    demo: false,
    status: "queued",
    reason: null,
    startedAtMs: 0,
    updatedAtMs: 0,
    sandbox: null,
    transcript: [],
    nodes: [],
    asks: [],
    usage: { inputTokens: 0, outputTokens: 0, costUsd: null, unpricedCalls: 0 },
    diff: null,
    merged: null,
    stop: null,
  };
}

export function foldRun(view: RunView, events: readonly RunEvent[]): RunView {
  return events.reduce(
    (seen, event) =>
      event.seq <= seen.lastSeq ? seen : { ...apply(seen, event), lastSeq: event.seq, updatedAtMs: event.atMs },
    view,
  );
}

type Of<T extends RunEvent["type"]> = Extract<RunEvent, { type: T }>;
type Fold<T extends RunEvent["type"]> = (view: RunView, event: Of<T>) => RunView;

/** One row per event type; a new type without a row does not compile. */
const FOLDS: { readonly [T in RunEvent["type"]]: Fold<T> } = {
  "run.started": (view, { title, workflow, pearlId, demo, atMs }) => ({
    ...view,
    title,
    workflow,
    pearlId,
    demo,
    status: "running",
    startedAtMs: view.startedAtMs || atMs,
  }),
  "run.status": (view, { status, reason }) => ({ ...view, status, reason }),
  "node.started": (view, { nodeId, iteration, label, attempt, atMs }) =>
    withNode(view, {
      nodeId,
      iteration,
      label,
      attempt,
      state: "running",
      startedAtMs: atMs,
      endedAtMs: null,
      detail: null,
    }),
  "node.finished": (view, event) => changeNode(view, event, { state: "finished", endedAtMs: event.atMs, detail: null }),
  "node.failed": (view, event) =>
    changeNode(view, event, { state: "failed", endedAtMs: event.atMs, detail: event.error }),
  "node.waiting": (view, event) => changeNode(view, event, { state: "waiting", detail: event.reason }),
  "vm.started": (view, { driver, level }) => ({ ...view, sandbox: { driver, level } }),
  "vm.stopped": (view) => view,
  message: (view, { partId, role, text, atMs }) =>
    withItem(view, { kind: "message", id: partId, role, text, streaming: false, atMs }),
  "message.delta": withDelta,
  "tool.started": (view, { callId, tool, args, atMs }) =>
    withItem(view, { kind: "tool", id: callId, tool, args, result: null, atMs }),
  "tool.finished": withToolResult,
  usage: (view, event) => ({ ...view, usage: addUsage(view.usage, event) }),
  finding: (view, { finding, seq, atMs }) => withItem(view, { kind: "finding", id: `finding-${seq}`, finding, atMs }),
  egress: (view, { verdict, host, port, rule, seq, atMs }) =>
    withItem(view, { kind: "egress", id: `egress-${seq}`, verdict, host, port, rule, atMs }),
  "ask.opened": (view, { ask, atMs }) => withAsk(view, ask, atMs),
  "ask.closed": (view, { ask, atMs }) => withAsk(view, ask, atMs),
  "verify.finished": (view, { command, green, exitCode, output, seq, atMs }) =>
    withItem(view, { kind: "verify", id: `verify-${seq}`, command, green, exitCode, output, atMs }),
  checkpoint: (view) => view,
  "governor.stopped": (view, { reason, detail }) => ({ ...view, stop: { reason, detail } }),
  "diff.ready": (view, { diffHash, files }) => ({ ...view, diff: { hash: diffHash, files } }),
  merged: (view, { commit, branch }) => ({ ...view, merged: { commit, branch } }),
  steered: (view, { text, seq, atMs }) =>
    withItem(view, { kind: "message", id: `steer-${seq}`, role: "user", text, streaming: false, atMs }),
  note: (view, { text, seq, atMs }) => withItem(view, { kind: "note", id: `note-${seq}`, text, atMs }),
};

function apply(view: RunView, event: RunEvent): RunView {
  const fold = FOLDS[event.type] as (view: RunView, event: RunEvent) => RunView;
  return fold(view, event);
}

/** An item replaces the one with its id (a message replaces its own deltas) or goes to the end. */
function withItem(view: RunView, item: TranscriptItem): RunView {
  const at = view.transcript.findIndex((other) => other.id === item.id);
  return { ...view, transcript: at < 0 ? [...view.transcript, item] : view.transcript.with(at, item) };
}

function withDelta(view: RunView, event: Of<"message.delta">): RunView {
  const before = view.transcript.find((item) => item.id === event.partId);
  const text = before?.kind === "message" ? before.text + event.text : event.text;
  return withItem(view, {
    kind: "message",
    id: event.partId,
    role: "assistant",
    text,
    streaming: true,
    atMs: before?.atMs ?? event.atMs,
  });
}

function withToolResult(view: RunView, event: Of<"tool.finished">): RunView {
  const before = view.transcript.find((item) => item.id === event.callId);
  const args = before?.kind === "tool" ? before.args : "";
  return withItem(view, {
    kind: "tool",
    id: event.callId,
    tool: event.tool,
    args,
    result: { ok: event.ok, output: event.output, tookMs: event.tookMs },
    atMs: before?.atMs ?? event.atMs,
  });
}

function withAsk(view: RunView, ask: Ask, atMs: number): RunView {
  const item = view.transcript.find((other) => other.id === ask.id);
  return {
    ...withItem(view, { kind: "ask", id: ask.id, ask, atMs: item?.atMs ?? atMs }),
    asks: [...view.asks.filter((other) => other.id !== ask.id), ask],
  };
}

function withNode(view: RunView, node: NodeView): RunView {
  const others = view.nodes.filter((other) => other.nodeId !== node.nodeId || other.iteration !== node.iteration);
  return { ...view, nodes: [...others, node] };
}

function changeNode(view: RunView, key: { nodeId: string; iteration: number }, change: Partial<NodeView>): RunView {
  return {
    ...view,
    nodes: view.nodes.map((node) =>
      node.nodeId === key.nodeId && node.iteration === key.iteration ? { ...node, ...change } : node,
    ),
  };
}

function addUsage(usage: RunView["usage"], event: Of<"usage">): RunView["usage"] {
  return {
    inputTokens: usage.inputTokens + event.inputTokens,
    outputTokens: usage.outputTokens + event.outputTokens,
    costUsd: event.costUsd === null ? usage.costUsd : (usage.costUsd ?? 0) + event.costUsd,
    unpricedCalls: usage.unpricedCalls + (event.costUsd === null ? 1 : 0),
  };
}
