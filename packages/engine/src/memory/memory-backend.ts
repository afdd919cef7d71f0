/** Memory in memory, for tests and for hosts that forget on purpose. */
import { searchText, wordsOf, type MemoryBackend, type NewMessage, type StoredFact } from "./backend.ts";
import type { PlacedMessage } from "./port.ts";
import { bm25 } from "./rank.ts";

export function memoryBackend(): MemoryBackend {
  const facts = new Map<string, StoredFact>();
  const threads = new Map<string, PlacedMessage[]>();
  const sources = new Set<string>();

  const id = (namespace: string, key: string): string => `${namespace}\n${key}`;
  const alive = (fact: StoredFact, nowMs: number): boolean => fact.expiresAtMs === null || fact.expiresAtMs > nowMs;
  const living = (namespace: string, nowMs: number): StoredFact[] =>
    [...facts.values()]
      .filter((fact) => fact.namespace === namespace && alive(fact, nowMs))
      .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  const append = (message: NewMessage): void => {
    const there = threads.get(message.threadId) ?? [];
    threads.set(message.threadId, [...there, placedAt(message, (there.at(-1)?.seq ?? 0) + 1)]);
  };

  return {
    async write({ facts: given, messages, source }) {
      if (source !== null && sources.has(source)) return false;
      if (source !== null) sources.add(source);
      for (const fact of given) facts.set(id(fact.namespace, fact.key), fact);
      messages.forEach(append);
      return true;
    },
    facts: async (namespace, nowMs) => living(namespace, nowMs),
    async fact(namespace, key, nowMs) {
      const fact = facts.get(id(namespace, key));
      return fact && alive(fact, nowMs) ? fact : null;
    },
    async search({ namespace, words, nowMs, limit }) {
      const documents = living(namespace, nowMs).map((fact) => ({ key: fact.key, words: wordsOf(searchText(fact)) }));
      return bm25(documents, words).slice(0, limit);
    },
    remove: async (namespace, key) => facts.delete(id(namespace, key)),
    async removeExpired(nowMs) {
      const expired = [...facts].filter(([, fact]) => !alive(fact, nowMs));
      for (const [key] of expired) facts.delete(key);
      return expired.length;
    },
    messages: async (threadId, limit) => (threads.get(threadId) ?? []).slice(limit === null ? 0 : -limit),
    threads: async () => [...threads.keys()].toSorted(),
    async replaceMessages(threadId, throughSeq, messages) {
      const there = threads.get(threadId) ?? [];
      const at = there.findIndex(({ seq }) => seq === throughSeq);
      if (at < 0) return false;
      const firstSeq = throughSeq - messages.length + 1;
      const placed = messages.map((message, place) => placedAt(message, firstSeq + place));
      threads.set(threadId, [...placed, ...there.slice(at + 1)]);
      return true;
    },
  };
}

const placedAt = ({ role, content, createdAt }: NewMessage, seq: number): PlacedMessage => ({
  role,
  content,
  createdAt,
  seq,
});
