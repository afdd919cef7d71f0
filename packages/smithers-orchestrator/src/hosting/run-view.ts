/** What people are shown of a run: where it stands, what its nodes do, its last frames. */
import type { RunStatus } from "@smooth/engine/events";
import { readFrame, type FrameNode } from "@smooth/engine/frames";
import { OVER } from "@smooth/engine/events";
import type { RunRow, RunStore } from "@smooth/engine/store";
import { SmoothError } from "@smooth/protocol/errors";

export interface RunSummary {
  readonly runId: string;
  readonly workflowName: string;
  readonly status: RunStatus;
  readonly startedAtMs: number;
  readonly finishedAtMs: number | null;
}

export const summaryOf = (row: RunRow): RunSummary => ({
  runId: row.runId,
  workflowName: row.workflow,
  status: row.status,
  startedAtMs: row.createdAtMs,
  finishedAtMs: OVER.has(row.status) ? row.updatedAtMs : null,
});

/** Throws RUN_NOT_FOUND. */
export async function runOf(store: RunStore, runId: string): Promise<RunRow> {
  const row = await store.run(runId);
  if (!row) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  return row;
}

export interface RunView extends RunSummary {
  /** How many nodes of the newest frame are in each state. */
  readonly summary: Readonly<Record<string, number>>;
  readonly error?: RunRow["error"];
}

/** Throws RUN_NOT_FOUND. */
export async function viewOf(store: RunStore, runId: string): Promise<RunView> {
  const row = await runOf(store, runId);
  const summary: Record<string, number> = {};
  for (const state of statesOf((await readFrame(store, runId)).root)) summary[state] = (summary[state] ?? 0) + 1;
  return { ...summaryOf(row), summary, ...(row.error ? { error: row.error } : {}) };
}

const statesOf = ({ state, children }: FrameNode): readonly string[] => [
  ...(state === null ? [] : [state === "running" ? "in-progress" : state]),
  ...children.flatMap(statesOf),
];

export interface FrameView {
  readonly frameNo: number;
  readonly createdAtMs: number;
  readonly root: FrameNode;
}

/** Frames after `afterFrameNo`, oldest first; without it, the newest ones. Throws RUN_NOT_FOUND. */
export async function framesOf(
  store: RunStore,
  runId: string,
  { limit, afterFrameNo }: { readonly limit: number; readonly afterFrameNo?: number | undefined },
): Promise<readonly FrameView[]> {
  const { lastSeq } = await runOf(store, runId);
  const first = afterFrameNo === undefined ? Math.max(1, lastSeq - limit + 1) : afterFrameNo + 1;
  const seqs = Array.from({ length: Math.max(0, Math.min(limit, lastSeq - first + 1)) }, (_, at) => first + at);
  return Promise.all(
    seqs.map(async (seq) => {
      const { atMs, root } = await readFrame(store, runId, seq);
      return { frameNo: seq, createdAtMs: atMs, root };
    }),
  );
}
