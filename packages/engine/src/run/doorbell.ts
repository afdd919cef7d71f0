/** What a run's loop sleeps on between ticks. A ring is never lost: one that comes before the wait ends the wait at once. */
import type { Clock } from "@smooth/platform/ports";
import { breathe } from "./breathe.ts";

/** Group commit by tick: bodies that end together are recorded together. */
const GATHER_HOPS = 3;

export class Doorbell {
  readonly #clock: Clock;
  #rung = false;
  #wake: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Until somebody rings, or the wall clock reaches `dueMs`. */
  async wait(dueMs: number | null): Promise<void> {
    const alarm = dueMs === null ? undefined : this.#alarm(dueMs);
    if (!this.#rung) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = undefined;
    alarm?.abort();
    for (let hop = 0; hop < GATHER_HOPS; hop += 1) await Promise.resolve();
    await breathe(this.#clock);
    this.#rung = false;
  }

  #alarm(dueMs: number): AbortController {
    const alarm = new AbortController();
    this.after(dueMs - this.#clock.now(), alarm.signal);
    return alarm;
  }

  /** Does something and rings, once the time has passed; nothing when aborted first. */
  after(ms: number, signal: AbortSignal, first: () => void = () => {}): void {
    void this.#clock.sleep(ms, signal).then(
      () => {
        first();
        this.ring();
      },
      () => {},
    );
  }
}
