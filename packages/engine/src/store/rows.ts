/** Rows of an SQL database as the values of the port. SQLite and Postgres name and type the engine's columns alike. */
import type { SqlRow, SqlValue } from "@smooth/platform/ports";
import type { FrameRow } from "../frames/frame-log.ts";
import type { NodeRef } from "../graph/identity.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { OutputTable } from "../outputs/table.ts";
import { parseEvent, RunStatus, type StoredEvent } from "../run/events.ts";
import type { RunMetadata } from "../run/metadata.ts";
import type { ApprovalRow, OutputCells, Owner, PastDecision, RunParent, RunRow, RunSize } from "./port.ts";
import type { ArchivedOutput, TravelRow } from "./travel-port.ts";

export const json = (cell: SqlValue | undefined): JsonValue =>
  typeof cell === "string" ? (JSON.parse(cell) as JsonValue) : null;
const textOf = (cell: SqlValue | undefined): string | null => (typeof cell === "string" ? cell : null);
export const nodeRef = (row: SqlRow): NodeRef => ({
  nodeId: String(row["node_id"]),
  iteration: Number(row["iteration"]),
});

export const runRow = (row: SqlRow): RunRow => ({
  runId: String(row["run_id"]),
  workflow: String(row["workflow"]),
  status: RunStatus.parse(row["status"]),
  input: json(row["input"]),
  auth: json(row["auth"]),
  metadata: { source: json(row["source"]) as unknown as RunMetadata["source"], vcsRoot: textOf(row["vcs_root"]) },
  parent: parentOf(row),
  error: json(row["error"]) as RunRow["error"],
  owner: json(row["owner"]) as Owner | null,
  epoch: Number(row["epoch"]),
  heartbeatAtMs: Number(row["heartbeat_at_ms"]),
  lastSeq: Number(row["last_seq"]),
  cancelRequestedBy: textOf(row["cancel_requested_by"]),
  wakeAtMs: row["wake_at_ms"] === null ? null : Number(row["wake_at_ms"]),
  forkedFrom: forkedFrom(row),
  createdAtMs: Number(row["created_at_ms"]),
  updatedAtMs: Number(row["updated_at_ms"]),
});

const forkedFrom = (row: SqlRow): RunRow["forkedFrom"] =>
  typeof row["from_run"] === "string"
    ? { runId: row["from_run"], atSeq: Number(row["at_seq"]), label: textOf(row["fork_label"]) }
    : null;

export const archivedOutput = (row: SqlRow): ArchivedOutput => ({
  ...nodeRef(row),
  table: String(row["output"]),
  cells: json(row["cells"]) as ArchivedOutput["cells"],
  untilSeq: Number(row["until_seq"]),
});

export const travelRow = (row: SqlRow): TravelRow => ({
  travelId: String(row["travel_id"]),
  runId: String(row["run_id"]),
  verb: String(row["verb"]) as TravelRow["verb"],
  by: String(row["by"]),
  toSeq: Number(row["to_seq"]),
  atMs: Number(row["at_ms"]),
  owner: json(row["owner"]) as unknown as Owner,
  beatAtMs: Number(row["beat_at_ms"] ?? row["at_ms"]),
  result: String(row["result"]) as TravelRow["result"],
  detail: textOf(row["detail"]),
  undo: json(row["undo"]) as unknown as TravelRow["undo"],
});
function parentOf(row: SqlRow): RunParent | null {
  const runId = textOf(row["parent_run_id"]);
  if (runId === null) return null;
  return { runId, as: String(row["parent_as"]) as RunParent["as"], key: textOf(row["parent_key"]) };
}

export const storedEvent = (runId: string, row: SqlRow): StoredEvent => ({
  ...parseEvent(json(row["body"]) as { readonly type?: unknown }),
  runId,
  seq: Number(row["seq"]),
  atMs: Number(row["at_ms"]),
});

export const frameRow = (row: SqlRow): FrameRow => ({
  seq: Number(row["seq"]),
  full: row["is_full"] === 1,
  delta: json(row["delta"]) as unknown as FrameRow["delta"],
});

export const outputCells = (table: OutputTable, row: SqlRow): OutputCells => ({
  ...nodeRef(row),
  table,
  cells: table.columns.map((column) => row[column.name] ?? null),
});

export const approvalRow = (row: SqlRow): ApprovalRow => ({
  ...nodeRef(row),
  runId: String(row["run_id"]),
  mode: String(row["mode"]) as ApprovalRow["mode"],
  request: json(row["request"]) as unknown as ApprovalRow["request"],
  openedAtMs: Number(row["opened_at_ms"]),
  decided:
    row["decision"] === null
      ? null
      : {
          decision: json(row["decision"]) as unknown as NonNullable<ApprovalRow["decided"]>["decision"],
          by: String(row["decided_by"]),
          atMs: Number(row["decided_at_ms"]),
        },
  workflow: String(row["workflow"]),
  voided: Number(row["voided"]) === 1,
});

export const pastDecision = (row: SqlRow): PastDecision => ({
  verdict: row["verdict"] === "approve" ? "approve" : "deny",
  by: String(row["decided_by"]),
});

/** A blob that a row of this run refers to. */
export type BlobRef = readonly [runId: string, sha256: string];

/** `rows`: one per run and table. */
export function runSizes(rows: readonly SqlRow[], refs: readonly BlobRef[]): readonly RunSize[] {
  const bytes = new Map<string, number>();
  for (const row of rows) {
    const runId = String(row["run_id"]);
    bytes.set(runId, (bytes.get(runId) ?? 0) + Number(row["bytes"]));
  }
  const blobs = Map.groupBy(refs, ([runId]) => runId);
  return [...bytes].map(([runId, sum]) => ({
    runId,
    bytes: sum,
    blobs: [...new Set((blobs.get(runId) ?? []).map(([, sha256]) => sha256))],
  }));
}
