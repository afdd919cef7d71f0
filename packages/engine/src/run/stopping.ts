/** Why a run is to end before it is done. The first reason stays; running bodies are aborted and have the drain time to notice. */
import { DRAIN_MS, type Bodies } from "./bodies.ts";
import type { Doorbell } from "./doorbell.ts";
import { whyStopped, type Stop } from "./result.ts";
import type { StoreHealth } from "./store-health.ts";
import { Stop as Signal } from "../task/stop.ts";

export interface StoppingInput {
  readonly bodies: Bodies;
  readonly bell: Doorbell;
  readonly health: StoreHealth;
  /** Aborts when the run leaves this process. */
  readonly over: Signal;
}

export class Stopping {
  readonly #in: StoppingInput;
  readonly #givenUp = new Signal();
  #why: Stop | undefined;
  #drained = false;

  constructor(input: StoppingInput) {
    this.#in = input;
  }

  stop(why: Stop): void {
    if (this.#why) return;
    const { bodies, bell, health, over } = this.#in;
    this.#why = why;
    if (why.status === "released") health.leave();
    const reason = whyStopped(why);
    bodies.abort(reason);
    if (why.status !== "failed") this.#givenUp.abort(reason);
    bell.after(DRAIN_MS, over.signal, () => (this.#drained = true));
    bell.ring();
  }

  /** Undefined: it is not to end. */
  get why(): Stop | undefined {
    return this.#why;
  }

  /** Bodies had their time. */
  get drained(): boolean {
    return this.#drained;
  }

  /** Aborts when what came of the results so far is no longer wanted: cancelled or let go, not failed. */
  get givenUp(): AbortSignal {
    return this.#givenUp.signal;
  }
}
