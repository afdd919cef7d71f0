/** Runs live in microtasks; now and then the event loop must get its turn for timers and sockets.
 *  All runs of a clock take that breath together, so that they stay in step and share transactions. */
import type { Clock } from "@smooth/platform/ports";

/** Never hold the event loop longer than this. */
const HOLD_MS = 10;

interface Breath {
  lastAtMs: number;
  taking: Promise<void> | undefined;
}
const breaths = new WeakMap<Clock, Breath>();

export function breathe(clock: Clock): Promise<void> | undefined {
  const breath = breaths.get(clock) ?? { lastAtMs: clock.now(), taking: undefined };
  breaths.set(clock, breath);
  if (breath.taking || clock.now() - breath.lastAtMs < HOLD_MS) return breath.taking;
  breath.taking = clock.sleep(0).then(() => {
    breath.taking = undefined;
    breath.lastAtMs = clock.now();
  });
  return breath.taking;
}
