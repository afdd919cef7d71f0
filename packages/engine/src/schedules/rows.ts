/** Rows as both databases give them back. */
import type { SqlRow } from "@smooth/platform/ports";
import type { JsonValue } from "../outputs/json.ts";
import type { Schedule, Slot } from "./port.ts";

export const scheduleOf = (row: SqlRow): Schedule => ({
  scheduleId: String(row["schedule_id"]),
  workflow: String(row["workflow"]),
  pattern: String(row["pattern"]),
  timezone: String(row["timezone"]),
  input: JSON.parse(String(row["input"])) as JsonValue,
  catchUp: String(row["catch_up"]) as Schedule["catchUp"],
  overlap: String(row["overlap"]) as Schedule["overlap"],
  paused: Number(row["paused"]) === 1,
  maker: JSON.parse(String(row["maker"])) as JsonValue,
  createdAtMs: Number(row["created_at_ms"]),
  seenMs: Number(row["seen_ms"]),
});

export const slotOf = (row: SqlRow): Slot => ({
  scheduleId: String(row["schedule_id"]),
  slotMs: Number(row["slot_ms"]),
  state: String(row["state"]) as Slot["state"],
  runId: String(row["run_id"]),
});
