/** The MemoryStore over a backend: namespaces as text, TTLs from the clock, vectors from the embedder. Invariants in `port.ts`. */
import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { checkCount } from "@smooth/protocol/numbers";
import type { JsonValue } from "../outputs/json.ts";
import { searchText, wordsOf, type MemoryBackend, type NewMessage, type StoredFact } from "./backend.ts";
import { namespaceToString } from "./namespace.ts";
import type { Embedder, MemoryFact, MemoryMessage, MemoryNamespace, MemoryStore, SetOptions } from "./port.ts";
import { cosine, fuse, ordered } from "./rank.ts";

export interface MemoryDeps {
  readonly clock: Pick<Clock, "now">;
  readonly log: Pick<Log, "warn">;
  readonly embedder?: Embedder | undefined;
}

/** A query longer than this says no more about what is wanted. */
const MAX_QUERY_WORDS = 64;
/** How many of each ranking take part in the fusion. */
const CANDIDATES = 100;

export function memoryStore(backend: MemoryBackend, deps: MemoryDeps): MemoryStore {
  const { clock } = deps;
  const placed = (threadId: string, message: MemoryMessage): NewMessage => ({
    role: message.role,
    content: message.content,
    threadId,
    createdAt: message.createdAt ?? clock.now(),
  });
  const newFact = (namespace: MemoryNamespace, key: string, given: SetOptions & { value: unknown }) =>
    storedFact({ ...given, value: asJson(given.value, key), namespace: namespaceToString(namespace), key }, deps);

  return {
    async set(...[namespace, key, value, options = {}]) {
      await backend.write({
        facts: [await newFact(namespace, key, { ...options, value })],
        messages: [],
        source: null,
      });
    },
    async get(namespace, key) {
      const fact = await backend.fact(namespaceToString(namespace), key, clock.now());
      return fact ? toFact(fact) : undefined;
    },
    delete: (namespace, key) => backend.remove(namespaceToString(namespace), key),
    list: async (namespace) => (await backend.facts(namespaceToString(namespace), clock.now())).map(toFact),
    async recall(namespace, query, topK = 5) {
      checkCount("topK of recall", topK);
      const facts = await backend.facts(namespaceToString(namespace), clock.now());
      const byKey = new Map(facts.map((fact) => [fact.key, fact]));
      const words = [...new Set(wordsOf(query))].slice(0, MAX_QUERY_WORDS);
      const search = { namespace: namespaceToString(namespace), words, nowMs: clock.now(), limit: CANDIDATES };
      const keys = fuse([words.length === 0 ? [] : await backend.search(search), await byMeaning(facts, query, deps)]);
      return keys
        .slice(0, topK)
        .flatMap((key) => byKey.get(key) ?? [])
        .map(toFact);
    },
    async saveMessage(threadId, message) {
      await backend.write({ facts: [], messages: [placed(threadId, message)], source: null });
    },
    getMessages: async (threadId) => [...(await backend.messages(threadId, null))],
    async listMessages(threadId, limit) {
      checkCount("limit of listMessages", limit);
      return [...(await backend.messages(threadId, limit ?? null))];
    },
    threads: async () => [...(await backend.threads())],
    replaceMessages: (threadId, throughSeq, messages) =>
      backend.replaceMessages(
        threadId,
        throughSeq,
        messages.map((message) => placed(threadId, message)),
      ),
    deleteExpired: () => backend.removeExpired(clock.now()),
    async remember(source, { fact, thread }) {
      const facts = fact ? [await newFact(fact.namespace, fact.key, { value: fact.value })] : [];
      const messages = thread ? thread.messages.map((message) => placed(thread.id, message)) : [];
      return (await backend.write({ facts, messages, source })) ? "remembered" : "known"; // M3
    },
  };
}

type GivenFact = SetOptions & Pick<StoredFact, "namespace" | "key" | "value">;

async function storedFact({ ttlMs, metadata, ...fact }: GivenFact, deps: MemoryDeps): Promise<StoredFact> {
  if (ttlMs !== undefined && !(ttlMs > 0 && ttlMs < Infinity))
    throw new SmoothError(
      "INVALID_INPUT",
      `the fact ${fact.key} cannot live for ${ttlMs} ms; ttlMs is a positive number`,
    );
  const createdAtMs = deps.clock.now();
  const vector = await embedded(searchText(fact), deps);
  const expiresAtMs = ttlMs === undefined ? null : createdAtMs + ttlMs;
  return { ...fact, metadata: metadata ?? null, createdAtMs, expiresAtMs, vector };
}

/** A fact matters more than its vector: without one it is still found by its words. */
async function embedded(text: string, { embedder, log }: MemoryDeps): Promise<StoredFact["vector"]> {
  if (!embedder) return null;
  try {
    const [values] = await embedder.embed([text]);
    return values ? { model: embedder.model, values: Float32Array.from(values) } : null;
  } catch (error) {
    log.warn("memory.embed.failed", { model: embedder.model, error: String(error) });
    return null;
  }
}

async function byMeaning(facts: readonly StoredFact[], query: string, deps: MemoryDeps): Promise<string[]> {
  const comparable = facts.flatMap(({ key, vector }) =>
    vector?.model === deps.embedder?.model && vector ? [{ key, vector }] : [],
  );
  const wanted = comparable.length === 0 || query.trim() === "" ? null : await embedded(query, deps);
  if (!wanted) return [];
  const scored = comparable.map(({ key, vector }) => ({ key, score: cosine(vector.values, wanted.values) }));
  return ordered(scored).slice(0, CANDIDATES);
}

function asJson(value: unknown, key: string): JsonValue {
  try {
    const text = JSON.stringify(value) as string | undefined;
    if (text !== undefined) return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new SmoothError("INVALID_INPUT", `the fact ${key} cannot be written as JSON`, { cause });
  }
  throw new SmoothError("INVALID_INPUT", `the fact ${key} cannot be written as JSON`);
}

const toFact = ({ key, value, metadata, createdAtMs, expiresAtMs }: StoredFact): MemoryFact => ({
  key,
  value,
  createdAt: createdAtMs,
  ...(metadata ? { metadata } : {}),
  ...(expiresAtMs === null ? {} : { expiresAt: expiresAtMs }),
});
