import type { Ask } from "@smooth/protocol/asks";
import type { RunEvent, RunStatus } from "@smooth/protocol/run-events";

/** What a list shows of a run, folded from its events without keeping the whole view.
 *  R1. Pure; the events come in order and each once. */

export interface Summary {
  readonly title: string;
  readonly workflow: string;
  readonly pearlId: string | null;
  readonly demo: boolean;
  readonly status: RunStatus;
  readonly reason: string | null;
  /** Null while no priced usage was seen: unpriced is not $0. */
  readonly costUsd: number | null;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
  readonly lastSeq: number;
}

export const emptySummary = (runId: string, atMs: number): Summary => ({
  title: runId,
  workflow: "",
  pearlId: null,
  demo: false,
  status: "queued",
  reason: null,
  costUsd: null,
  startedAtMs: atMs,
  updatedAtMs: atMs,
  lastSeq: 0,
});

export function foldSummary(summary: Summary, event: RunEvent): Summary {
  return { ...summary, ...changeBy(summary, event), updatedAtMs: event.atMs, lastSeq: event.seq };
}

function changeBy({ costUsd }: Summary, event: RunEvent): Partial<Summary> {
  if (event.type === "run.status") return { status: event.status, reason: event.reason };
  if (event.type === "usage" && event.costUsd !== null) return { costUsd: (costUsd ?? 0) + event.costUsd };
  if (event.type !== "run.started") return {};
  const { title, workflow, pearlId, demo, atMs } = event;
  return { title, workflow, pearlId, demo, status: "running", reason: null, startedAtMs: atMs };
}

/** The last word on each ask. */
export function asksOf(events: readonly RunEvent[]): Ask[] {
  const asks = events.flatMap((event) =>
    event.type === "ask.opened" || event.type === "ask.closed" ? [event.ask] : [],
  );
  return [...new Map(asks.map((ask) => [ask.id, ask])).values()];
}
