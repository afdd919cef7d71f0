/** Leaves whose backoff is not over, sorted: neither the next time nor who is due costs a walk over all of them. */
import type { LeafCell } from "./cells.ts";

interface Sleeper {
  readonly cell: LeafCell;
  readonly dueMs: number;
}

const NOBODY: readonly Sleeper[] = [];

export class Sleepers {
  /** Who is due first comes last: taking it away moves no other. */
  readonly #sorted: Sleeper[] = [];

  add(cell: LeafCell, dueMs: number): void {
    let from = 0;
    let to = this.#sorted.length;
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#sorted[middle]?.dueMs ?? 0) > dueMs) from = middle + 1;
      else to = middle;
    }
    this.#sorted.splice(from, 0, { cell, dueMs });
  }

  get dueMs(): number | null {
    return this.#sorted.at(-1)?.dueMs ?? null;
  }

  /** Those whose time has come. */
  takeDue(nowMs: number): readonly Sleeper[] {
    let at = this.#sorted.length;
    while (at > 0 && (this.#sorted[at - 1]?.dueMs ?? 0) <= nowMs) at -= 1;
    return at === this.#sorted.length ? NOBODY : this.#sorted.splice(at); // asked at least twice a tick
  }
}
