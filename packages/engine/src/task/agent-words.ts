/** What an agent says while it is at work, as events of its node.
 *  W1. Gathered for half a second, so that a talkative agent costs a few rows, and never lost when the attempt ends.
 *  W2. There is an end: past MAX_CHARS of one attempt nothing is kept any more, and the last event says so. */
import type { RunEventBody } from "../run/events.ts";
import type { NodeRef } from "../graph/identity.ts";

export type WordStream = "stdout" | "stderr";

export interface WordPorts {
  readonly note: (event: RunEventBody) => void;
  /** Does something a little later, unless the run leaves this process first. */
  readonly later: (ms: number, first: () => void) => void;
}

const GATHER_MS = 500;
const MAX_CHARS = 1_000_000;

export class AgentWords {
  readonly #at: NodeRef & { readonly attempt: number };
  readonly #ports: WordPorts;
  readonly #gathered = new Map<WordStream, string>();
  #left = MAX_CHARS;

  constructor(at: NodeRef & { readonly attempt: number }, ports: WordPorts) {
    this.#at = at;
    this.#ports = ports;
  }

  say(stream: WordStream, text: unknown): void {
    if (typeof text !== "string" || text === "" || this.#left <= 0) return;
    if (this.#gathered.size === 0) this.#ports.later(GATHER_MS, () => this.flush());
    this.#left -= text.length;
    const kept = this.#left > 0 ? text : `${text.slice(0, text.length + this.#left)}\n[more was said and is not kept]`; // W2
    this.#gathered.set(stream, (this.#gathered.get(stream) ?? "") + kept);
  }

  /** W1 */
  flush(): void {
    for (const [stream, text] of this.#gathered) this.#ports.note({ type: "node.output", ...this.#at, stream, text });
    this.#gathered.clear();
  }
}
