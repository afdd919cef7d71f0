/** The heartbeats of running bodies: what a next attempt is given, and when they are written.
 *  B1. A heartbeat is kept at once, written at most every 500 ms, and the last one is never lost. */
import { parseStateKey } from "../graph/identity.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { Heartbeat } from "../store/port.ts";
import type { Stop } from "../task/stop.ts";
import type { Doorbell } from "./doorbell.ts";
import { LateMap, type Keyed } from "./late-map.ts";

const THROTTLE_MS = 500;

export class Heartbeats {
  readonly #last: Keyed<JsonValue>;
  readonly #bell: Doorbell;
  readonly #over: Stop;
  /** Not written yet. */
  readonly #fresh = new LateMap<string, JsonValue>();
  #due: Heartbeat[] = [];

  /** `last`: per state key, as the store has them. */
  constructor(last: Keyed<JsonValue>, bell: Doorbell, over: Stop) {
    this.#last = last;
    this.#bell = bell;
    this.#over = over;
  }

  last(key: string): JsonValue {
    return this.#last.get(key) ?? null;
  }

  /** B1 */
  keep(key: string, payload: JsonValue): void {
    this.#last.set(key, payload);
    const first = this.#fresh.size === 0;
    this.#fresh.set(key, payload);
    if (!first) return;
    this.#bell.after(THROTTLE_MS, this.#over.signal, () => {
      for (const [beating, beat] of this.#fresh) this.#due.push({ ...parseStateKey(beating), payload: beat });
      this.#fresh.clear();
    });
  }

  /** B1. Its body ended: what it said last is due now. */
  ended(key: string): void {
    const beat = this.#fresh.get(key);
    if (beat !== undefined) this.#due.push({ ...parseStateKey(key), payload: beat });
    this.#fresh.delete(key);
  }

  /** To be written with the next flush. */
  takeDue(): readonly Heartbeat[] {
    const due = this.#due;
    this.#due = [];
    return due;
  }
}
