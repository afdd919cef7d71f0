/** At most so many at once; who comes later waits in line. Pure. */
import { SmoothError } from "@smooth/protocol/errors";

export class Slots {
  #free: number;
  readonly #line: (() => void)[] = [];

  constructor(places: number) {
    if (!Number.isInteger(places) || places < 1)
      throw new SmoothError(
        "CONFIG_INVALID",
        `the number of sandboxes at once must be a whole number > 0, not ${places}`,
      );
    this.#free = places;
  }

  /** Rejects with the signal's reason when aborted in line. */
  async enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) return void (this.#free -= 1);
    const turn = Promise.withResolvers<void>();
    const enter = (): void => turn.resolve();
    const leave = (): void => {
      const at = this.#line.indexOf(enter);
      if (at !== -1) this.#line.splice(at, 1);
      turn.reject(signal.reason as Error);
    };
    this.#line.push(enter);
    signal.addEventListener("abort", leave, { once: true });
    await turn.promise.finally(() => signal.removeEventListener("abort", leave));
  }

  /** The place goes to the next in line. */
  leave(): void {
    const next = this.#line.shift();
    if (next) next();
    else this.#free += 1;
  }
}
