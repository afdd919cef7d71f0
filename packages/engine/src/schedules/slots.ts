/** When a cron pattern is due: croner behind two pure functions. Wall time of the zone counts, so a slot moves with daylight saving. */
import { Cron } from "croner";
import { SmoothError } from "@smooth/protocol/errors";

export interface Timing {
  readonly pattern: string;
  /** IANA, e.g. `Europe/Berlin`. */
  readonly timezone: string;
}

/** The next `count` slots after `afterMs`. Throws INVALID_INPUT. */
export const slotsAfter = (timing: Timing, afterMs: number, { count }: { readonly count: number }): number[] =>
  parse(timing)
    .nextRuns(count, new Date(afterMs))
    .map((at) => at.getTime());

/** The newest `count` slots after `afterMs` and up to `untilMs`, oldest first: however long that is, no other is looked at. */
export function newestSlots(
  timing: Timing,
  { afterMs, untilMs, count }: { readonly afterMs: number; readonly untilMs: number; readonly count: number },
): number[] {
  const cron = parse(timing);
  const slots: number[] = [];
  const before = (ms: number): number => cron.previousRuns(1, new Date(ms)).at(0)?.getTime() ?? -Infinity;
  for (let at = before(untilMs + 1); at > afterMs && slots.length < count; at = before(at)) slots.unshift(at);
  return slots;
}

function parse({ pattern, timezone }: Timing): Cron {
  try {
    const cron = new Cron(pattern, { timezone, paused: true });
    cron.nextRun(new Date(0)); // an unknown zone is noticed only here
    return cron;
  } catch (cause) {
    throw new SmoothError(
      "INVALID_INPUT",
      `${JSON.stringify(pattern)} in ${timezone} is no schedule: ${(cause as Error).message}`,
      { cause },
    );
  }
}
