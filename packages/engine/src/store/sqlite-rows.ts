/** Writing rows: what every part of the SQLite store shares. All of it runs inside the caller's transaction. */
import type { Sql, SqlValue } from "@smooth/platform/ports";
import type { NewFrame } from "../frames/frame-log.ts";
import type { OutputTable } from "../outputs/table.ts";
import { OVER, type RunEventBody, type StoredEvent } from "../run/events.ts";
import type { RunMetadata } from "../run/metadata.ts";
import type { OutputCells } from "./port.ts";
import { quoted } from "./sqlite-schema.ts";

/** No row for nothing: most runs of a test have neither files nor a repository. */
export function writeMetadata(sql: Sql, runId: string, { source, vcsRoot }: RunMetadata): void {
  if (source === null && vcsRoot === null) return;
  const text = "INSERT OR REPLACE INTO _smithers_metadata (run_id, source, vcs_root) VALUES (?, ?, ?)";
  sql.run(text, [runId, source && JSON.stringify(source), vcsRoot]);
}

/** Events that are not part of an owner's batch (S6). */
export function appendOutside(
  sql: Sql,
  { runId, atMs }: { readonly runId: string; readonly atMs: number },
  ...events: readonly RunEventBody[]
): void {
  appendEvents(sql, { runId, atMs, afterSeq: lastSeq(sql, runId) }, events);
  sql.run("UPDATE _smithers_runs SET wake_at_ms = ? WHERE run_id = ? AND owner IS NULL", [atMs, runId]);
}

/** The statuses of runs that do not go on. */
export const OVER_LIST = `(${[...OVER].map((status) => `'${status}'`).join(", ")})`;

/** Of the run ?1, as the log has it; the log is keyed by it. */
export const LAST_SEQ = "(SELECT coalesce(max(seq), 0) FROM _smithers_events WHERE run_id = ?1)";

export const lastSeq = (sql: Sql, runId: string): number =>
  Number(sql.get(`SELECT ${LAST_SEQ} AS seq`, [runId])?.["seq"]);

export function appendEvents(
  sql: Sql,
  { runId, atMs, afterSeq }: { readonly runId: string; readonly atMs: number; readonly afterSeq: number },
  events: readonly RunEventBody[],
): void {
  let seq = afterSeq;
  for (const event of events) insertEvent(sql, { runId, seq: (seq += 1), atMs }, event);
}

/** Where an event stands, and when it happened. */
type EventKey = Pick<StoredEvent, "runId" | "seq" | "atMs">;

export const insertEvent = (sql: Sql, { runId, seq, atMs }: EventKey, event: RunEventBody): void =>
  void sql.run("INSERT INTO _smithers_events VALUES (?, ?, ?, ?)", [runId, seq, atMs, JSON.stringify(event)]);

export const insertFrame = (
  sql: Sql,
  key: readonly SqlValue[],
  { full, delta }: Pick<NewFrame, "full" | "delta">,
): void =>
  void sql.run("INSERT INTO _smithers_frames VALUES (?, ?, ?, ?)", [...key, Number(full), JSON.stringify(delta)]);

/** The text per table, so that a hot path builds no strings. */
const INSERTS = new WeakMap<OutputTable["columns"], string>();

export function insertOutput(sql: Sql, runId: string, { table, nodeId, iteration, cells }: OutputCells): void {
  let text = INSERTS.get(table.columns);
  if (text === undefined) {
    const names = ["run_id", "node_id", "iteration", ...table.columns.map((column) => column.name)].map(quoted);
    text = `INSERT INTO ${quoted(table.name)} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING`;
    INSERTS.set(table.columns, text);
  }
  sql.run(text, [runId, nodeId, iteration, ...cells]);
}

/** A condition, and what it is asked with. */
export type Condition = readonly [sql: string, ...params: SqlValue[]];

/** Only the conditions that are asked for stand in the text: an index serves no `? IS NULL OR …`. */
export function allOf(conditions: readonly (Condition | false | undefined)[]): {
  readonly where: string;
  readonly params: readonly SqlValue[];
} {
  const asked = conditions.filter((condition) => condition !== false && condition !== undefined);
  return {
    where: asked.length > 0 ? `WHERE ${asked.map(([sql]) => sql).join(" AND ")}` : "",
    params: asked.flatMap(([, ...params]) => params),
  };
}
