/** Where schedules live.
 *  H1. A slot is one row: whoever writes it first has written it, so two supervisors fire it once. */
import type { JsonValue } from "../outputs/json.ts";
import type { Timing } from "./slots.ts";

export interface Schedule extends Timing {
  readonly scheduleId: string;
  /** The workflow's file. */
  readonly workflow: string;
  readonly input: JsonValue;
  readonly catchUp: "skip" | "once" | "all";
  readonly overlap: "skip" | "queue" | "cancel-previous";
  readonly paused: boolean;
  readonly createdAtMs: number;
  /** Slots up to this time have their rows, or never will. */
  readonly seenMs: number;
}

export interface Slot {
  readonly scheduleId: string;
  readonly slotMs: number;
  readonly state: "pending" | "launched" | "dropped";
  /** The same for everybody who launches it. */
  readonly runId: string;
}

export interface ScheduleStore {
  add(schedule: Schedule): Promise<void>;
  list(): Promise<readonly Schedule[]>;
  /** False: there is none. Slots up to `seenMs` are let go. */
  setPaused(scheduleId: string, paused: boolean, seenMs: number): Promise<boolean>;
  remove(scheduleId: string): Promise<boolean>;
  /** H1. Writes the rows and moves `seenMs` forward, in one step. */
  open(scheduleId: string, slots: readonly Slot[], seenMs: number): Promise<void>;
  /** Newest first. */
  slots(scheduleId: string): Promise<readonly Slot[]>;
  settle(slot: Slot, state: Slot["state"]): Promise<void>;
}
