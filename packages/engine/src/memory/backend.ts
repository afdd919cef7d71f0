/** Where memory lies. Memory and SQLite implement it; `memory.contract.ts` holds both to the same text. Nothing here reads a clock. */
import type { JsonValue } from "../outputs/json.ts";
import type { MemoryMessage, PlacedMessage } from "./port.ts";

export interface StoredFact {
  readonly namespace: string;
  readonly key: string;
  readonly value: JsonValue;
  readonly metadata: Readonly<Record<string, JsonValue>> | null;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | null;
  readonly vector: { readonly model: string; readonly values: Float32Array } | null;
}

export interface NewMessage extends MemoryMessage {
  readonly threadId: string;
  readonly createdAt: number;
}

export interface MemoryBatch {
  readonly facts: readonly StoredFact[];
  readonly messages: readonly NewMessage[];
  /** Written with the batch; a batch whose source is known already changes nothing. */
  readonly source: string | null;
}

export interface WordSearch {
  readonly namespace: string;
  readonly words: readonly string[];
  readonly nowMs: number;
  readonly limit: number;
}

export interface MemoryBackend {
  /** All of it or nothing; false when the source was known. */
  write(batch: MemoryBatch): Promise<boolean>;
  /** Those that have not expired, by key. */
  facts(namespace: string, nowMs: number): Promise<readonly StoredFact[]>;
  fact(namespace: string, key: string, nowMs: number): Promise<StoredFact | null>;
  /** Keys of facts that hold at least one of the words, by BM25, the best first. */
  search(search: WordSearch): Promise<readonly string[]>;
  remove(namespace: string, key: string): Promise<boolean>;
  removeExpired(nowMs: number): Promise<number>;
  /** The last `limit` (≥ 1) or all, oldest first. */
  messages(threadId: string, limit: number | null): Promise<readonly PlacedMessage[]>;
  threads(): Promise<readonly string[]>;
  /** False, and nothing changed, when no message has `throughSeq`. The new messages take the place of the old ones. */
  replaceMessages(threadId: string, throughSeq: number, messages: readonly NewMessage[]): Promise<boolean>;
}

/** What a search sees of a fact. */
export const searchText = ({ key, value }: Pick<StoredFact, "key" | "value">): string =>
  `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`;

/** Scripts that put no spaces between words: of them, every two neighbours count as a word. */
const UNSPACED =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}ー]+/gu;

const pairs = (run: string): string => {
  const letters = Array.from(run);
  if (letters.length === 1) return ` ${run} `;
  return ` ${letters
    .slice(1)
    .map((letter, at) => `${letters[at] ?? ""}${letter}`)
    .join(" ")} `;
};

/** Words as both backends understand them: letters and digits, without case and accents. */
export const wordsOf = (text: string): string[] =>
  text
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll(UNSPACED, pairs)
    .match(/[\p{L}\p{N}]+/gu) ?? [];
