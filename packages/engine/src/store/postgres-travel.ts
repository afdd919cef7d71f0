/** Time travel in Postgres: see `travel-port.ts` for what must hold. */
import type { PgQuery, Postgres } from "@smooth/platform/ports";
import type { OutputCells } from "./port.ts";
import type { Tell } from "./postgres.ts";
import { deleteNode, insertEvent, insertOutput, writeMetadata } from "./postgres-rows.ts";
import { archivedOutput, travelRow } from "./rows.ts";
import type { NewFork, NewNote, ResetRun, TravelRow, TravelStore } from "./travel-port.ts";

export const postgresTravel = (pg: Postgres, tell: Tell): TravelStore => ({
  reset: (reset) =>
    tell(reset.runId, async (query) => {
      const done = await resetRun(query, reset);
      return { result: done ? "reset" : "stale", news: done };
    }),
  note: (note) => pg.transaction((query) => insertNote(query, note)),
  fork: (fork) => pg.transaction((query) => insertFork(query, fork)),
  async archived(runId) {
    const text = `SELECT * FROM _smithers_archive WHERE run_id = $1 ORDER BY until_seq, node_id COLLATE "C", iteration`;
    return (await pg.query(text, [runId])).map(archivedOutput);
  },
  beginTravel: (row) => pg.transaction((query) => beginTravel(query, row)),
  async updateTravel(travelId, { result, detail, undo, beatAtMs }) {
    await pg.query(
      `UPDATE _smithers_travels SET result = coalesce($2, result), detail = coalesce($3, detail),
       undo = coalesce($4, undo), beat_at_ms = coalesce($5, beat_at_ms) WHERE travel_id = $1`,
      [travelId, result ?? null, detail ?? null, undo ? JSON.stringify(undo) : null, beatAtMs ?? null],
    );
  },
  forget: (runIds) => pg.transaction((query) => forget(query, runIds)),
  travels: (runId) => travelsOf(pg.query, runId),
});

/** The tables that hold rows per node; output tables come with the rows they lose. */
const PER_NODE = ["_smithers_approvals", "_smithers_heartbeats"];

/** Y1 */
async function resetRun(query: PgQuery, reset: ResetRun): Promise<boolean> {
  const { runId, epoch, atMs, events, nodes, archive, status } = reset;
  const [row] = await query(
    `UPDATE _smithers_runs SET epoch = epoch + 1, owner = NULL, status = $1, error = NULL, cancel_requested_by = NULL,
     wake_at_ms = NULL, last_seq = last_seq + $2, updated_at_ms = $3 WHERE run_id = $4 AND epoch = $5 RETURNING last_seq`,
    [status, events.length, atMs, runId, epoch],
  );
  if (!row) return false;
  const firstSeq = Number(row["last_seq"]) - events.length + 1;
  for (const output of archive) await archiveOutput(query, [runId, firstSeq], output);
  for (const node of nodes)
    for (const table of PER_NODE) await deleteNode(query, table, [runId, node.nodeId, node.iteration]);
  for (const [at, event] of events.entries()) await insertEvent(query, [runId, firstSeq + at, atMs], event);
  return true;
}

async function insertNote(query: PgQuery, { runId, atMs, events, at }: NewNote): Promise<boolean> {
  const [row] = await query(
    `UPDATE _smithers_runs SET last_seq = last_seq + $1, updated_at_ms = $2,
     error = CASE WHEN $4::integer IS NULL THEN error ELSE $5 END
     WHERE run_id = $3 AND ($4::integer IS NULL OR epoch = $4::integer) RETURNING last_seq`,
    [events.length, atMs, runId, at?.epoch ?? null, at?.error ? JSON.stringify(at.error) : null],
  );
  if (!row) return false;
  const firstSeq = Number(row["last_seq"]) - events.length + 1;
  for (const [offset, event] of events.entries()) await insertEvent(query, [runId, firstSeq + offset, atMs], event);
  return true;
}

/** Every table with a run in its primary key: the engine's own, and those of outputs. */
const RUN_TABLES = `SELECT c.table_name FROM information_schema.table_constraints c JOIN information_schema.key_column_usage k
  USING (constraint_schema, constraint_name) WHERE c.constraint_type = 'PRIMARY KEY' AND c.table_schema = current_schema()
  GROUP BY c.table_name HAVING bool_or(k.column_name = 'run_id') AND (c.table_name LIKE '\\_smithers\\_%'
  OR bool_or(k.column_name = 'node_id') AND bool_or(k.column_name = 'iteration'))`;

async function forget(query: PgQuery, runIds: readonly string[]): Promise<void> {
  const tables = (await query(RUN_TABLES, [])).map((row) => String(row["table_name"]));
  const over = `SELECT run_id FROM _smithers_runs WHERE run_id = $1 AND owner IS NULL
    AND status IN ('finished', 'failed', 'cancelled', 'continued') FOR UPDATE`;
  for (const runId of runIds) {
    if ((await query(over, [runId])).length === 0) continue;
    for (const table of [...tables, "_smithers_travels"])
      await query(`DELETE FROM "${table}" WHERE run_id = $1`, [runId]);
  }
}

/** Y2 */
async function archiveOutput(
  query: PgQuery,
  [runId, untilSeq]: readonly [string, number],
  { table, nodeId, iteration, cells }: OutputCells,
): Promise<void> {
  const named = Object.fromEntries(table.columns.map((column, at) => [column.name, cells[at] ?? null]));
  const row = [runId, untilSeq, nodeId, iteration, table.name, JSON.stringify(named)];
  await query("INSERT INTO _smithers_archive VALUES ($1, $2, $3, $4, $5, $6)", row);
  await deleteNode(query, table.name, [runId, nodeId, iteration]);
}

async function insertFork(query: PgQuery, fork: NewFork): Promise<"created" | "exists"> {
  const { runId, workflow, input, auth, metadata, from, atMs, copied, events, outputs, frames } = fork;
  const created = await query(
    `INSERT INTO _smithers_runs (run_id, workflow, status, owner, epoch, heartbeat_at_ms, last_seq, created_at_ms, updated_at_ms)
     VALUES ($1, $2, 'paused', NULL, 1, $3, $4, $3, $3) ON CONFLICT DO NOTHING RETURNING run_id`,
    [runId, workflow, atMs, copied.length + events.length],
  );
  if (created.length === 0) return "exists";
  await query("INSERT INTO _smithers_inputs VALUES ($1, $2, $3)", [runId, JSON.stringify(input), JSON.stringify(auth)]);
  await query("INSERT INTO _smithers_forks VALUES ($1, $2, $3, $4)", [runId, from.runId, from.atSeq, from.label]);
  await writeMetadata(query, runId, metadata);
  for (const { runId: _source, seq, atMs: thenMs, ...event } of copied)
    await insertEvent(query, [runId, seq, thenMs], event);
  for (const output of outputs) await insertOutput(query, runId, output);
  for (const { seq, full, delta } of frames)
    await query("INSERT INTO _smithers_frames VALUES ($1, $2, $3, $4)", [
      runId,
      seq,
      Number(full),
      JSON.stringify(delta),
    ]);
  for (const [at, event] of events.entries()) await insertEvent(query, [runId, copied.length + at + 1, atMs], event);
  return "created";
}

/** Y3: the unique index says no when another one is in progress. */
async function beginTravel(query: PgQuery, row: TravelRow): Promise<TravelRow | null> {
  const { travelId, runId, verb, by, toSeq, atMs, owner, result, detail, undo, beatAtMs } = row;
  const written = await query(
    "INSERT INTO _smithers_travels VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING travel_id",
    [travelId, runId, verb, by, toSeq, atMs, JSON.stringify(owner), result, detail, JSON.stringify(undo), beatAtMs],
  );
  if (written.length === 1) return null;
  return (await travelsOf(query, runId)).find((other) => other.result === "in-progress") ?? null;
}

async function travelsOf(query: PgQuery, runId: string): Promise<readonly TravelRow[]> {
  const text = `SELECT * FROM _smithers_travels WHERE run_id = $1 ORDER BY at_ms DESC, travel_id COLLATE "C" DESC`;
  return (await query(text, [runId])).map(travelRow);
}
