/** What to do about a schedule now. Pure.
 *  C1. Catch-up after an outage: `skip` fires only what is due right now, `once` the newest missed slot, `all` every one.
 *  C2. Overlap with the previous run: `skip` drops the slot, `queue` waits for its end, `cancel-previous` ends it first.
 *  C3. Slots of one schedule start in order.
 *  C4. A clock that was far ahead and came back silences nothing: from now on the slots fall due once more, those that were
 *      launched ahead of their time excepted. */
import { newestSlots } from "./slots.ts";
import type { Schedule, Slot } from "./port.ts";

/** Later than this, a slot was missed. */
const ON_TIME_MS = 60_000;
/** C4. Up to this, it is another machine's clock that goes a little before ours. */
const SKEW_MS = 60_000;
/** Of one outage; the newest count. */
const MAX_CATCH_UP = 100;

/** C1. The slots that fell due since the schedule was last looked at. */
export function dueSlots(schedule: Schedule, nowMs: number): readonly number[] {
  if (schedule.paused) return [];
  const { catchUp, seenMs } = schedule;
  const count = catchUp === "all" ? MAX_CATCH_UP : 1;
  const due = newestSlots(schedule, { afterMs: seenMs, untilMs: nowMs, count });
  return catchUp === "skip" ? due.filter((slotMs) => nowMs - slotMs <= ON_TIME_MS) : due;
}

/** C4 */
export const isAhead = ({ seenMs }: Schedule, nowMs: number): boolean => seenMs - nowMs > SKEW_MS;

export type SlotStep =
  | { readonly kind: "launch"; readonly slot: Slot }
  | { readonly kind: "drop"; readonly slot: Slot }
  | { readonly kind: "cancel"; readonly runId: string };

/** C2, C3. `previous`: the run of the slot that was launched last, if it still goes on. */
export function nextStep({ overlap }: Schedule, pending: readonly Slot[], previous: string | null): SlotStep | null {
  const slot = pending.toSorted((a, b) => a.slotMs - b.slotMs)[0];
  if (!slot) return null;
  if (previous === null) return { kind: "launch", slot };
  if (overlap === "skip") return { kind: "drop", slot };
  return overlap === "queue" ? null : { kind: "cancel", runId: previous };
}
