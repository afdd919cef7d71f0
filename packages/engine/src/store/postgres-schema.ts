/** The engine's tables in Postgres, named and typed like those in SQLite, and the tables of output schemas.
 *  G1. Several workers may open one database at once: whoever defines tables holds a lock until it is done.
 *  G2. Postgres cannot hold a NUL in text, and a cell of SQLite can: such text travels in a form of its own. */
import type { PgParam, PgQuery, SqlRow, SqlValue } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { sizeOf } from "../outputs/json.ts";
import type { Column, OutputTable } from "../outputs/table.ts";
import { fromHex, toHex } from "../blobs/ref.ts";
import { quoted } from "./sqlite-schema.ts";

const LOCK = 7_243_002;
const MAX_NAME_BYTES = 63;

/** Plain JSON text would be a plain text column; the name of its domain tells them apart. */
export const ENGINE_TABLES = `
SELECT pg_advisory_xact_lock(${LOCK});
DO $$ BEGIN CREATE DOMAIN smithers_json AS text; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
CREATE TABLE IF NOT EXISTS _smithers_runs (
  run_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, status TEXT NOT NULL, error TEXT, owner TEXT, epoch INTEGER NOT NULL,
  heartbeat_at_ms BIGINT NOT NULL, last_seq BIGINT NOT NULL, cancel_requested_by TEXT, wake_at_ms BIGINT,
  created_at_ms BIGINT NOT NULL, updated_at_ms BIGINT NOT NULL);
CREATE INDEX IF NOT EXISTS _smithers_runs_by_status ON _smithers_runs (status);
CREATE INDEX IF NOT EXISTS _smithers_runs_due ON _smithers_runs (wake_at_ms) WHERE wake_at_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS _smithers_inputs (run_id TEXT PRIMARY KEY, input TEXT NOT NULL, auth TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _smithers_metadata (run_id TEXT PRIMARY KEY, source TEXT, vcs_root TEXT);
CREATE TABLE IF NOT EXISTS _smithers_forks (run_id TEXT PRIMARY KEY, from_run TEXT NOT NULL, at_seq BIGINT NOT NULL, fork_label TEXT);
CREATE INDEX IF NOT EXISTS _smithers_forks_of ON _smithers_forks (from_run);
CREATE TABLE IF NOT EXISTS _smithers_parents (run_id TEXT PRIMARY KEY, parent_run_id TEXT NOT NULL, parent_as TEXT NOT NULL, parent_key TEXT);
CREATE INDEX IF NOT EXISTS _smithers_parents_by_parent ON _smithers_parents (parent_run_id);
CREATE TABLE IF NOT EXISTS _smithers_archive (
  run_id TEXT NOT NULL, until_seq BIGINT NOT NULL, node_id TEXT NOT NULL, iteration INTEGER NOT NULL, output TEXT NOT NULL,
  cells TEXT NOT NULL, PRIMARY KEY (run_id, until_seq, node_id, iteration));
CREATE TABLE IF NOT EXISTS _smithers_travels (
  travel_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, verb TEXT NOT NULL, by TEXT NOT NULL, to_seq BIGINT NOT NULL, at_ms BIGINT NOT NULL,
  owner TEXT NOT NULL, result TEXT NOT NULL, detail TEXT, undo TEXT NOT NULL);
ALTER TABLE _smithers_travels ADD COLUMN IF NOT EXISTS beat_at_ms BIGINT;
CREATE UNIQUE INDEX IF NOT EXISTS _smithers_travels_one ON _smithers_travels (run_id) WHERE result = 'in-progress';
CREATE INDEX IF NOT EXISTS _smithers_travels_of ON _smithers_travels (run_id, at_ms);
CREATE TABLE IF NOT EXISTS _smithers_events (
  run_id TEXT NOT NULL, seq BIGINT NOT NULL, at_ms BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run_id, seq));
CREATE TABLE IF NOT EXISTS _smithers_approvals (
  run_id TEXT NOT NULL, node_id TEXT NOT NULL, iteration INTEGER NOT NULL, mode TEXT NOT NULL, request TEXT NOT NULL,
  opened_at_ms BIGINT NOT NULL, decision TEXT, decided_by TEXT, decided_at_ms BIGINT, voided INTEGER NOT NULL DEFAULT 0,
  workflow TEXT NOT NULL,
  PRIMARY KEY (run_id, node_id, iteration));
CREATE INDEX IF NOT EXISTS _smithers_approvals_open ON _smithers_approvals (run_id) WHERE decision IS NULL AND voided = 0;
CREATE INDEX IF NOT EXISTS _smithers_approvals_past ON _smithers_approvals (workflow, node_id, decided_at_ms)
  WHERE decision IS NOT NULL;
CREATE TABLE IF NOT EXISTS _smithers_heartbeats (
  run_id TEXT NOT NULL, node_id TEXT NOT NULL, iteration INTEGER NOT NULL, payload TEXT NOT NULL,
  PRIMARY KEY (run_id, node_id, iteration));
CREATE TABLE IF NOT EXISTS _smithers_frames (
  run_id TEXT NOT NULL, seq BIGINT NOT NULL, is_full INTEGER NOT NULL, delta TEXT NOT NULL, PRIMARY KEY (run_id, seq));
CREATE TABLE IF NOT EXISTS _smithers_cache (key TEXT PRIMARY KEY, run_id TEXT NOT NULL, row TEXT NOT NULL, at_ms BIGINT NOT NULL);
`;

export const PG_TYPE = {
  text: "text",
  number: "double precision",
  boolean: "boolean",
  json: "smithers_json",
} as const;

const KEY_COLUMNS = ["run_id", "node_id", "iteration"];

/** Inside a transaction. Creates the tables or adds the columns they lack. Throws DB_MISSING_COLUMNS naming the first column that cannot serve. */
export async function defineOutputTables(query: PgQuery, tables: readonly OutputTable[]): Promise<void> {
  await query("SELECT pg_advisory_xact_lock($1)", [LOCK]); // G1
  for (const table of tables) await defineOutputTable(query, table);
}

async function defineOutputTable(query: PgQuery, { name, columns }: OutputTable): Promise<void> {
  checkNames(name, columns);
  const there = await columnsOf(query, name);
  if (there.size === 0) return await createTable(query, name, columns);
  for (const key of KEY_COLUMNS) if (!there.has(key)) throw missing(name, key, "is not there");
  for (const { name: column, kind } of columns) {
    const type = there.get(column);
    if (type === undefined) await query(`ALTER TABLE ${quoted(name)} ADD COLUMN ${quoted(column)} ${PG_TYPE[kind]}`);
    else if (type !== PG_TYPE[kind]) throw missing(name, column, `holds ${type}, the schema needs ${PG_TYPE[kind]}`);
  }
}

/** Postgres cuts longer names silently, and then two of them may be one. */
function checkNames(table: string, columns: readonly Column[]): void {
  if (table.startsWith("_smithers_") || table.startsWith("pg_"))
    throw new SmoothError("INVALID_INPUT", `an output cannot be called ${table}`);
  const long = [table, ...columns.map(({ name }) => name)].find((name) => sizeOf(name) > MAX_NAME_BYTES);
  if (long !== undefined)
    throw new SmoothError("INVALID_INPUT", `${long} is too long for Postgres: ${MAX_NAME_BYTES} bytes at most`);
}

async function columnsOf(query: PgQuery, table: string): Promise<ReadonlyMap<string, string>> {
  const rows = await query(
    `SELECT column_name, coalesce(domain_name, data_type) AS type FROM information_schema.columns
     WHERE table_schema = current_schema() AND table_name = $1`,
    [table],
  );
  return new Map(rows.map((row) => [String(row["column_name"]), String(row["type"])]));
}

async function createTable(query: PgQuery, name: string, columns: readonly Column[]): Promise<void> {
  const own = columns.map((column) => `${quoted(column.name)} ${PG_TYPE[column.kind]}, `).join("");
  await query(
    `CREATE TABLE ${quoted(name)} (run_id TEXT NOT NULL, node_id TEXT NOT NULL, iteration INTEGER NOT NULL, ${own}PRIMARY KEY (run_id, node_id, iteration))`,
  );
}

const missing = (table: string, column: string, problem: string): SmoothError =>
  new SmoothError(
    "DB_MISSING_COLUMNS",
    `output table ${table}: column ${column} ${problem}; rename the output or migrate the table`,
    { details: { table, column } },
  );

const ESCAPED = "\u0001";
export const BYTES = "\u0002";

/** G2. JSON text escapes NUL by itself. Bytes are the name of a blob, in a column of text. */
export function toPg(cell: SqlValue, { kind }: Column): Exclude<PgParam, readonly unknown[]> {
  if (kind === "boolean") return cell === null ? null : cell === 1;
  if (cell instanceof Uint8Array) return BYTES + toHex(cell);
  if (kind !== "text" || typeof cell !== "string") return cell;
  const holds = !cell.includes("\0") && !cell.startsWith(ESCAPED) && !cell.startsWith(BYTES);
  return holds ? cell : ESCAPED + JSON.stringify(cell);
}

export function fromPg(row: SqlRow): SqlRow {
  return Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, cellOf(cell)]));
}

function cellOf(cell: SqlValue): SqlValue {
  if (typeof cell !== "string") return cell;
  if (cell.startsWith(BYTES)) return fromHex(cell.slice(BYTES.length));
  return cell.startsWith(ESCAPED) ? (JSON.parse(cell.slice(ESCAPED.length)) as string) : cell;
}
