/** Scores as rows, read from the log, and their statistics per scorer. */
import type { JsonValue } from "../outputs/json.ts";
import type { StoredEvent } from "../run/events.ts";

export interface ScoreRow {
  readonly runId: string;
  readonly nodeId: string;
  readonly iteration: number;
  /** The scorer's name in the task's map. */
  readonly scorer: string;
  readonly scorerId: string;
  readonly scorerName: string;
  readonly score: number;
  readonly reason: string | null;
  readonly meta: Readonly<Record<string, JsonValue>> | null;
  readonly durationMs: number;
  readonly scoredAtMs: number;
}

/** What a store must offer to read scores from. */
export interface ScoredRuns {
  events(runId: string, afterSeq: number): Promise<readonly StoredEvent[]>;
}

export async function scoresOfRun(store: ScoredRuns, runId: string): Promise<ScoreRow[]> {
  return (await store.events(runId, 0)).flatMap((event) => {
    if (event.type !== "score.recorded") return [];
    const { type: _, seq: _seq, atMs, reason, meta, ...row } = event;
    return [{ ...row, reason: reason ?? null, meta: (meta ?? null) as ScoreRow["meta"], scoredAtMs: atMs }];
  });
}

export interface AggregateOptions {
  readonly runId?: string | undefined;
  readonly nodeId?: string | undefined;
  readonly scorerId?: string | undefined;
}

export interface AggregateScore {
  readonly scorerId: string;
  readonly scorerName: string;
  readonly count: number;
  readonly mean: number;
  readonly min: number;
  readonly max: number;
  readonly p50: number;
  readonly stddev: number;
}

/** One line per scorer, by its id. */
export function aggregateScores(rows: readonly ScoreRow[], only: AggregateOptions = {}): AggregateScore[] {
  const wanted = rows.filter((row) =>
    (["runId", "nodeId", "scorerId"] as const).every((key) => only[key] === undefined || row[key] === only[key]),
  );
  return [...Map.groupBy(wanted, (row) => row.scorerId)]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([scorerId, scored]) => ({
      scorerId,
      scorerName: scored[0]?.scorerName ?? scorerId,
      ...statistics(scored.map(({ score }) => score)),
    }));
}

function statistics(scores: readonly number[]): Omit<AggregateScore, "scorerId" | "scorerName"> {
  const sorted = scores.toSorted((a, b) => a - b);
  const count = sorted.length;
  const mean = sorted.reduce((sum, score) => sum + score, 0) / count;
  const variance = sorted.reduce((sum, score) => sum + (score - mean) ** 2, 0) / count;
  const middle = [sorted[Math.floor((count - 1) / 2)] ?? 0, sorted[Math.floor(count / 2)] ?? 0];
  return {
    count,
    mean,
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    p50: ((middle[0] ?? 0) + (middle[1] ?? 0)) / 2,
    stddev: Math.sqrt(variance),
  };
}
