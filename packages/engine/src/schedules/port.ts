/** Where schedules live. SQLite and Postgres implement it; `schedules.contract.ts` holds both to this text.
 *  H1. A slot is one row: whoever writes it first has written it, so two supervisors fire it once. One that was let go, or
 *      whose schedule is gone, is never written.
 *  H2. What is kept does not grow for ever: of the settled slots the newest stay, and the last one that was launched, whose
 *      run may still go on. What is pending always stays.
 *  H3. A launched slot keeps its row when time is taken back, and is not written again. */
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
  /** Who made it, in the words of whoever fires it; written with it. */
  readonly maker: JsonValue;
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

/** H2. Of one schedule. */
export const KEPT_SLOTS = 100;

export interface ScheduleStore {
  add(schedule: Schedule): Promise<void>;
  list(): Promise<readonly Schedule[]>;
  /** False: there is none. Slots up to `seenMs` are let go. */
  setPaused(scheduleId: string, paused: boolean, seenMs: number): Promise<boolean>;
  remove(scheduleId: string): Promise<boolean>;
  /** H1, H2. Writes the rows of slots after `seenMs` as it stands, and moves it forward, in one step. */
  open(scheduleId: string, slots: readonly Slot[], seenMs: number): Promise<void>;
  /** H3. `seenMs` goes back, if it still stands at `fromMs`; of the later slots only the launched ones stay. */
  takeBack(scheduleId: string, seen: { readonly fromMs: number; readonly toMs: number }): Promise<void>;
  /** Newest first. */
  slots(scheduleId: string): Promise<readonly Slot[]>;
  /** Only what is pending is settled, once. */
  settle(slot: Slot, state: "launched" | "dropped"): Promise<void>;
}
