/** Memory in a SQLite file, beside the runs or alone. Words are ranked by FTS5's bm25(). The caller opens and closes `sql`.
 *  The tables are made at the first use: a run that remembers nothing pays nothing. */
import type { Sql, SqlRow, SqlValue } from "@smooth/platform/ports";
import type { JsonValue } from "../outputs/json.ts";
import {
  searchText,
  wordsOf,
  type MemoryBackend,
  type MemoryBatch,
  type NewMessage,
  type StoredFact,
} from "./backend.ts";
import type { MemoryMessage, PlacedMessage } from "./port.ts";

const TABLES = `
CREATE TABLE IF NOT EXISTS _smithers_memory_facts (
  id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, metadata TEXT,
  created_at_ms INTEGER NOT NULL, expires_at_ms INTEGER, model TEXT, vector BLOB, UNIQUE (namespace, key));
CREATE INDEX IF NOT EXISTS _smithers_memory_facts_by_end ON _smithers_memory_facts (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
CREATE VIRTUAL TABLE IF NOT EXISTS _smithers_memory_words USING fts5 (words);
CREATE TABLE IF NOT EXISTS _smithers_memory_messages (
  thread_id TEXT NOT NULL, seq INTEGER NOT NULL, role TEXT NOT NULL, content TEXT NOT NULL, created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (thread_id, seq)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS _smithers_memory_sources (source TEXT PRIMARY KEY) WITHOUT ROWID;
`;

const ALIVE = "(expires_at_ms IS NULL OR expires_at_ms > ?)";

export function sqliteMemoryBackend(sql: Sql): MemoryBackend {
  let there = false;
  const db = (): Sql => {
    if (!there) sql.exec(TABLES);
    there = true;
    return sql;
  };
  return {
    write: async (batch) => db().transaction(() => write(sql, batch)),
    facts: async (namespace, nowMs) =>
      db()
        .all(`SELECT * FROM _smithers_memory_facts WHERE namespace = ? AND ${ALIVE} ORDER BY key`, [namespace, nowMs])
        .map(storedFact),
    async fact(namespace, key, nowMs) {
      const text = `SELECT * FROM _smithers_memory_facts WHERE namespace = ? AND key = ? AND ${ALIVE}`;
      const row = db().get(text, [namespace, key, nowMs]);
      return row ? storedFact(row) : null;
    },
    async search({ namespace, words, nowMs, limit }) {
      const text = `SELECT key FROM _smithers_memory_words JOIN _smithers_memory_facts ON id = _smithers_memory_words.rowid
        WHERE _smithers_memory_words MATCH ? AND namespace = ? AND ${ALIVE} ORDER BY bm25(_smithers_memory_words), key LIMIT ?`;
      const anyOf = words.map((word) => `"${word}"`).join(" OR ");
      return db()
        .all(text, [anyOf, namespace, nowMs, limit])
        .map((row) => String(row["key"]));
    },
    remove: async (namespace, key) =>
      db().transaction(() => remove(sql, "namespace = ? AND key = ?", [namespace, key]) === 1),
    removeExpired: async (nowMs) => db().transaction(() => remove(sql, "expires_at_ms <= ?", [nowMs])),
    async messages(threadId, limit) {
      const text = "SELECT * FROM _smithers_memory_messages WHERE thread_id = ? ORDER BY seq DESC LIMIT ?";
      return db()
        .all(text, [threadId, limit ?? -1])
        .toReversed()
        .map(placedMessage);
    },
    threads: async () =>
      db()
        .all("SELECT DISTINCT thread_id FROM _smithers_memory_messages ORDER BY 1")
        .map((row) => String(row["thread_id"])),
    replaceMessages: async (...given) => db().transaction(() => replaceMessages(sql, given)),
  };
}

function write(sql: Sql, { facts, messages, source }: MemoryBatch): boolean {
  if (source !== null) {
    const { changes } = sql.run("INSERT INTO _smithers_memory_sources VALUES (?) ON CONFLICT DO NOTHING", [source]);
    if (changes === 0) return false; // M3
  }
  for (const fact of facts) writeFact(sql, fact);
  for (const message of messages) {
    const text = "SELECT COALESCE(MAX(seq), 0) + 1 AS seq FROM _smithers_memory_messages WHERE thread_id = ?";
    insertMessage(sql, message, Number(sql.get(text, [message.threadId])?.["seq"]));
  }
  return true;
}

function writeFact(sql: Sql, fact: StoredFact): void {
  const row = sql.get(
    `INSERT INTO _smithers_memory_facts (namespace, key, value, metadata, created_at_ms, expires_at_ms, model, vector)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, key) DO UPDATE SET value = excluded.value, metadata = excluded.metadata,
     created_at_ms = excluded.created_at_ms, expires_at_ms = excluded.expires_at_ms, model = excluded.model, vector = excluded.vector
     RETURNING id`,
    [
      fact.namespace,
      fact.key,
      JSON.stringify(fact.value),
      fact.metadata && JSON.stringify(fact.metadata),
      fact.createdAtMs,
      fact.expiresAtMs,
      fact.vector?.model ?? null,
      fact.vector && new Uint8Array(fact.vector.values.buffer.slice(0)),
    ],
  );
  const id = row?.["id"] ?? null;
  sql.run("DELETE FROM _smithers_memory_words WHERE rowid = ?", [id]);
  // Words are cut here, so that both backends see the same ones.
  sql.run("INSERT INTO _smithers_memory_words (rowid, words) VALUES (?, ?)", [id, wordsOf(searchText(fact)).join(" ")]);
}

function remove(sql: Sql, where: string, params: readonly SqlValue[]): number {
  const gone = sql.all(`DELETE FROM _smithers_memory_facts WHERE ${where} RETURNING id`, params);
  for (const row of gone) sql.run("DELETE FROM _smithers_memory_words WHERE rowid = ?", [row["id"] ?? null]);
  return gone.length;
}

function insertMessage(sql: Sql, { threadId, role, content, createdAt }: NewMessage, seq: number): void {
  sql.run("INSERT INTO _smithers_memory_messages VALUES (?, ?, ?, ?, ?)", [threadId, seq, role, content, createdAt]);
}

function replaceMessages(
  sql: Sql,
  [threadId, throughSeq, messages]: Parameters<MemoryBackend["replaceMessages"]>,
): boolean {
  const place = "thread_id = ? AND seq";
  if (!sql.get(`SELECT 1 FROM _smithers_memory_messages WHERE ${place} = ?`, [threadId, throughSeq])) return false;
  sql.run(`DELETE FROM _smithers_memory_messages WHERE ${place} <= ?`, [threadId, throughSeq]);
  for (const [at, message] of messages.entries()) insertMessage(sql, message, throughSeq - messages.length + 1 + at);
  return true;
}

const placedMessage = (row: SqlRow): PlacedMessage => ({
  seq: Number(row["seq"]),
  role: String(row["role"]) as MemoryMessage["role"],
  content: String(row["content"]),
  createdAt: Number(row["created_at_ms"]),
});

const storedFact = (row: SqlRow): StoredFact => ({
  namespace: String(row["namespace"]),
  key: String(row["key"]),
  value: JSON.parse(String(row["value"])) as JsonValue,
  metadata: row["metadata"] === null ? null : (JSON.parse(String(row["metadata"])) as Record<string, JsonValue>),
  createdAtMs: Number(row["created_at_ms"]),
  expiresAtMs: row["expires_at_ms"] === null ? null : Number(row["expires_at_ms"]),
  vector: vectorOf(row),
});

function vectorOf({ model, vector }: SqlRow): StoredFact["vector"] {
  if (!(vector instanceof Uint8Array)) return null;
  return { model: String(model), values: new Float32Array(vector.slice().buffer) };
}
