/** Writing rows: what the parts of the Postgres store share. All of it runs inside the caller's transaction. */
import type { PgQuery, SqlValue } from "@smooth/platform/ports";
import type { RunEventBody } from "../run/events.ts";
import type { RunMetadata } from "../run/metadata.ts";
import type { OutputCells } from "./port.ts";
import { toPg } from "./postgres-schema.ts";
import { quoted } from "./sqlite-schema.ts";

export async function writeMetadata(query: PgQuery, runId: string, { source, vcsRoot }: RunMetadata): Promise<void> {
  if (source === null && vcsRoot === null) return;
  const text = `INSERT INTO _smithers_metadata (run_id, source, vcs_root) VALUES ($1, $2, $3)
    ON CONFLICT (run_id) DO UPDATE SET source = excluded.source, vcs_root = excluded.vcs_root`;
  await query(text, [runId, source && JSON.stringify(source), vcsRoot]);
}

/** One event that is not part of an owner's batch (S6). */
export async function append(
  query: PgQuery,
  { runId, atMs }: { runId: string; atMs: number },
  event: RunEventBody,
): Promise<void> {
  await query(
    `WITH run AS (UPDATE _smithers_runs SET last_seq = last_seq + 1, updated_at_ms = $1,
       wake_at_ms = CASE WHEN owner IS NULL THEN $1 ELSE wake_at_ms END WHERE run_id = $2 RETURNING last_seq)
     INSERT INTO _smithers_events SELECT $2, last_seq, $1, $3 FROM run`,
    [atMs, runId, JSON.stringify(event)],
  );
}

export async function insertEvent(
  query: PgQuery,
  [runId, seq, atMs]: readonly [string, number, number],
  event: RunEventBody,
): Promise<void> {
  await query("INSERT INTO _smithers_events VALUES ($1, $2, $3, $4)", [runId, seq, atMs, JSON.stringify(event)]);
}

export async function insertOutput(query: PgQuery, runId: string, output: OutputCells): Promise<void> {
  const { table, nodeId, iteration, cells } = output;
  const names = ["run_id", "node_id", "iteration", ...table.columns.map(({ name }) => name)].map(quoted);
  const text = `INSERT INTO ${quoted(table.name)} (${names.join(", ")}) VALUES (${names.map((_, at) => `$${at + 1}`).join(", ")})`;
  await query(text, [runId, nodeId, iteration, ...table.columns.map((column, at) => toPg(cells[at] ?? null, column))]);
}

export async function deleteNode(query: PgQuery, table: string, key: readonly SqlValue[]): Promise<void> {
  await query(`DELETE FROM ${quoted(table)} WHERE run_id = $1 AND node_id = $2 AND iteration = $3`, key);
}
