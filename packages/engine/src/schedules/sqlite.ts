/** Schedules in a SQLite file. */
import type { Sql, SqlRow } from "@smooth/platform/ports";
import type { JsonValue } from "../outputs/json.ts";
import type { Schedule, ScheduleStore, Slot } from "./port.ts";

const TABLES = `
CREATE TABLE IF NOT EXISTS _smithers_schedules (
  schedule_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, pattern TEXT NOT NULL, timezone TEXT NOT NULL, input TEXT NOT NULL,
  catch_up TEXT NOT NULL, overlap TEXT NOT NULL, paused INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _smithers_slots (
  schedule_id TEXT NOT NULL, slot_ms INTEGER NOT NULL, state TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (schedule_id, slot_ms)) WITHOUT ROWID;
`;

export function openSqliteSchedules(sql: Sql): ScheduleStore {
  sql.exec(TABLES);
  return {
    async add({ scheduleId, workflow, pattern, timezone, input, catchUp, overlap, paused, createdAtMs, seenMs }) {
      sql.run("INSERT INTO _smithers_schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [
        scheduleId,
        workflow,
        pattern,
        timezone,
        JSON.stringify(input),
        catchUp,
        overlap,
        Number(paused),
        createdAtMs,
        seenMs,
      ]);
    },
    list: async () => sql.all("SELECT * FROM _smithers_schedules ORDER BY created_at_ms, schedule_id").map(scheduleOf),
    async setPaused(scheduleId, paused, seenMs) {
      const text = "UPDATE _smithers_schedules SET paused = ?, seen_ms = max(seen_ms, ?) WHERE schedule_id = ?";
      return sql.run(text, [Number(paused), seenMs, scheduleId]).changes === 1;
    },
    remove: async (scheduleId) =>
      sql.transaction(() => {
        sql.run("DELETE FROM _smithers_slots WHERE schedule_id = ?", [scheduleId]);
        return sql.run("DELETE FROM _smithers_schedules WHERE schedule_id = ?", [scheduleId]).changes === 1;
      }),
    open: async (scheduleId, slots, seenMs) =>
      sql.transaction(() => {
        for (const { slotMs, state, runId } of slots)
          sql.run("INSERT INTO _smithers_slots VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", [
            scheduleId,
            slotMs,
            state,
            runId,
          ]);
        sql.run("UPDATE _smithers_schedules SET seen_ms = max(seen_ms, ?) WHERE schedule_id = ?", [seenMs, scheduleId]);
      }),
    slots: async (scheduleId) =>
      sql.all("SELECT * FROM _smithers_slots WHERE schedule_id = ? ORDER BY slot_ms DESC", [scheduleId]).map(slotOf),
    async settle({ scheduleId, slotMs }, state) {
      const text = "UPDATE _smithers_slots SET state = ? WHERE schedule_id = ? AND slot_ms = ? AND state = 'pending'";
      sql.run(text, [state, scheduleId, slotMs]);
    },
  };
}

const scheduleOf = (row: SqlRow): Schedule => ({
  scheduleId: String(row["schedule_id"]),
  workflow: String(row["workflow"]),
  pattern: String(row["pattern"]),
  timezone: String(row["timezone"]),
  input: JSON.parse(String(row["input"])) as JsonValue,
  catchUp: String(row["catch_up"]) as Schedule["catchUp"],
  overlap: String(row["overlap"]) as Schedule["overlap"],
  paused: row["paused"] === 1,
  createdAtMs: Number(row["created_at_ms"]),
  seenMs: Number(row["seen_ms"]),
});

const slotOf = (row: SqlRow): Slot => ({
  scheduleId: String(row["schedule_id"]),
  slotMs: Number(row["slot_ms"]),
  state: String(row["state"]) as Slot["state"],
  runId: String(row["run_id"]),
});
