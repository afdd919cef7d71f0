/** Cuts a server-sent event stream into the payloads of its `data:` fields. Chunks may end anywhere. */
export class SseReader {
  #rest = "";
  #data: string[] = [];

  push(text: string): string[] {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.#line(line));
  }

  /** What a stream without its last empty line still holds. */
  end(): string[] {
    const last = this.push("\n\n");
    this.#rest = "";
    return last;
  }

  #line(line: string): string[] {
    if (line.startsWith("data:")) this.#data.push(line.slice(line.startsWith("data: ") ? 6 : 5));
    if (line !== "" || this.#data.length === 0) return [];
    const payload = this.#data.join("\n");
    this.#data = [];
    return [payload];
  }
}
