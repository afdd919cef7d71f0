/** What anybody may ask of a run in SQLite, its owner or not: decide, pause, cancel. Each is a row and an event, which the owner reads. */
import type { Sql } from "@smooth/platform/ports";
import { voidApprovals } from "./sqlite-commit.ts";
import type { DecideResult, RunStore } from "./port.ts";
import { pauseEvents } from "./port.ts";
import { appendOutside, OVER_LIST } from "./sqlite-rows.ts";

export function decide(
  sql: Sql,
  { runId, nodeId, iteration, decision, by, atMs }: Parameters<RunStore["decide"]>[0],
): DecideResult {
  const key = [runId, nodeId, iteration];
  const where = "WHERE run_id = ? AND node_id = ? AND iteration = ?";
  const row = sql.get(`SELECT decided_by, decided_at_ms, voided FROM _smithers_approvals ${where}`, key);
  if (!row) return { kind: "not-found" };
  if (row["voided"] === 1) return { kind: "void" };
  if (row["decided_by"] !== null)
    return { kind: "already-decided", by: String(row["decided_by"]), atMs: Number(row["decided_at_ms"]) };
  sql.run(`UPDATE _smithers_approvals SET decision = ?, decided_by = ?, decided_at_ms = ? ${where}`, [
    JSON.stringify(decision),
    by,
    atMs,
    ...key,
  ]);
  appendOutside(sql, { runId, atMs }, { type: "approval.decided", nodeId, iteration, verdict: decision.verdict, by });
  return { kind: "decided" };
}

export function pauseRow(
  sql: Sql,
  { runId, wanted, by, atMs }: Parameters<RunStore["pause"]>[0],
): "requested" | "done" | "over" | "not-found" {
  const row = sql.get(`SELECT status, status IN ${OVER_LIST} AS is_over, owner FROM _smithers_runs WHERE run_id = ?`, [
    runId,
  ]);
  if (!row) return "not-found";
  if (row["is_over"] === 1) return "over";
  const owned = row["owner"] !== null;
  if (!owned && wanted === (row["status"] === "paused")) return "done";
  appendOutside(sql, { runId, atMs }, ...pauseEvents({ wanted, by, owned }));
  if (owned) return "requested";
  const status = wanted ? "paused" : "running";
  sql.run("UPDATE _smithers_runs SET status = ?, wake_at_ms = NULL WHERE run_id = ?", [status, runId]);
  return "done";
}

export function requestCancel(
  sql: Sql,
  { runId, by, atMs }: Parameters<RunStore["requestCancel"]>[0],
): "requested" | "cancelled" | "not-running" {
  const row = sql.get(
    `UPDATE _smithers_runs SET cancel_requested_by = ? WHERE run_id = ? AND status NOT IN ${OVER_LIST} RETURNING owner`,
    [by, runId],
  );
  if (!row) return "not-running";
  if (row["owner"] !== null) return "requested";
  appendOutside(sql, { runId, atMs }, { type: "run.status", status: "cancelled" });
  sql.run("UPDATE _smithers_runs SET status = 'cancelled', epoch = epoch + 1, wake_at_ms = NULL WHERE run_id = ?", [
    runId,
  ]);
  voidApprovals(sql, runId);
  return "cancelled";
}
