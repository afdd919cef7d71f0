/** Schedules in a Postgres database, for supervisors on several machines.
 *  Whoever opens slots holds the row of their schedule until it is done, so that H1 holds between machines. */
import type { PgQuery, Postgres } from "@smooth/platform/ports";
import { KEPT_SLOTS, type ScheduleStore, type Slot } from "./port.ts";
import { scheduleOf, slotOf } from "./rows.ts";

const LOCK = 7_243_003;

const TABLES = `
SELECT pg_advisory_xact_lock(${LOCK});
CREATE TABLE IF NOT EXISTS _smithers_schedules (
  schedule_id TEXT PRIMARY KEY, workflow TEXT NOT NULL, pattern TEXT NOT NULL, timezone TEXT NOT NULL, input TEXT NOT NULL,
  catch_up TEXT NOT NULL, overlap TEXT NOT NULL, paused BOOLEAN NOT NULL, created_at_ms BIGINT NOT NULL, seen_ms BIGINT NOT NULL,
  maker TEXT NOT NULL DEFAULT 'null');
ALTER TABLE _smithers_schedules ADD COLUMN IF NOT EXISTS maker TEXT NOT NULL DEFAULT 'null';
CREATE TABLE IF NOT EXISTS _smithers_slots (
  schedule_id TEXT NOT NULL, slot_ms BIGINT NOT NULL, state TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (schedule_id, slot_ms));
`;

/** The caller opens and closes `pg`. */
export async function openPostgresSchedules({ exec, query, transaction }: Postgres): Promise<ScheduleStore> {
  await exec(TABLES);
  return {
    async add({ scheduleId, workflow, pattern, timezone, input, ...rest }) {
      const { catchUp, overlap, paused, createdAtMs, seenMs, maker } = rest;
      const timing = [scheduleId, workflow, pattern, timezone, JSON.stringify(input)];
      const row = [...timing, catchUp, overlap, paused, createdAtMs, seenMs, JSON.stringify(maker)];
      await query("INSERT INTO _smithers_schedules VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", row);
    },
    list: async () =>
      (await query("SELECT * FROM _smithers_schedules ORDER BY created_at_ms, schedule_id")).map(scheduleOf),
    async setPaused(scheduleId, paused, seenMs) {
      const text = `UPDATE _smithers_schedules SET paused = $1, seen_ms = greatest(seen_ms, $2::bigint)
        WHERE schedule_id = $3 RETURNING schedule_id`;
      return (await query(text, [paused, seenMs, scheduleId])).length === 1;
    },
    remove: (scheduleId) =>
      transaction(async (inside) => {
        const text = "DELETE FROM _smithers_schedules WHERE schedule_id = $1 RETURNING schedule_id";
        const gone = await inside(text, [scheduleId]); // First: it waits for whoever is opening slots.
        await inside("DELETE FROM _smithers_slots WHERE schedule_id = $1", [scheduleId]);
        return gone.length === 1;
      }),
    open: (scheduleId, slots, seenMs) => transaction((inside) => open(inside, scheduleId, { slots, seenMs })),
    takeBack: (scheduleId, seen) => transaction((inside) => takeBack(inside, scheduleId, seen)),
    slots: async (scheduleId) =>
      (await query("SELECT * FROM _smithers_slots WHERE schedule_id = $1 ORDER BY slot_ms DESC", [scheduleId])).map(
        slotOf,
      ),
    async settle({ scheduleId, slotMs }, state) {
      const text = `UPDATE _smithers_slots SET state = $1 WHERE schedule_id = $2 AND slot_ms = $3 AND state = 'pending'`;
      await query(text, [state, scheduleId, slotMs]);
    },
  };
}

interface Opened {
  readonly slots: readonly Slot[];
  readonly seenMs: number;
}

async function open(query: PgQuery, scheduleId: string, { slots, seenMs }: Opened): Promise<void> {
  const text = "SELECT seen_ms FROM _smithers_schedules WHERE schedule_id = $1 FOR UPDATE";
  const [schedule] = await query(text, [scheduleId]);
  const after = Number(schedule?.["seen_ms"] ?? Infinity);
  for (const { slotMs, state, runId } of slots.filter((slot) => slot.slotMs > after))
    await query(ADD_SLOT, [scheduleId, slotMs, state, runId]);
  const seen = "UPDATE _smithers_schedules SET seen_ms = greatest(seen_ms, $1::bigint) WHERE schedule_id = $2";
  await query(seen, [seenMs, scheduleId]);
  await query(PRUNE, [scheduleId, KEPT_SLOTS]);
}

/** H3 */
async function takeBack(query: PgQuery, scheduleId: string, { fromMs, toMs }: TakenBack): Promise<void> {
  const back =
    "UPDATE _smithers_schedules SET seen_ms = $1 WHERE schedule_id = $2 AND seen_ms = $3 RETURNING schedule_id";
  if ((await query(back, [toMs, scheduleId, fromMs])).length === 0) return;
  const text = "DELETE FROM _smithers_slots WHERE schedule_id = $1 AND slot_ms > $2 AND state <> 'launched'";
  await query(text, [scheduleId, toMs]);
}

type TakenBack = Parameters<ScheduleStore["takeBack"]>[1];

/** H1, H3 */
const ADD_SLOT = "INSERT INTO _smithers_slots VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";

/** H2 */
const PRUNE = `DELETE FROM _smithers_slots WHERE schedule_id = $1 AND state <> 'pending'
  AND slot_ms < (SELECT min(slot_ms) FROM (SELECT slot_ms FROM _smithers_slots WHERE schedule_id = $1 ORDER BY slot_ms DESC LIMIT $2) AS kept)
  AND slot_ms IS DISTINCT FROM (SELECT max(slot_ms) FROM _smithers_slots WHERE schedule_id = $1 AND state = 'launched')`;
