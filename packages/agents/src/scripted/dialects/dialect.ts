import type { History } from "../history.ts";
import type { Turn } from "../persona.ts";

/** One way to talk to a model over HTTP: how a request tells what happened so far, and how a turn is told back. */

export const DEMO_MODEL = "DEMO-scripted";

export interface Sent {
  /** Follows from the request: the same request gets the same ids. */
  readonly id: string;
  readonly turn: Turn;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** The first call's arguments stop in the middle (a fault). */
  readonly spoilt: boolean;
}

export interface StreamEvent {
  /** The `event:` field, where the dialect has one. */
  readonly event?: string;
  readonly data: string;
}

export interface Dialect {
  /** As in `/v1/chat/completions`. */
  readonly path: string;
  /** What it does not understand counts as absent. */
  historyOf(body: unknown): History;
  /** Why a real provider would answer 400. */
  complaint(body: unknown): string | null;
  whole(sent: Sent): unknown;
  /** Words first, then the calls with their arguments in pieces, then the end with the usage. */
  stream(sent: Sent): readonly StreamEvent[];
  error(status: number, message: string): unknown;
}

export const wordsOf = (text: string): readonly string[] => text.match(/\s*\S+/g) ?? [];

export function halvesOf(text: string): readonly string[] {
  const middle = Math.ceil(text.length / 2);
  return [text.slice(0, middle), text.slice(middle)];
}

/** Arguments as they are streamed: two pieces, or only the first when the call is spoilt. */
export const piecesOf = (args: unknown, spoilt: boolean): readonly string[] =>
  halvesOf(JSON.stringify(args)).slice(0, spoilt ? 1 : 2);

export type Loose = Readonly<Record<string, unknown>>;

export const looseOf = (value: unknown): Loose => (value !== null && typeof value === "object" ? (value as Loose) : {});
export const listOf = (value: unknown): Loose[] => (Array.isArray(value) ? value.map(looseOf) : []);

export function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  return listOf(content)
    .map(({ text }) => (typeof text === "string" ? text : ""))
    .join("");
}

export function parseObject(text: unknown): Loose {
  try {
    return typeof text === "string" ? looseOf(JSON.parse(text)) : looseOf(text);
  } catch {
    return {};
  }
}
