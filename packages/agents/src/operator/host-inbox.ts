import type { OperatorInput } from "@smooth/protocol/operator";

/** What the host said and the loop has not yet used.
 *  I1. After `cancel`, or when the host's line ends, every wait here rejects and `signal` is aborted.
 *  I2. While paused, `whenRunning` does not resolve. */

export type Start = Extract<OperatorInput, { type: "start" }>;
export type Steer = Extract<OperatorInput, { type: "steer" }>;
export type Verdict = Extract<OperatorInput, { type: "tool.verdict" }>["verdict"];

export class HostInbox {
  readonly #abort = new AbortController();
  readonly #start = Promise.withResolvers<Start>();
  readonly #verdicts = new Slots<Verdict>();
  readonly #results = new Slots<string>();
  readonly #cancelled: Promise<never>;
  #gate: PromiseWithResolvers<void> | null = null;
  #steers: Steer[] = [];

  constructor() {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => null); // nobody may be waiting when it happens
    this.#cancelled = promise;
    this.signal.addEventListener("abort", () => reject(this.signal.reason as Error), { once: true });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves when the host's line ends. */
  async pump(input: AsyncIterable<OperatorInput>): Promise<void> {
    try {
      for await (const message of input) this.take(message);
    } finally {
      this.#abort.abort(new DOMException("the host's line ended", "AbortError"));
    }
  }

  take(message: OperatorInput): void {
    switch (message.type) {
      case "start":
        return this.#start.resolve(message);
      case "tool.verdict":
        return this.#verdicts.put(message.callId, message.verdict);
      case "tool.result":
        return this.#results.put(message.callId, message.content);
      case "steer":
        this.#steers.push(message);
        return;
      case "pause":
        this.#gate ??= Promise.withResolvers<void>();
        return;
      case "unpause":
        this.#gate?.resolve();
        this.#gate = null;
        return;
      case "cancel":
        return this.#abort.abort(new DOMException("cancelled", "AbortError"));
    }
  }

  started(): Promise<Start> {
    return this.unlessCancelled(this.#start.promise);
  }

  verdict(callId: string): Promise<Verdict> {
    return this.unlessCancelled(this.#verdicts.of(callId));
  }

  result(callId: string): Promise<string> {
    return this.unlessCancelled(this.#results.of(callId));
  }

  async whenRunning(): Promise<void> {
    this.signal.throwIfAborted();
    while (this.#gate) await this.unlessCancelled(this.#gate.promise); // I2
  }

  takeSteers(): Steer[] {
    const steers = this.#steers;
    this.#steers = [];
    return steers;
  }

  get steered(): boolean {
    return this.#steers.length > 0;
  }

  unlessCancelled<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#cancelled]); // I1
  }
}

/** One answer per call id; it may come before anybody asks for it. */
class Slots<T> {
  readonly #slots = new Map<string, PromiseWithResolvers<T>>();

  put(id: string, value: T): void {
    this.#slot(id).resolve(value);
  }

  of(id: string): Promise<T> {
    return this.#slot(id).promise;
  }

  #slot(id: string): PromiseWithResolvers<T> {
    const slot = this.#slots.get(id) ?? Promise.withResolvers<T>();
    this.#slots.set(id, slot);
    return slot;
  }
}
