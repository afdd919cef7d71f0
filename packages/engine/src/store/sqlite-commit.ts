/** What an owner writes into SQLite: a new run, a claim, a batch. Each runs inside a transaction of the caller's.
 *  S6–S8 (port.ts) are kept here, and that only the owner of the epoch writes (Q2 of sqlite.ts). */
import type { Sql } from "@smooth/platform/ports";
import { writeCache } from "../cache/sqlite.ts";
import type { NodeRef } from "../graph/identity.ts";
import { OVER } from "../run/events.ts";
import { NO_METADATA } from "../run/metadata.ts";
import type { Batch, CommitResult, NewApproval, NewRun, RunStore, Successor } from "./port.ts";
import { claimEvents, unheard } from "./port.ts";
import { appendEvents, appendOutside, insertFrame, insertOutput, LAST_SEQ, writeMetadata } from "./sqlite-rows.ts";

function insertApproval(sql: Sql, { runId, atMs }: { runId: string; atMs: number }, approval: NewApproval): void {
  const { nodeId, iteration, mode, request, workflow, decided } = approval;
  const decision = decided ? [JSON.stringify(decided.decision), decided.by, decided.atMs] : [null, null, null];
  sql.run(
    `INSERT OR REPLACE INTO _smithers_approvals
       (run_id, node_id, iteration, mode, request, opened_at_ms, workflow, decision, decided_by, decided_at_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    [runId, nodeId, iteration, mode, JSON.stringify(request), atMs, workflow, ...decision],
  );
}

/** Of one node, or of the whole run. */
export function voidApprovals(sql: Sql, runId: string, ref?: NodeRef): void {
  const text = "UPDATE _smithers_approvals SET voided = 1 WHERE run_id = ? AND decision IS NULL";
  if (ref) sql.run(`${text} AND node_id = ? AND iteration = ?`, [runId, ref.nodeId, ref.iteration]);
  else sql.run(text, [runId]);
}

export function create(
  sql: Sql,
  { runId, workflow, input, auth, metadata = NO_METADATA, parent, owner, atMs }: NewRun,
): "created" | "exists" {
  const { changes } = sql.run(
    `INSERT INTO _smithers_runs (run_id, workflow, status, owner, epoch, heartbeat_at_ms, created_at_ms)
     VALUES (?, ?, 'running', ?, 1, ?, ?) ON CONFLICT DO NOTHING`,
    [runId, workflow, JSON.stringify(owner), atMs, atMs],
  );
  if (changes === 0) return "exists";
  sql.run("INSERT INTO _smithers_inputs VALUES (?, ?, ?)", [runId, JSON.stringify(input), JSON.stringify(auth)]);
  writeMetadata(sql, runId, metadata);
  if (parent)
    sql.run("INSERT INTO _smithers_parents (run_id, parent_run_id, parent_as, parent_key) VALUES (?, ?, ?, ?)", [
      runId,
      parent.runId,
      parent.as,
      parent.key,
    ]);
  appendEvents(sql, { runId, atMs, afterSeq: 0 }, [{ type: "run.started", workflow }]);
  return "created";
}

export function takeOver(sql: Sql, { runId, epoch, owner, atMs, accepted }: Parameters<RunStore["claim"]>[0]): boolean {
  const { changes } = sql.run(
    "UPDATE _smithers_runs SET epoch = epoch + 1, owner = ?, heartbeat_at_ms = ?, status = 'running', wake_at_ms = NULL, error = NULL WHERE run_id = ? AND epoch = ?",
    [JSON.stringify(owner), atMs, runId, epoch],
  );
  if (changes === 0) return false;
  if (accepted) writeMetadata(sql, runId, accepted.metadata);
  appendOutside(sql, { runId, atMs }, ...claimEvents(epoch + 1, accepted));
  return true;
}

/** S8 */
function createSuccessor(sql: Sql, { run, events, outputs }: Successor): void {
  create(sql, run);
  appendEvents(sql, { ...run, afterSeq: 1 }, events);
  for (const output of outputs) insertOutput(sql, run.runId, output);
}

/** Q2, and how far the run has come. */
const OWNED = `SELECT ${LAST_SEQ} AS seq FROM _smithers_runs WHERE run_id = ?1 AND epoch = ?2 AND owner IS NOT NULL`;

const isCancelWanted = (sql: Sql, runId: string): boolean =>
  sql.get("SELECT 1 FROM _smithers_runs WHERE run_id = ? AND cancel_requested_by IS NOT NULL", [runId]) !== undefined;

/** What comes with few batches. */
const isMore = ({ successor, approvals, voided, heartbeats, cached }: Batch): boolean =>
  successor !== undefined || approvals.length + voided.length + heartbeats.length + cached.length > 0;

function writeMore(sql: Sql, batch: Batch): void {
  const { runId, atMs } = batch;
  if (batch.successor) createSuccessor(sql, batch.successor);
  for (const approval of batch.approvals) insertApproval(sql, { runId, atMs }, approval);
  for (const ref of batch.voided) voidApprovals(sql, runId, ref);
  for (const { nodeId, iteration, payload } of batch.heartbeats)
    sql.run("INSERT OR REPLACE INTO _smithers_heartbeats VALUES (?, ?, ?, ?)", [
      runId,
      nodeId,
      iteration,
      JSON.stringify(payload),
    ]);
  writeCache(sql, batch);
}

export function write(sql: Sql, batch: Batch): CommitResult {
  const { runId, epoch, atMs, events, status } = batch;
  const owned = sql.get(OWNED, [runId, epoch]);
  if (!owned) return { kind: "stale" }; // Q2
  const afterSeq = Number(owned["seq"]);
  const firstSeq = afterSeq + 1;
  const news = status ? unheard(status, afterSeq, () => isCancelWanted(sql, runId)) : "nothing";
  if (news === "behind") return { kind: "behind" }; // S9
  appendEvents(sql, { runId, atMs, afterSeq }, events);
  for (const output of batch.outputs) insertOutput(sql, runId, output);
  for (const frame of batch.frames) insertFrame(sql, [runId, afterSeq + frame.offset], frame);
  if (isMore(batch)) writeMore(sql, batch);
  if (status) {
    const wakeAtMs = news === "wakes" ? atMs : status.wakeAtMs; // S6
    const error = status.error ? JSON.stringify(status.error) : null;
    sql.run("UPDATE _smithers_runs SET status = ?, error = ?, owner = NULL, wake_at_ms = ? WHERE run_id = ?", [
      status.status,
      error,
      wakeAtMs,
      runId,
    ]);
    if (OVER.has(status.status)) voidApprovals(sql, runId); // S7
  }
  return { kind: "committed", firstSeq };
}
