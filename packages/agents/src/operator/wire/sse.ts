/** Cuts a server-sent event stream into the payloads of its `data:` fields. Chunks may end anywhere. */
export class SseReader {
  /** The open line, in the pieces it came in: joined once, however long it gets. */
  #rest: string[] = [];
  #data: string[] = [];

  push(text: string): string[] {
    const before = this.#rest.at(-1) ?? "";
    this.#rest.push(text);
    if (!before.endsWith("\r") && !/[\r\n]/.test(text)) return [];
    const lines = this.#rest.join("").split(/\r\n|\n|\r(?!$)/);
    this.#rest = [lines.pop() ?? ""];
    return lines.flatMap((line) => this.#line(line));
  }

  /** What a stream without its last empty line still holds. */
  end(): string[] {
    const last = this.push("\n\n");
    this.#rest = [];
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
