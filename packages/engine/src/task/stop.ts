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
