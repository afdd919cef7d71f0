/** Keeps the beginning and the end of a stream within a budget: errors live at the end, context at the beginning.
 *  What is left out is stated in the text itself. */
export class OutputWindow {
  readonly #headBytes: number;
  readonly #tailBytes: number;
  readonly #head: Uint8Array[] = [];
  #headHeld = 0;
  #tail: Uint8Array[] = [];
  #tailHeld = 0;
  #dropped = 0;

  constructor(maxBytes: number) {
    this.#headBytes = Math.ceil(maxBytes / 2);
    this.#tailBytes = Math.floor(maxBytes / 2);
  }

  push(chunk: Uint8Array): void {
    const room = this.#headBytes - this.#headHeld;
    const first = chunk.subarray(0, room);
    if (first.length > 0) this.#head.push(first);
    this.#headHeld += first.length;
    const rest = chunk.subarray(first.length);
    if (rest.length === 0) return;
    this.#tail.push(rest);
    this.#tailHeld += rest.length;
    this.#trim();
  }

  text(): string {
    if (this.#dropped === 0) return decode([...this.#head, ...this.#tail]);
    return `${decode(this.#head)}\n[… ${this.#dropped} bytes left out …]\n${decode(this.#tail)}`;
  }

  #trim(): void {
    for (let excess = this.#tailHeld - this.#tailBytes; excess > 0; excess = this.#tailHeld - this.#tailBytes) {
      const oldest = this.#tail[0] ?? new Uint8Array();
      const cut = Math.min(excess, oldest.length);
      if (cut === oldest.length) this.#tail.shift();
      else this.#tail[0] = oldest.subarray(cut);
      this.#tailHeld -= cut;
      this.#dropped += cut;
    }
  }
}

/** `text` cut to `maxBytes` of UTF-8, saying so. */
export function clipText(text: string, maxBytes: number): string {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length <= maxBytes) return text;
  const window = new OutputWindow(maxBytes);
  window.push(bytes);
  return window.text();
}

function decode(chunks: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return chunks.map((chunk) => decoder.decode(chunk, { stream: true })).join("") + decoder.decode();
}
