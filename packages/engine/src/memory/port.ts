/** What is remembered across runs: facts by namespace, and conversations by thread.
 *  M1. A fact is one value per (namespace, key); the last write stays. A fact past its `expiresAt` is not there any more.
 *  M2. Messages of a thread come back in the order they were saved.
 *  M3. `remember` writes all of it or nothing, and once per source: repeating it after a crash changes nothing.
 *  M4. Recall ranks by words (BM25) and, with an embedder, by meaning (cosine) too; nothing that matches neither comes back. */
import type { JsonValue } from "../outputs/json.ts";

export type MemoryNamespaceKind = "workflow" | "agent" | "user" | "global";
export interface MemoryNamespace {
  readonly kind: MemoryNamespaceKind;
  readonly id: string;
}

export interface MemoryFact {
  readonly key: string;
  readonly value: JsonValue;
  readonly metadata?: Readonly<Record<string, JsonValue>> | undefined;
  /** When the value was written, in ms. */
  readonly createdAt?: number | undefined;
  readonly expiresAt?: number | undefined;
}

export interface MemoryMessage {
  readonly role: "user" | "assistant" | "system";
  readonly content: string;
  readonly createdAt?: number | undefined;
}

/** A message and its place in the thread. */
export interface PlacedMessage extends MemoryMessage {
  readonly seq: number;
}

export interface MemoryThread {
  readonly id: string;
  readonly messages: readonly MemoryMessage[];
}

export interface SetOptions {
  /** The fact is gone after this long; without it, it stays. */
  readonly ttlMs?: number | undefined;
  readonly metadata?: Readonly<Record<string, JsonValue>> | undefined;
}

export interface Memory {
  readonly fact: { readonly namespace: MemoryNamespace; readonly key: string; readonly value: unknown } | null;
  readonly thread: { readonly id: string; readonly messages: readonly MemoryMessage[] } | null;
}

export interface MemoryStore {
  /** Throws INVALID_INPUT when the value cannot be written as JSON. */
  set(namespace: MemoryNamespace, key: string, value: unknown, options?: SetOptions): Promise<void>;
  get(namespace: MemoryNamespace, key: string): Promise<MemoryFact | undefined>;
  delete(namespace: MemoryNamespace, key: string): Promise<boolean>;
  /** By key. */
  list(namespace: MemoryNamespace): Promise<MemoryFact[]>;
  /** M4. The best first; `topK` defaults to 5. Throws INVALID_INPUT unless it is a whole number ≥ 1. */
  recall(namespace: MemoryNamespace, query: string, topK?: number): Promise<MemoryFact[]>;
  saveMessage(threadId: string, message: MemoryMessage): Promise<void>;
  getMessages(threadId: string): Promise<PlacedMessage[]>;
  /** The last `limit` messages, oldest first. Throws INVALID_INPUT unless it is a whole number ≥ 1. */
  listMessages(threadId: string, limit?: number): Promise<PlacedMessage[]>;
  threads(): Promise<string[]>;
  /** Puts `messages` where the messages up to `throughSeq` stood; false when `throughSeq` is not there any more. */
  replaceMessages(threadId: string, throughSeq: number, messages: readonly MemoryMessage[]): Promise<boolean>;
  /** How many facts were removed. */
  deleteExpired(): Promise<number>;
  /** M3 */
  remember(source: string, memory: Memory): Promise<"remembered" | "known">;
}

/** Turns texts into vectors, one each. It may throw: recall then goes by words alone. */
export interface Embedder {
  /** Vectors of different models are never compared. */
  readonly model: string;
  embed(texts: readonly string[]): Promise<readonly (readonly number[])[]>;
}
