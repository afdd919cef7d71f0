import { assertNever } from "@smooth/protocol/errors";
import type { RunEventBody, RunStatus } from "@smooth/protocol/run-events";
import type { StoredEvent } from "@smooth/engine/events";

/** From the engine's log to what people see. Pure. Waits become asks elsewhere; here they are only named.
 *  An agent's own words are redacted first. */
export function peopleSee(event: StoredEvent, redact: (text: string) => string): RunEventBody[] {
  if (isNoted(event)) return [{ type: "note", text: redact(noteOf(event)) }];
  switch (event.type) {
    case "run.status":
      return [statusOf(event)];
    case "run.claimed":
      return [{ type: "run.status", status: "running", reason: "The host continues this run." }];
    case "node.started":
      return [started(event)];
    case "node.finished":
      return [{ type: "node.finished", nodeId: event.nodeId, iteration: event.iteration, attempt: 1 }];
    case "node.failed":
    case "node.cancelled":
      return [failed(event)];
    case "approval.opened":
    case "wait.opened":
      return [waiting(event)];
    case "node.usage":
      return event.ofRun === undefined ? [used(event)] : []; // that run tells it itself
    case "alert.reacted":
      return event.error
        ? [{ type: "note", text: redact(`Alert ${event.alert} had no effect: ${event.error.message}`) }]
        : [];
    case "node.output":
      return event.stream === "stdout" ? [said(event, redact)] : [];
    case "run.resume-failed":
    case "vcs.pointer":
    case "signal.used":
    case "run.pause-requested":
    case "run.unpaused":
    case "run.started":
    case "run.continues":
    case "node.skipped":
    case "agent.session":
    case "hijack.requested":
    case "hijack.refused":
    case "hijack.ended":
    case "wait.over":
    case "tool.started":
    case "tool.finished":
    case "approval.decided":
    case "loop.advanced":
    case "aftermath.due":
    case "score.recorded":
    case "score.failed":
    case "memory.recalled":
    case "memory.remembered":
    case "memory.failed":
    case "sandbox.shipped":
    case "sandbox.completed":
      return [];
    default:
      return assertNever(event);
  }
}

const statusOf = ({ status, error }: Extract<StoredEvent, { type: "run.status" }>): RunEventBody => ({
  type: "run.status",
  status: STATUS[status],
  reason: error?.message ?? WAITS[status] ?? null,
});

function started(event: Extract<StoredEvent, { type: "node.started" }>): RunEventBody {
  const { type, nodeId, iteration, attempt, label } = event;
  return { type, nodeId, iteration, attempt, label };
}

/** What people read as a sentence. */
const NOTED = [
  "signal.received",
  "signal.rejected",
  "human.asked",
  "human.rejected",
  "scope.failed",
  "run.change-accepted",
  "run.reloaded",
  "run.reload-refused",
  "run.parked",
  "run.unparked",
  "alert.raised",
  "nodes.reset",
  "run.forked",
  "vcs.restored",
  "run.given-up",
  "sandbox.created",
  "sandbox.bundled",
] as const;
type Noted = Extract<StoredEvent, { type: (typeof NOTED)[number] }>;
const isNoted = (event: StoredEvent): event is Noted => NOTED.some((type) => type === event.type);

function noteOf(event: Noted): string {
  switch (event.type) {
    case "signal.received":
      return `${event.by} sent the signal ${event.name}.`;
    case "signal.rejected":
      return event.error.message;
    case "human.asked":
      return `${event.nodeId} asks: ${event.prompt}`;
    case "human.rejected":
      return `${event.by}'s answer to ${event.nodeId} does not fit: ${event.problem}`;
    case "scope.failed":
      return `${event.error.message} — ${event.scopeId} goes on with its ${event.next}.`;
    case "run.change-accepted":
      return `${event.by} accepted a changed workflow: ${event.changed.join(", ")}.`;
    case "run.reloaded":
      return `The edited workflow is in use: ${event.changed.join(", ")}.`;
    case "alert.raised":
      return `Alert ${event.alert} (${event.severity}): ${event.message}.`;
    case "run.reload-refused":
      return event.error.message;
    case "run.parked":
      return `Waits for room on the disk: ${Math.round(event.freeBytes / 2 ** 20)} MB are free. Nothing new is started until there is more.`;
    case "run.unparked":
      return "There is room on the disk again; the run goes on.";
    case "nodes.reset":
      return `${event.by} sent the run back (${event.verb}); nodes to do again: ${event.nodes.length}.`;
    case "run.forked":
      return `${event.by} forked this run from ${event.from} at frame ${event.atSeq}.`;
    case "vcs.restored":
      return `${event.by} put the files of ${event.root} back.`;
    case "sandbox.created":
      return `${event.nodeId} runs in a sandbox: ${event.runtime} (${event.level}).`;
    case "sandbox.bundled": {
      const next = event.review ? "Somebody has to agree before they are written" : "They are written";
      return `The sandbox of ${event.nodeId} changed ${event.files} files. ${next}:\n\n${event.patch}`;
    }
    case "run.given-up":
      return `Gave up resuming after ${event.failures} failures: ${event.error.message} Resume it by hand when that is mended.`;
  }
}

function failed(event: Extract<StoredEvent, { type: "node.failed" | "node.cancelled" }>): RunEventBody {
  const { nodeId, iteration, attempt } = event;
  if (event.type === "node.cancelled")
    return { type: "node.failed", nodeId, iteration, attempt, error: "cancelled", willRetryAtMs: null };
  return {
    type: "node.failed",
    nodeId,
    iteration,
    attempt,
    error: event.error.message,
    willRetryAtMs: event.retryAtMs,
  };
}

/** A task's agent is no slot; which provider it asks is its own affair. */
const used = ({
  agent,
  model,
  inputTokens,
  outputTokens,
  costUsd,
}: Extract<StoredEvent, { type: "node.usage" }>): RunEventBody => ({
  type: "usage",
  slot: "task",
  provider: agent ?? "agent",
  model: model ?? "unknown",
  inputTokens,
  outputTokens,
  costUsd,
  estimated: false,
});

type WaitKind = Extract<StoredEvent, { type: "wait.opened" }>["on"]["kind"];
function waiting(event: Extract<StoredEvent, { type: "approval.opened" | "wait.opened" }>): RunEventBody {
  const reason = event.type === "approval.opened" ? event.title : WAITS_ON[event.on.kind];
  return { type: "node.waiting", nodeId: event.nodeId, iteration: event.iteration, reason };
}

function said(
  { nodeId, iteration, seq, text }: Extract<StoredEvent, { type: "node.output" }>,
  redact: (text: string) => string,
): RunEventBody {
  const partId = `${nodeId}::${iteration}-${seq}`;
  return { type: "message", partId, role: "assistant", text: redact(text).slice(-MAX_WORDS) };
}

const MAX_WORDS = 100_000;

type EngineStatus = Extract<StoredEvent, { type: "run.status" }>["status"];

const STATUS: Readonly<Record<EngineStatus, RunStatus>> = {
  running: "running",
  paused: "paused",
  "waiting-approval": "waiting",
  "waiting-event": "waiting",
  "waiting-timer": "waiting",
  "waiting-quota": "waiting",
  finished: "finished",
  continued: "finished",
  failed: "failed",
  cancelled: "cancelled",
};

const WAITS_ON: Readonly<Record<WaitKind, string>> = {
  approval: "Waits for a decision.",
  human: "Waits for your answer.",
  signal: "Waits for a signal.",
  timer: "Waits for its time.",
  hijack: "Waits for the person who has its session.",
  quota: "Waits until the provider's limit resets.",
  run: "Waits for a run of its own.",
};

const WAITS: Partial<Record<EngineStatus, string>> = {
  "waiting-approval": "Waits for a person.",
  "waiting-event": "Waits for an event.",
  "waiting-timer": "Waits for its time.",
  "waiting-quota": "Waits until the provider's limit resets.",
};
