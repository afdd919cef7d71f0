import { stripVTControlCharacters, styleText } from "node:util";

/** Data goes to stdout, talk to stderr.
 *  O1. `--json` writes one document and no colour.
 *  O2. What a model or a stranger wrote cannot move the cursor: control characters are removed from talk and tables.
 *  O3. An empty answer is an answer: nothing on stdout, a hint on stderr, exit 0. */

export interface JsonFlag {
  readonly json?: boolean;
}

type Style = Parameters<typeof styleText>[0];

export function show<T>(data: T, { json = false }: JsonFlag, lines: (data: T) => readonly string[]): void {
  if (json) return writeData(JSON.stringify(data, null, 2));
  for (const line of lines(data)) writeData(line);
}

export const writeData = (text: string): void => void process.stdout.write(`${text}\n`);
export const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** One line that the next one replaces; only where a person looks. */
export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[2K${clean(text)}`);
}

/** Respects NO_COLOR, FORCE_COLOR and whether stdout is a terminal. */
export const paint = (style: Style, text: string): string => styleText(style, text, { stream: process.stdout });

/** O2 */
export const clean = (text: string): string =>
  // oxlint-disable-next-line no-control-regex
  stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000B-\u001F\u007F-\u009F]/g, "");

export const oneLine = (text: string, width = 80): string => {
  const flat = clean(text).replaceAll(/\s+/g, " ").trim();
  return flat.length > width ? `${flat.slice(0, width - 1)}…` : flat;
};

/** Columns as wide as their widest cell; the last one runs on. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

/** O3 */
export function list<T>(items: readonly T[], row: (item: T) => readonly string[], empty: string): string[] {
  if (items.length === 0) say(empty);
  return table(items.map((item) => row(item).map((cell) => oneLine(cell))));
}

export function sayIfCut(shown: number, limit: number): void {
  if (shown === limit) say(`only the first ${limit} are shown; ask for more with --limit`);
}

/** Answers of one moment ago read better than a date. */
export const clockTime = (atMs: number): string => new Date(atMs).toTimeString().slice(0, 8);
