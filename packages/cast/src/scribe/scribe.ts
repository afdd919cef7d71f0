import type { Clock, Log, LogFields, Sql } from "@smooth/platform/ports";
import { z } from "zod";

/** Scribe writes down what happened on this host: structured events, in order, redacted, bounded.
 *  B1. Redaction happens here, at the sink: no caller can forget it.
 *  B2. Logging never fails the caller: an event that cannot be stored is counted, and the count is told.
 *  B3. At most `maxRows` are kept; the oldest go first. */

export const ScribeEvent = z.object({
  id: z.int(),
  atMs: z.int(),
  level: z.enum(["debug", "info", "warn", "error"]),
  /** Who speaks: a room, a process. */
  service: z.string(),
  event: z.string(),
  fields: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});
export type ScribeEvent = z.infer<typeof ScribeEvent>;

export interface ScribeQuery {
  /** Events after this id; 0 for all. */
  readonly afterId?: number;
  readonly runId?: string;
  readonly service?: string;
  readonly limit?: number;
}

export interface Scribe {
  logFor(service: string): Log;
  /** Oldest first. */
  read(query: ScribeQuery): ScribeEvent[];
  /** How many events could not be stored. */
  lost(): number;
}

export interface ScribeDeps {
  readonly sql: Sql;
  readonly clock: Pick<Clock, "now">;
  redact(text: string): string;
  readonly maxRows?: number;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS scribe_events (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER NOT NULL, level TEXT NOT NULL, service TEXT NOT NULL, event TEXT NOT NULL, run_id TEXT, fields TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS scribe_by_run ON scribe_events (run_id, id);`;
const MAX_TEXT = 8_192;
const PRUNE_EVERY = 100;

export function openScribe({ sql, clock, redact, maxRows = 100_000 }: ScribeDeps): Scribe {
  sql.exec(SCHEMA);
  let [written, lost] = [0, 0];
  const write = (
    row: { level: ScribeEvent["level"]; service: string; event: string },
    fields: LogFields = {},
  ): void => {
    try {
      const clean = cleaned(fields, redact);
      const runId = typeof clean["runId"] === "string" ? clean["runId"] : null;
      sql.run("INSERT INTO scribe_events (at_ms, level, service, event, run_id, fields) VALUES (?, ?, ?, ?, ?, ?)", [
        clock.now(),
        row.level,
        row.service,
        redact(row.event.slice(0, 200)),
        runId,
        JSON.stringify(clean),
      ]);
      written += 1;
      if (written % PRUNE_EVERY === 0)
        sql.run("DELETE FROM scribe_events WHERE id <= (SELECT MAX(id) FROM scribe_events) - ?", [maxRows]);
    } catch {
      lost += 1; // B2
    }
  };
  return {
    logFor: (service) => ({
      debug: (event, fields) => write({ level: "debug", service, event }, fields),
      info: (event, fields) => write({ level: "info", service, event }, fields),
      warn: (event, fields) => write({ level: "warn", service, event }, fields),
      error: (event, fields) => write({ level: "error", service, event }, fields),
    }),
    read({ afterId = 0, runId, service, limit = 1_000 }) {
      const rows = sql.all(
        "SELECT * FROM scribe_events WHERE id > ? AND (? IS NULL OR run_id = ?) AND (? IS NULL OR service = ?) ORDER BY id LIMIT ?",
        [afterId, runId ?? null, runId ?? null, service ?? null, service ?? null, limit],
      );
      return rows.map((row) =>
        ScribeEvent.parse({
          id: row["id"],
          atMs: row["at_ms"],
          level: row["level"],
          service: row["service"],
          event: row["event"],
          fields: JSON.parse(String(row["fields"])),
        }),
      );
    },
    lost: () => lost,
  };
}

/** B1. Names are kept, values are bounded and redacted. */
function cleaned(fields: LogFields, redact: (text: string) => string): ScribeEvent["fields"] {
  const entries = Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined) return [];
    if (typeof value === "number" && !Number.isFinite(value)) return [[name, String(value)] as const];
    return [[name, typeof value === "string" ? redact(value).slice(0, MAX_TEXT) : value] as const];
  });
  return Object.fromEntries(entries);
}
