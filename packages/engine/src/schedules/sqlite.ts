/** Schedules in a SQLite file. */
import type { Sql } from "@smooth/platform/ports";
import { KEPT_SLOTS, type ScheduleStore, type Slot } from "./port.ts";
import { scheduleOf, slotOf } from "./rows.ts";

const TABLES = `
CREATE TABLE IF NOT EXISTS _smithers_schedules (
  schedule_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, pattern TEXT NOT NULL, timezone TEXT NOT NULL, input TEXT NOT NULL,
  catch_up TEXT NOT NULL, overlap TEXT NOT NULL, paused INTEGER NOT NULL, created_at_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
  maker TEXT NOT NULL DEFAULT 'null') WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _smithers_slots (
  schedule_id TEXT NOT NULL, slot_ms INTEGER NOT NULL, state TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (schedule_id, slot_ms)) WITHOUT ROWID;
`;

export function openSqliteSchedules(sql: Sql): ScheduleStore {
  sql.exec(TABLES);
  addMaker(sql);
  return {
    async add({ scheduleId, workflow, pattern, timezone, input, catchUp, overlap, paused, ...rest }) {
      sql.run("INSERT INTO _smithers_schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", [
        scheduleId,
        workflow,
        pattern,
        timezone,
        JSON.stringify(input),
        catchUp,
        overlap,
        Number(paused),
        rest.createdAtMs,
        rest.seenMs,
        JSON.stringify(rest.maker),
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
    open: async (scheduleId, slots, seenMs) => sql.transaction(() => open(sql, scheduleId, { slots, seenMs })),
    takeBack: async (scheduleId, seen) => sql.transaction(() => takeBack(sql, scheduleId, seen)),
    slots: async (scheduleId) =>
      sql.all("SELECT * FROM _smithers_slots WHERE schedule_id = ? ORDER BY slot_ms DESC", [scheduleId]).map(slotOf),
    async settle({ scheduleId, slotMs }, state) {
      const text = "UPDATE _smithers_slots SET state = ? WHERE schedule_id = ? AND slot_ms = ? AND state = 'pending'";
      sql.run(text, [state, scheduleId, slotMs]);
    },
  };
}

/** Tables of before have none. */
function addMaker(sql: Sql): void {
  const columns = sql.all("SELECT name FROM pragma_table_info('_smithers_schedules')").map(({ name }) => name);
  if (!columns.includes("maker"))
    sql.exec("ALTER TABLE _smithers_schedules ADD COLUMN maker TEXT NOT NULL DEFAULT 'null'");
}

function open(sql: Sql, scheduleId: string, { slots, seenMs }: Opened): void {
  const schedule = sql.get("SELECT seen_ms FROM _smithers_schedules WHERE schedule_id = ?", [scheduleId]);
  const after = Number(schedule?.["seen_ms"] ?? Infinity);
  for (const { slotMs, state, runId } of slots.filter((slot) => slot.slotMs > after))
    sql.run("INSERT OR IGNORE INTO _smithers_slots VALUES (?, ?, ?, ?)", [scheduleId, slotMs, state, runId]); // H1, H3
  sql.run("UPDATE _smithers_schedules SET seen_ms = max(seen_ms, ?) WHERE schedule_id = ?", [seenMs, scheduleId]);
  sql.run(PRUNE, [scheduleId, KEPT_SLOTS]);
}

/** H3 */
function takeBack(sql: Sql, scheduleId: string, { fromMs, toMs }: TakenBack): void {
  const back = "UPDATE _smithers_schedules SET seen_ms = ? WHERE schedule_id = ? AND seen_ms = ?";
  if (sql.run(back, [toMs, scheduleId, fromMs]).changes === 0) return;
  const text = "DELETE FROM _smithers_slots WHERE schedule_id = ? AND slot_ms > ? AND state <> 'launched'";
  sql.run(text, [scheduleId, toMs]);
}

type TakenBack = Parameters<ScheduleStore["takeBack"]>[1];

interface Opened {
  readonly slots: readonly Slot[];
  readonly seenMs: number;
}

/** H2 */
const PRUNE = `DELETE FROM _smithers_slots WHERE schedule_id = ?1 AND state <> 'pending'
  AND slot_ms < (SELECT min(slot_ms) FROM (SELECT slot_ms FROM _smithers_slots WHERE schedule_id = ?1 ORDER BY slot_ms DESC LIMIT ?2))
  AND slot_ms IS NOT (SELECT max(slot_ms) FROM _smithers_slots WHERE schedule_id = ?1 AND state = 'launched')`;
