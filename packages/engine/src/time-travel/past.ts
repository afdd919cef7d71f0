/** What each node and loop of a run has been through, as the log tells it. */
import { stateKey, type NodeRef } from "../graph/identity.ts";
import type { RunEventBody, StoredEvent } from "../run/events.ts";

export interface Past extends NodeRef {
  readonly beganSeq: number;
  /** Of its newest event. */
  readonly lastSeq: number;
  /** When its row was recorded; of a node that has none, its newest event. */
  readonly endedSeq: number;
  /** The highest one; 0 where there are none (waits). */
  readonly attempt: number;
}

type NodeEvent = Extract<StoredEvent, NodeRef>;

/** What is told about a node without changing what it has come to. */
const REMARKS: ReadonlySet<StoredEvent["type"]> = new Set([
  "aftermath.due",
  "score.recorded",
  "score.failed",
  "memory.recalled",
  "memory.remembered",
  "memory.failed",
  "node.usage",
  "node.output",
  "tool.started",
  "tool.finished",
  "vcs.pointer",
]);
const isNodeEvent = (event: StoredEvent): event is NodeEvent =>
  "nodeId" in event && "iteration" in event && !REMARKS.has(event.type);

/** A node that was sent back and has not begun again has no past, but the number of its attempts. */
export function pastOf(events: readonly StoredEvent[]): ReadonlyMap<string, Past> {
  const past = new Map<string, Past>();
  const attempts = new Map<string, number>();
  for (const event of events) {
    if (event.type === "nodes.reset") for (const node of event.nodes) past.delete(stateKey(node));
    if (!isNodeEvent(event)) continue;
    const key = stateKey(event);
    attempts.set(key, Math.max(attempts.get(key) ?? 0, "attempt" in event ? event.attempt : 0));
    past.set(key, next(past.get(key), event, attempts.get(key) ?? 0));
  }
  return past;
}

const next = (before: Past | undefined, event: NodeEvent, attempt: number): Past => ({
  nodeId: event.nodeId,
  iteration: event.iteration,
  beganSeq: before?.beganSeq ?? event.seq,
  lastSeq: event.seq,
  endedSeq: event.seq,
  attempt,
});

type Failure = Extract<RunEventBody, { type: "nodes.reset" }>["scopes"][number]["failed"] & {};

export interface ScopePast {
  /** What was given up first: its body. */
  readonly first: Failure;
  readonly now: Failure;
  readonly sinceSeq: number;
}

/** Tries and sagas of which a part failed, by scope id. */
export function scopesIn(events: readonly StoredEvent[]): ReadonlyMap<string, ScopePast> {
  const scopes = new Map<string, ScopePast>();
  const fail = (scopeId: string, now: Failure, seq: number): void => {
    const { first = now, sinceSeq = seq } = scopes.get(scopeId) ?? {};
    scopes.set(scopeId, { first, now, sinceSeq });
  };
  for (const event of events) {
    if (event.type === "scope.failed")
      fail(event.scopeId, { next: event.next, error: event.error, completed: event.completed }, event.seq);
    if (event.type !== "nodes.reset") continue;
    for (const { scopeId, failed } of event.scopes) {
      if (failed === null) scopes.delete(scopeId);
      else fail(scopeId, failed, event.seq);
    }
  }
  return scopes;
}

export interface LoopPast {
  readonly iteration: number;
  /** When it left its first pass. */
  readonly sinceSeq: number;
}

/** Loops that are past their first pass, by scoped id. */
export function loopsIn(events: readonly StoredEvent[]): ReadonlyMap<string, LoopPast> {
  const loops = new Map<string, LoopPast>();
  for (const event of events) {
    if (event.type === "loop.advanced")
      loops.set(event.loopId, { iteration: event.iteration, sinceSeq: loops.get(event.loopId)?.sinceSeq ?? event.seq });
    if (event.type !== "nodes.reset") continue;
    for (const { loopId, iteration } of event.loops) {
      if (iteration === null) loops.delete(loopId);
      else loops.set(loopId, { iteration, sinceSeq: loops.get(loopId)?.sinceSeq ?? event.seq });
    }
  }
  return loops;
}
