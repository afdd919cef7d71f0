/** Time travel in one SQLite file: see `travel-port.ts` for what must hold. */
import type { Sql, SqlValue } from "@smooth/platform/ports";
import type { OutputCells } from "./port.ts";
import { archivedOutput, travelRow } from "./rows.ts";
import { appendEvents, insertEvent, insertFrame, insertOutput, lastSeq, writeMetadata } from "./sqlite-rows.ts";
import { quoted } from "./sqlite-schema.ts";
import type { NewFork, NewNote, ResetRun, TravelRow, TravelStore } from "./travel-port.ts";

/** `notify`: tells a live owner in this process to look. */
export const sqliteTravel = (sql: Sql, notify: (runId: string) => void): TravelStore => ({
  async reset(reset) {
    const done = sql.transaction(() => resetRun(sql, reset));
    if (done) notify(reset.runId);
    return done ? "reset" : "stale";
  },
  note: async (note) => sql.transaction(() => insertNote(sql, note)),
  fork: async (fork) => sql.transaction(() => insertFork(sql, fork)),
  async archived(runId) {
    const text = "SELECT * FROM _smithers_archive WHERE run_id = ? ORDER BY until_seq, node_id, iteration";
    return sql.all(text, [runId]).map(archivedOutput);
  },
  beginTravel: async (row) => sql.transaction(() => beginTravel(sql, row)),
  async updateTravel(travelId, { result, detail, undo, beatAtMs }) {
    const set = ["result", "detail", "undo", "beat_at_ms"].map((name) => `${name} = coalesce(?, ${name})`).join(", ");
    const cells = [result ?? null, detail ?? null, undo ? JSON.stringify(undo) : null, beatAtMs ?? null, travelId];
    sql.run(`UPDATE _smithers_travels SET ${set} WHERE travel_id = ?`, cells);
  },
  forget: async (runIds) => sql.transaction(() => forget(sql, runIds)),
  travels: async (runId) => travelsOf(sql, runId),
});

/** The tables that hold rows per node; output tables come with the rows they lose. */
const PER_NODE = ["_smithers_approvals", "_smithers_heartbeats"];

/** Y1 */
function resetRun(sql: Sql, { runId, epoch, atMs, events, nodes, archive, status }: ResetRun): boolean {
  const { changes } = sql.run(
    `UPDATE _smithers_runs SET epoch = epoch + 1, owner = NULL, status = ?, error = NULL, cancel_requested_by = NULL,
     wake_at_ms = NULL WHERE run_id = ? AND epoch = ?`,
    [status, runId, epoch],
  );
  if (changes === 0) return false;
  const afterSeq = lastSeq(sql, runId);
  for (const output of archive) archiveOutput(sql, [runId, afterSeq + 1], output);
  for (const node of nodes) for (const table of PER_NODE) deleteNode(sql, table, [runId, node.nodeId, node.iteration]);
  appendEvents(sql, { runId, atMs, afterSeq }, events);
  return true;
}

function insertNote(sql: Sql, { runId, atMs, events, at }: NewNote): boolean {
  const error = at?.error ? JSON.stringify(at.error) : null;
  const { changes } = sql.run(
    `UPDATE _smithers_runs SET error = CASE WHEN ?2 IS NULL THEN error ELSE ?3 END WHERE run_id = ?1 AND (?2 IS NULL OR epoch = ?2)`,
    [runId, at?.epoch ?? null, error],
  );
  if (changes === 0) return false;
  appendEvents(sql, { runId, atMs, afterSeq: lastSeq(sql, runId) }, events);
  return true;
}

/** Output tables are those that are keyed like one. */
const OUTPUT_TABLES = `SELECT m.name FROM sqlite_master m WHERE m.type = 'table' AND m.name NOT LIKE '\\_smithers\\_%' ESCAPE '\\'
  AND (SELECT count(*) FROM pragma_table_info(m.name) WHERE pk > 0 AND name IN ('run_id', 'node_id', 'iteration')) = 3`;
const ENGINE_OWN = `SELECT m.name FROM sqlite_master m WHERE m.type = 'table' AND m.name LIKE '\\_smithers\\_%' ESCAPE '\\'
  AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) WHERE name = 'run_id' AND pk > 0)`;

function forget(sql: Sql, runIds: readonly string[]): void {
  const tables = [...sql.all(OUTPUT_TABLES), ...sql.all(ENGINE_OWN)].map((row) => String(row["name"]));
  const over = `SELECT 1 FROM _smithers_runs WHERE run_id = ? AND owner IS NULL AND status IN ('finished', 'failed', 'cancelled', 'continued')`;
  for (const runId of runIds.filter((id) => sql.get(over, [id])))
    for (const table of [...tables, "_smithers_travels"])
      sql.run(`DELETE FROM ${quoted(table)} WHERE run_id = ?`, [runId]);
}

/** Y2 */
function archiveOutput(sql: Sql, key: readonly SqlValue[], { table, nodeId, iteration, cells }: OutputCells): void {
  const named = Object.fromEntries(table.columns.map((column, at) => [column.name, cells[at] ?? null]));
  const row = [...key, nodeId, iteration, table.name, JSON.stringify(named)];
  sql.run("INSERT INTO _smithers_archive VALUES (?, ?, ?, ?, ?, ?)", row);
  deleteNode(sql, table.name, [key[0] ?? null, nodeId, iteration]);
}

const deleteNode = (sql: Sql, table: string, key: readonly SqlValue[]): void =>
  void sql.run(`DELETE FROM ${quoted(table)} WHERE run_id = ? AND node_id = ? AND iteration = ?`, key);

function insertFork(sql: Sql, fork: NewFork): "created" | "exists" {
  const { runId, workflow, input, auth, metadata, from, atMs, copied, events, outputs, frames } = fork;
  const { changes } = sql.run(
    `INSERT INTO _smithers_runs (run_id, workflow, status, owner, epoch, heartbeat_at_ms, created_at_ms)
     VALUES (?, ?, 'paused', NULL, 1, ?, ?) ON CONFLICT DO NOTHING`,
    [runId, workflow, atMs, atMs],
  );
  if (changes === 0) return "exists";
  sql.run("INSERT INTO _smithers_inputs VALUES (?, ?, ?)", [runId, JSON.stringify(input), JSON.stringify(auth)]);
  sql.run("INSERT INTO _smithers_forks VALUES (?, ?, ?, ?)", [runId, from.runId, from.atSeq, from.label]);
  writeMetadata(sql, runId, metadata);
  for (const { runId: _source, seq, atMs: thenMs, ...event } of copied)
    insertEvent(sql, { runId, seq, atMs: thenMs }, event);
  for (const output of outputs) insertOutput(sql, runId, output);
  for (const frame of frames) insertFrame(sql, [runId, frame.seq], frame);
  appendEvents(sql, { runId, atMs, afterSeq: copied.length }, events);
  return "created";
}

/** Y3: the unique index says no when another one is in progress. */
function beginTravel(sql: Sql, row: TravelRow): TravelRow | null {
  const { travelId, runId, verb, by, toSeq, atMs, owner, result, detail, undo, beatAtMs } = row;
  const key: SqlValue[] = [travelId, runId, verb, by, toSeq, atMs, JSON.stringify(owner)];
  const { changes } = sql.run(
    "INSERT INTO _smithers_travels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    key.concat([result, detail, JSON.stringify(undo), beatAtMs]),
  );
  return changes === 1 ? null : (travelsOf(sql, runId).find((other) => other.result === "in-progress") ?? null);
}

const travelsOf = (sql: Sql, runId: string): readonly TravelRow[] =>
  sql
    .all("SELECT * FROM _smithers_travels WHERE run_id = ? ORDER BY at_ms DESC, travel_id DESC", [runId])
    .map(travelRow);
