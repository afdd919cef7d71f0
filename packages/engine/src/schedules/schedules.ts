/** Cron schedules: made, shown, paused, deleted, and fired by a supervisor's round (`alsoDo: () => fireSchedules(…)`).
 *  F1. The run of a slot has an id made of schedule and time: launching it again, after a crash or by somebody else, starts nothing. */
import type { Clock, Ids, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { OVER } from "../run/events.ts";
import { lineage } from "../run/lineage.ts";
import type { RunStore } from "../store/port.ts";
import { dueSlots, isAhead, nextStep } from "./decide.ts";
import type { Schedule, ScheduleStore, Slot } from "./port.ts";
import { slotsAfter } from "./slots.ts";

type NewSchedule = Pick<Schedule, "workflow" | "pattern"> &
  Partial<Pick<Schedule, "timezone" | "input" | "catchUp" | "overlap" | "paused" | "maker">>;

/** It fires from now on, unless it is made to rest. Throws INVALID_INPUT when the pattern or the zone is none. */
export async function createSchedule(
  { schedules, clock, ids }: { readonly schedules: ScheduleStore; readonly clock: Clock; readonly ids: Ids },
  given: NewSchedule,
): Promise<Schedule> {
  const nowMs = clock.now();
  const defaults = {
    timezone: "UTC",
    input: {},
    catchUp: "once",
    overlap: "skip",
    paused: false,
    maker: null,
  } as const;
  const own = { scheduleId: ids.next("cron"), createdAtMs: nowMs, seenMs: nowMs };
  const schedule: Schedule = { ...defaults, ...given, ...own };
  slotsAfter(schedule, nowMs, { count: 1 });
  await schedules.add(schedule);
  return schedule;
}

/** When it fires next. */
export const preview = (schedule: Schedule, nowMs: number, count = 5): readonly number[] =>
  schedule.paused ? [] : slotsAfter(schedule, nowMs, { count });

/** What falls due while it is paused is let go. Throws NOT_FOUND. */
export async function pauseSchedule(
  { schedules, clock }: { readonly schedules: ScheduleStore; readonly clock: Clock },
  scheduleId: string,
  paused: boolean,
): Promise<void> {
  if (!(await schedules.setPaused(scheduleId, paused, clock.now()))) throw unknown(scheduleId);
}

/** Its runs stay. Throws NOT_FOUND. */
export async function deleteSchedule(schedules: ScheduleStore, scheduleId: string): Promise<void> {
  if (!(await schedules.remove(scheduleId))) throw unknown(scheduleId);
}

const unknown = (scheduleId: string): SmoothError =>
  new SmoothError("NOT_FOUND", `no schedule ${scheduleId}`, { details: { scheduleId } });

export interface FireDeps {
  readonly schedules: ScheduleStore;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  /** Starts the workflow under this id. Throws CONFLICT when the run exists. */
  readonly launch: (schedule: Schedule, runId: string) => Promise<unknown>;
}

/** One round. A schedule that fails does not hold up the others. */
export async function fireSchedules(deps: FireDeps): Promise<void> {
  for (const schedule of await deps.schedules.list())
    await fireOne(deps, schedule).catch((error: unknown) =>
      deps.log.error("schedule.failed", { scheduleId: schedule.scheduleId, error: String(error) }),
    );
}

async function fireOne(deps: FireDeps, schedule: Schedule): Promise<void> {
  const { schedules, store, clock } = deps;
  const { scheduleId } = schedule;
  const nowMs = clock.now();
  if (isAhead(schedule, nowMs)) await schedules.takeBack(scheduleId, { fromMs: schedule.seenMs, toMs: nowMs });
  const due = dueSlots(schedule, nowMs).map((slotMs): Slot => ({
    scheduleId,
    slotMs,
    state: "pending",
    runId: runIdOf(scheduleId, slotMs),
  }));
  if (due.length > 0) await schedules.open(scheduleId, due, nowMs);
  for (;;) {
    const slots = await schedules.slots(scheduleId);
    const step = nextStep(
      schedule,
      slots.filter(({ state }) => state === "pending"),
      await goingOn(store, slots, nowMs),
    );
    if (!step) return;
    if (step.kind === "drop") await schedules.settle(step.slot, "dropped");
    else if (step.kind === "launch") await launch(deps, schedule, step.slot);
    else return void (await store.requestCancel({ runId: step.runId, by: scheduleId, atMs: nowMs }));
  }
}

async function launch({ schedules, launch: start }: FireDeps, schedule: Schedule, slot: Slot): Promise<void> {
  await start(schedule, slot.runId).catch((error: unknown) => {
    if (!(error instanceof SmoothError) || error.code !== "CONFLICT") throw error; // F1
  });
  await schedules.settle(slot, "launched");
}

/** In whatever it continued as. What was launched ahead of its time (C4) does not hide what was launched since. */
async function goingOn(store: RunStore, slots: readonly Slot[], nowMs: number): Promise<string | null> {
  const launched = slots.filter(({ state }) => state === "launched");
  for (const slot of [launched.find(({ slotMs }) => slotMs > nowMs), launched.find(({ slotMs }) => slotMs <= nowMs)]) {
    const first = slot && (await store.run(slot.runId));
    const last = first && (await lineage(store, first.runId)).at(-1);
    if (last && !OVER.has(last.status)) return last.runId;
  }
  return null;
}

/** F1 */
const runIdOf = (scheduleId: string, slotMs: number): string =>
  `run-${scheduleId.replaceAll(/[^a-z0-9]/g, "")}${slotMs.toString(36)}`;
