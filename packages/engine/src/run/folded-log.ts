/** What the logs of runs come to, kept per store: a process that asks again reads only what is new.
 *  K1. A log only grows, so what was folded stays right; each event is folded once, in order. */
import { stateKey } from "../graph/identity.ts";
import type { RunStore } from "../store/port.ts";
import type { StoredEvent } from "./events.ts";
import { applyEvent, emptyState, type RunState } from "./state.ts";

export interface FoldedLog {
  readonly state: RunState;
  /** Per state key: when its wait was opened, or its last attempt failed. */
  readonly since: Map<string, number>;
  /** Per state key: what came and did not fit, or why the last attempt failed. */
  readonly problems: Map<string, string>;
}

interface Kept extends FoldedLog {
  seq: number;
}

/** Runs per store; those that were asked for last stay. */
const MOST = 16;
const kept = new WeakMap<RunStore, Map<string, Kept>>();

/** As of now. The next call changes what this one gave: read it before anything is waited for. */
export async function foldedLog(store: RunStore, runId: string): Promise<FoldedLog> {
  const logs = kept.get(store) ?? new Map<string, Kept>();
  kept.set(store, logs);
  const log = logs.get(runId) ?? { seq: 0, state: emptyState(), since: new Map(), problems: new Map() };
  const news = await store.events(runId, log.seq);
  for (const event of news) if (event.seq === log.seq + 1) fold(log, event); // K1, whoever else asks meanwhile
  logs.delete(runId);
  if (log.seq > 0) logs.set(runId, log);
  const [oldest] = logs.keys();
  if (logs.size > MOST && oldest !== undefined) logs.delete(oldest);
  return log;
}

function fold(log: Kept, event: StoredEvent): void {
  const { state, since, problems } = log;
  log.seq = event.seq;
  applyEvent(state, event);
  if (!("nodeId" in event)) return;
  const key = stateKey(event);
  if (event.type === "approval.opened" || event.type === "wait.opened") since.set(key, event.atMs);
  if (event.type === "human.rejected") problems.set(key, event.problem);
  if (event.type === "signal.rejected") problems.set(key, event.error.message);
  if (event.type !== "node.failed") return;
  since.set(key, event.atMs);
  problems.set(key, event.error.message);
}
