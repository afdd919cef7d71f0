/** What running bodies have to say before they end: events for the next flush, and who waits until theirs is durable. */
import type { Doorbell } from "./doorbell.ts";
import type { RunEventBody } from "./events.ts";

export class Notes {
  readonly #bell: Doorbell;
  #notes: RunEventBody[] = [];
  /** Who waits until its note is taken, and who until it is durable. */
  readonly #awaited: (() => void)[] = [];
  readonly #taken: (() => void)[] = [];

  constructor(bell: Doorbell) {
    this.#bell = bell;
  }

  /** Goes with whatever is written next. */
  add = (event: RunEventBody): void => void this.#notes.push(event);

  /** Is written now. */
  tell = (event: RunEventBody): void => {
    this.#notes.push(event);
    this.#bell.ring();
  };

  /** Resolves when everything noted so far is durable. */
  recorded = (): Promise<void> => new Promise((resolve) => this.#awaited.push(resolve));

  /** Those since the last call. */
  take(): readonly RunEventBody[] {
    const notes = this.#notes;
    this.#notes = [];
    if (this.#awaited.length > 0) this.#taken.push(...this.#awaited.splice(0));
    return notes;
  }

  /** Everything taken so far is durable. */
  settle(): void {
    if (this.#taken.length > 0) for (const resolve of this.#taken.splice(0)) resolve();
  }
}
