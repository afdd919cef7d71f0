/** Tables of the engine, and the tables it makes for output schemas. Engine tables start with `_smithers_`; outputs have their own names. */
import type { Sql } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { CACHE_TABLE } from "../cache/sqlite.ts";
import type { Column, OutputTable } from "../outputs/table.ts";

/** The log of events says how far a run has come and when: a commit that only goes on leaves the run's row alone. */
const ENGINE_TABLES = `
CREATE TABLE IF NOT EXISTS _smithers_runs (
  run_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, status TEXT NOT NULL, error TEXT, owner TEXT, epoch INTEGER NOT NULL,
  heartbeat_at_ms INTEGER NOT NULL, cancel_requested_by TEXT, wake_at_ms INTEGER, created_at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS _smithers_runs_by_status ON _smithers_runs (status);
CREATE INDEX IF NOT EXISTS _smithers_runs_due ON _smithers_runs (wake_at_ms) WHERE wake_at_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS _smithers_inputs (run_id TEXT PRIMARY KEY, input TEXT NOT NULL, auth TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _smithers_metadata (run_id TEXT PRIMARY KEY, source TEXT, vcs_root TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _smithers_forks (
  run_id TEXT PRIMARY KEY, from_run TEXT NOT NULL, at_seq INTEGER NOT NULL, fork_label TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS _smithers_forks_of ON _smithers_forks (from_run);
CREATE TABLE IF NOT EXISTS _smithers_archive (
  run_id TEXT NOT NULL, until_seq INTEGER NOT NULL, node_id TEXT NOT NULL, iteration INTEGER NOT NULL, output TEXT NOT NULL,
  cells TEXT NOT NULL, PRIMARY KEY (run_id, until_seq, node_id, iteration)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _smithers_travels (
  travel_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, verb TEXT NOT NULL, by TEXT NOT NULL, to_seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  owner TEXT NOT NULL, result TEXT NOT NULL, detail TEXT, undo TEXT NOT NULL, beat_at_ms INTEGER) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS _smithers_travels_one ON _smithers_travels (run_id) WHERE result = 'in-progress';
CREATE INDEX IF NOT EXISTS _smithers_travels_of ON _smithers_travels (run_id, at_ms);
CREATE TABLE IF NOT EXISTS _smithers_parents (
  run_id TEXT PRIMARY KEY, parent_run_id TEXT NOT NULL, parent_as TEXT NOT NULL, parent_key TEXT) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS _smithers_parents_by_parent ON _smithers_parents (parent_run_id);
CREATE TABLE IF NOT EXISTS _smithers_events (
  run_id TEXT NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run_id, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _smithers_approvals (
  run_id TEXT NOT NULL, node_id TEXT NOT NULL, iteration INTEGER NOT NULL, mode TEXT NOT NULL, request TEXT NOT NULL,
  opened_at_ms INTEGER NOT NULL, decision TEXT, decided_by TEXT, decided_at_ms INTEGER, voided INTEGER NOT NULL DEFAULT 0,
  workflow TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (run_id, node_id, iteration)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS _smithers_approvals_open ON _smithers_approvals (run_id) WHERE decision IS NULL AND voided = 0;
CREATE INDEX IF NOT EXISTS _smithers_approvals_past ON _smithers_approvals (workflow, node_id, decided_at_ms)
  WHERE decision IS NOT NULL;
CREATE TABLE IF NOT EXISTS _smithers_heartbeats (
  run_id TEXT NOT NULL, node_id TEXT NOT NULL, iteration INTEGER NOT NULL, payload TEXT NOT NULL,
  PRIMARY KEY (run_id, node_id, iteration)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _smithers_frames (
  run_id TEXT NOT NULL, seq INTEGER NOT NULL, is_full INTEGER NOT NULL, delta TEXT NOT NULL, PRIMARY KEY (run_id, seq)) WITHOUT ROWID;
`;

/** Columns that came after their table, and what old rows need then: what waited in an old file is looked at once. */
const LATER_COLUMNS = [
  {
    table: "_smithers_runs",
    column: "wake_at_ms",
    type: "INTEGER",
    fill: "UPDATE _smithers_runs SET wake_at_ms = updated_at_ms WHERE status LIKE 'waiting-%'",
  },
  { table: "_smithers_approvals", column: "voided", type: "INTEGER NOT NULL DEFAULT 0", fill: "" },
  { table: "_smithers_approvals", column: "workflow", type: "TEXT NOT NULL DEFAULT ''", fill: "" },
  { table: "_smithers_travels", column: "beat_at_ms", type: "INTEGER", fill: "" },
];

/** Columns of older versions. */
const GONE_COLUMNS = [
  { table: "_smithers_runs", column: "last_seq" },
  { table: "_smithers_runs", column: "updated_at_ms" },
];

const columnsOf = (sql: Sql, table: string): readonly unknown[] =>
  sql.all("SELECT name FROM pragma_table_info(?)", [table]).map((row) => row["name"]);

/** Makes the engine's tables, or brings those of an older version up to this one: in one transaction, and in none when they
 *  are as they should be, so that opening a file that another process writes to waits for nobody. */
export function defineEngineTables(sql: Sql): void {
  if (sql.get("PRAGMA user_version")?.["user_version"] === VERSION) return;
  sql.transaction(() => {
    for (const { table, column, type, fill } of LATER_COLUMNS) {
      const there = columnsOf(sql, table);
      if (there.length > 0 && !there.includes(column))
        sql.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}; ${fill}`);
    }
    for (const { table, column } of GONE_COLUMNS)
      if (columnsOf(sql, table).includes(column)) sql.exec(`ALTER TABLE ${table} DROP COLUMN ${column}`);
    sql.exec(ENGINE_TABLES + CACHE_TABLE + TOOL_CALLS_VIEW + `PRAGMA user_version = ${VERSION}`);
  });
}

/** For people with a SQL prompt: the calls of tools, as the log has them. One that never ended has no end. */
const TOOL_CALLS_VIEW = `
CREATE VIEW IF NOT EXISTS _smithers_tool_calls AS
SELECT began.run_id, began.body ->> 'nodeId' AS node_id, began.body ->> 'iteration' AS iteration, began.body ->> 'attempt' AS attempt,
  began.body ->> 'call' AS seq, began.body ->> 'tool' AS tool_name, began.body ->> 'input' AS input_json,
  ended.body ->> 'output' AS output_json, began.at_ms AS started_at_ms, ended.at_ms AS finished_at_ms, ended.body ->> 'status' AS status
FROM _smithers_events AS began LEFT JOIN _smithers_events AS ended
  ON ended.run_id = began.run_id AND ended.seq > began.seq AND ended.body ->> 'type' = 'tool.finished'
  AND ended.body ->> 'nodeId' = began.body ->> 'nodeId' AND ended.body ->> 'iteration' = began.body ->> 'iteration'
  AND ended.body ->> 'attempt' = began.body ->> 'attempt' AND ended.body ->> 'call' = began.body ->> 'call'
WHERE began.body ->> 'type' = 'tool.started';
`;

/** Another text is another version. */
const VERSION = new TextEncoder()
  .encode(ENGINE_TABLES + CACHE_TABLE + TOOL_CALLS_VIEW + JSON.stringify([LATER_COLUMNS, GONE_COLUMNS]))
  .reduce((sum, byte) => (sum * 31 + byte) & 0x7fffffff, 7);

/** Affinities keep cells as they were bound: JSON stays text, numbers stay numbers. */
const SQL_TYPE = { text: "TEXT", number: "NUMERIC", boolean: "BOOLEAN", json: "JSON_TEXT" } as const;

const KEY_COLUMNS = ["run_id", "node_id", "iteration"];

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** Creates the table or adds the columns it lacks. Throws DB_MISSING_COLUMNS naming the first column that cannot serve. */
export function defineOutputTable(sql: Sql, { name, columns }: OutputTable): void {
  if (name.startsWith("_smithers_") || name.startsWith("sqlite_"))
    throw new SmoothError("INVALID_INPUT", `an output cannot be called ${name}`);
  const there = new Map(
    sql
      .all(`SELECT name, type FROM pragma_table_info(?)`, [name])
      .map((row) => [String(row["name"]), String(row["type"])]),
  );
  if (there.size === 0) return createTable(sql, name, columns);
  for (const key of KEY_COLUMNS) if (!there.has(key)) throw missing(name, key, "is not there");
  for (const column of columns) {
    const type = there.get(column.name);
    if (type === undefined)
      sql.exec(`ALTER TABLE ${quoted(name)} ADD COLUMN ${quoted(column.name)} ${SQL_TYPE[column.kind]}`);
    else if (type !== SQL_TYPE[column.kind])
      throw missing(name, column.name, `holds ${type}, the schema needs ${SQL_TYPE[column.kind]}`);
  }
}

function createTable(sql: Sql, name: string, columns: readonly Column[]): void {
  const own = columns.map((column) => `${quoted(column.name)} ${SQL_TYPE[column.kind]}, `).join("");
  sql.exec(
    `CREATE TABLE ${quoted(name)} (run_id TEXT NOT NULL, node_id TEXT NOT NULL, iteration INTEGER NOT NULL, ${own}PRIMARY KEY (run_id, node_id, iteration)) WITHOUT ROWID`,
  );
}

const missing = (table: string, column: string, problem: string): SmoothError =>
  new SmoothError(
    "DB_MISSING_COLUMNS",
    `output table ${table}: column ${column} ${problem}; rename the output or migrate the table`,
    { details: { table, column } },
  );
