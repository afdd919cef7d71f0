/** Tells a body to stop. Most bodies never look, and an AbortController costs as much as all else that a small step does: it is made
 *  for the first who asks for the signal. */
export class Stop {
  #controller: AbortController | undefined;
  #because: { readonly reason: unknown } | undefined;

  get aborted(): boolean {
    return this.#because !== undefined;
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#because) this.#controller.abort(this.#because.reason);
    }
    return this.#controller.signal;
  }

  /** The first reason stays. */
  abort(reason: unknown): void {
    if (this.#because) return;
    this.#because = { reason };
    this.#controller?.abort(reason);
  }
}

const STOP = Symbol("stop");

/** One getter for all: an object with a getter of its own is three times as large, and slow to make. */
const SIGNAL: PropertyDescriptor & ThisType<{ readonly [STOP]: Stop }> = {
  enumerable: true,
  configurable: true,
  get() {
    return this[STOP].signal;
  },
};

/** Gives `signal` to what a body is handed: a property like any other, made for the first who reads it. */
export function stoppedBy<T extends object>(
  stop: Stop,
  given: T & { [STOP]?: Stop },
): T & { readonly signal: AbortSignal } {
  given[STOP] = stop;
  return Object.defineProperty(given, "signal", SIGNAL) as T & { readonly signal: AbortSignal };
}
