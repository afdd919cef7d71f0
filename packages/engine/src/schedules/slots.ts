/** When a cron pattern is due: croner behind two pure functions. Wall time of the zone counts, so a slot moves with daylight saving. */
import { Cron } from "croner";
import { SmoothError } from "@smooth/protocol/errors";

export interface Timing {
  readonly pattern: string;
  /** IANA, e.g. `Europe/Berlin`. */
  readonly timezone: string;
}

/** The next `count` slots after `afterMs`, no later than `untilMs`. Throws INVALID_INPUT. */
export function slotsAfter(
  timing: Timing,
  afterMs: number,
  { count, untilMs = Infinity }: { count: number; untilMs?: number },
): number[] {
  const cron = parse(timing);
  const slots: number[] = [];
  for (
    let at = cron.nextRun(new Date(afterMs));
    at && at.getTime() <= untilMs && slots.length < count;
    at = cron.nextRun(at)
  )
    slots.push(at.getTime());
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
