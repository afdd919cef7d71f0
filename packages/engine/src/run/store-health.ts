/** Whether a run can go on being recorded: room on the disk, and a store that takes writes.
 *  W3. With too little room nothing new is started; what is under way still finds room to be recorded.
 *  W4. Low under the watermark, and until twice as much is free: a run does not flutter. */
import type { Clock, Disk, Log } from "@smooth/platform/ports";
import type { Unavailable } from "../store/unavailable.ts";
import { Stop } from "../task/stop.ts";
import type { RunEventBody } from "./events.ts";
import type { Patience } from "./patience.ts";
import type { RunState } from "./state.ts";

export const LOW_DISK_BYTES = 64 * 2 ** 20;

export interface HealthInput {
  readonly clock: Clock;
  readonly log: Log;
  readonly runId: string;
  readonly state: RunState;
  readonly disk: Disk | null;
  readonly lowDiskBytes: number;
}

export class StoreHealth {
  readonly #in: HealthInput;
  readonly #leaving = new Stop();
  readonly patience: Patience;
  #low: { readonly freeBytes: number } | null = null;
  #refused: Unavailable | null = null;

  constructor(input: HealthInput) {
    this.#in = input;
    this.patience = { clock: input.clock, onWait: (on) => this.#wait(on), leaving: this.#leaving };
  }

  /** A disk that cannot be asked counts as one with room: the store says so when it has none. */
  async look(): Promise<void> {
    const { disk, lowDiskBytes } = this.#in;
    if (!disk) return;
    const freeBytes = await disk.freeBytes().catch(() => Infinity);
    this.#low = freeBytes < (this.#low ? 2 * lowDiskBytes : lowDiskBytes) ? { freeBytes } : null; // W4
  }

  /** What the log does not say yet. */
  change(): Extract<RunEventBody, { type: "run.parked" | "run.unparked" }> | null {
    if (this.#low && !this.isParked) return { type: "run.parked", on: "disk", freeBytes: this.#low.freeBytes };
    return !this.#low && this.isParked ? { type: "run.unparked" } : null;
  }

  /** W3 */
  get isParked(): boolean {
    return this.#in.state.parked !== null;
  }

  waitsFor(): Unavailable | null {
    return this.#refused ?? (this.isParked ? "disk" : null);
  }

  /** Whoever lets the run go does not wait for its store. */
  leave(): void {
    this.#leaving.abort(undefined);
  }

  #wait(on: Unavailable | null): void {
    const { log, runId } = this.#in;
    if (on !== null && on !== this.#refused) log.warn("run.waits-for-store", { runId, on });
    this.#refused = on;
  }
}
