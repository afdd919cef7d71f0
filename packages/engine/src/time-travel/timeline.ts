/** What happened in a run and where it was forked, in order: what a person picks a frame from. */
import type { ErrorInfo, StoredEvent } from "../run/events.ts";
import type { RunRow, RunStore } from "../store/port.ts";
import { runOf } from "./history.ts";

/** `frame` is the seq after which it holds. */
export type TimelineEntry = { readonly frame: number; readonly atMs: number } & (
  | {
      readonly kind: "attempt";
      readonly nodeId: string;
      readonly iteration: number;
      readonly attempt: number;
      readonly end: AttemptEnd | null;
    }
  | { readonly kind: "status"; readonly status: string }
  | { readonly kind: "reset"; readonly verb: string; readonly by: string; readonly nodes: number }
  | { readonly kind: "fork"; readonly runId: string; readonly label: string | null }
);

export interface AttemptEnd {
  readonly frame: number;
  readonly atMs: number;
  readonly how: "finished" | "failed" | "cancelled" | "skipped";
  readonly error: ErrorInfo | null;
}

export interface Timeline {
  readonly run: RunRow;
  readonly entries: readonly TimelineEntry[];
  /** Timelines of the forks; only with `tree`. */
  readonly forks: readonly Timeline[];
}

/** Throws RUN_NOT_FOUND. */
export async function timeline(
  store: RunStore,
  runId: string,
  { tree }: { readonly tree: boolean },
): Promise<Timeline> {
  const run = await runOf(store, runId);
  const forks = (await store.runs({ forkedFrom: runId })).toReversed();
  return {
    run,
    entries: entriesOf(await store.events(runId, 0), forks),
    forks: tree ? await Promise.all(forks.map((fork) => timeline(store, fork.runId, { tree }))) : [],
  };
}

/** Pure: the events of a run and its forks, as entries in order of their frames. */
export function entriesOf(
  events: readonly StoredEvent[],
  forks: readonly Pick<RunRow, "runId" | "forkedFrom" | "createdAtMs">[],
): readonly TimelineEntry[] {
  const ends = endsOf(events);
  const own = events.flatMap((event): TimelineEntry[] => {
    const at = { frame: event.seq, atMs: event.atMs };
    if (event.type === "run.status") return [{ ...at, kind: "status", status: event.status }];
    if (event.type === "nodes.reset")
      return [{ ...at, kind: "reset", verb: event.verb, by: event.by, nodes: event.nodes.length }];
    if (event.type !== "node.started") return [];
    const { nodeId, iteration, attempt } = event;
    return [{ ...at, kind: "attempt", nodeId, iteration, attempt, end: ends.get(event.seq) ?? null }];
  });
  const branches = forks.map(({ runId, forkedFrom, createdAtMs }): TimelineEntry => {
    return { frame: forkedFrom?.atSeq ?? 0, atMs: createdAtMs, kind: "fork", runId, label: forkedFrom?.label ?? null };
  });
  return [...own, ...branches].toSorted((a, b) => a.frame - b.frame);
}

const HOW = {
  "node.finished": "finished",
  "node.failed": "failed",
  "node.cancelled": "cancelled",
  "node.skipped": "skipped",
} as const;

/** By the seq of the start. */
function endsOf(events: readonly StoredEvent[]): ReadonlyMap<number, AttemptEnd> {
  const open = new Map<string, number>();
  const ends = new Map<number, AttemptEnd>();
  for (const event of events) {
    if (event.type === "node.started") open.set(`${event.nodeId}::${event.iteration}`, event.seq);
    if (!(event.type in HOW) || !("nodeId" in event)) continue;
    const key = `${event.nodeId}::${event.iteration}`;
    const error = event.type === "node.failed" ? event.error : null;
    const start = open.get(key);
    if (start !== undefined)
      ends.set(start, { frame: event.seq, atMs: event.atMs, how: HOW[event.type as keyof typeof HOW], error });
    open.delete(key);
  }
  return ends;
}
