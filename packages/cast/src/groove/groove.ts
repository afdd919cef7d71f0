import type { Blobs, Clock, Sql, SqlRow } from "@smooth/platform/ports";
import { ChatMessage } from "@smooth/protocol/operator";
import { z } from "zod";
import { TreeEntry, TreePath, withConflicts, type TreeChange } from "./tree.ts";

/** Checkpoints: what a new VM needs to go on as if nothing had happened (promise P1).
 *  C1. A checkpoint is whole or absent: bytes are durable before the row that names them, rows are one transaction.
 *  C2. A completed tool call keeps its first result; it is replayed, never run again.
 *  C3. Messages and files are stored once: a checkpoint stores what is new since the one before it. */

export const RunUsage = z.object({
  inputTokens: z.int().nonnegative(),
  outputTokens: z.int().nonnegative(),
  costUsd: z.number().nonnegative().nullable(),
});
export type RunUsage = z.infer<typeof RunUsage>;

export interface Checkpoint {
  readonly id: string;
  readonly runId: string;
  readonly seq: number;
  readonly afterCallId: string | null;
  readonly iteration: number;
  readonly usage: RunUsage;
  readonly conversation: readonly ChatMessage[];
  readonly atMs: number;
}

/** A changed file with its bytes, or a link. */
export type FileChange =
  | { readonly kind: "file"; readonly path: string; readonly mode: number; readonly bytes: Uint8Array }
  | Extract<TreeEntry, { kind: "link" }>;

export interface NewCheckpoint {
  readonly runId: string;
  readonly afterCallId: string | null;
  readonly iteration: number;
  readonly usage: RunUsage;
  readonly conversation: readonly ChatMessage[];
  /** Since the run's latest checkpoint. */
  readonly changed: readonly FileChange[];
  readonly deleted: readonly string[];
}

export interface CallResult {
  readonly ok: boolean;
  readonly content: string;
}

export interface Groove {
  save(input: NewCheckpoint): Promise<Checkpoint>;
  latest(runId: string): Checkpoint | null;
  at(runId: string, seq: number): Checkpoint | null;
  /** The whole workspace as of that checkpoint, sorted by path. */
  tree(runId: string, seq: number): TreeEntry[];
  /** C2. The result that counts: the first one. */
  completeCall(call: { readonly runId: string; readonly callId: string } & CallResult): CallResult;
  completedCall(runId: string, callId: string): CallResult | null;
  /** Bytes of a file entry. */
  bytes(sha256: string): Promise<Uint8Array>;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS groove_messages (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES groove_messages(id), body TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS groove_checkpoints (
  run_id TEXT NOT NULL, seq INTEGER NOT NULL, after_call_id TEXT, iteration INTEGER NOT NULL, usage TEXT NOT NULL,
  head INTEGER REFERENCES groove_messages(id), at_ms INTEGER NOT NULL, PRIMARY KEY (run_id, seq)
) STRICT;
CREATE TABLE IF NOT EXISTS groove_files (run_id TEXT NOT NULL, path TEXT NOT NULL, seq INTEGER NOT NULL, entry TEXT, PRIMARY KEY (run_id, path, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groove_calls (run_id TEXT NOT NULL, call_id TEXT NOT NULL, ok INTEGER NOT NULL, content TEXT NOT NULL, PRIMARY KEY (run_id, call_id)) STRICT, WITHOUT ROWID;`;

export function openGroove({
  sql,
  blobs,
  clock,
}: {
  readonly sql: Sql;
  readonly blobs: Blobs;
  readonly clock: Pick<Clock, "now">;
}): Groove {
  sql.exec(SCHEMA);
  const at = (runId: string, seq: number): Checkpoint | null =>
    toCheckpoint(sql, sql.get("SELECT * FROM groove_checkpoints WHERE run_id = ? AND seq = ?", [runId, seq]));
  const latestSeq = (runId: string): number =>
    Number(sql.get("SELECT MAX(seq) AS seq FROM groove_checkpoints WHERE run_id = ?", [runId])?.["seq"] ?? 0);

  return {
    at,
    latest: (runId) => at(runId, latestSeq(runId)),
    tree: (runId, seq) => treeAt(sql, runId, seq),
    bytes: (sha256) => blobs.get(sha256),
    async save(input) {
      const deleted = z.array(TreePath).parse(input.deleted);
      const changed = await Promise.all(input.changed.map((change) => toEntry(change, blobs)));
      const seq = sql.transaction(() => {
        const before = latestSeq(input.runId);
        writeCheckpoint(sql, input, { seq: before + 1, atMs: clock.now() });
        writeFiles(
          sql,
          { runId: input.runId, seq: before + 1 },
          withConflicts(treeAt(sql, input.runId, before), { changed, deleted }),
        );
        return before + 1;
      });
      return at(input.runId, seq) ?? unreachable(input.runId);
    },
    completeCall({ runId, callId, ok, content }) {
      sql.run("INSERT INTO groove_calls (run_id, call_id, ok, content) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", [
        runId,
        callId,
        ok ? 1 : 0,
        content,
      ]);
      return callOf(sql, runId, callId) ?? { ok, content };
    },
    completedCall: (runId, callId) => callOf(sql, runId, callId),
  };
}

async function toEntry(change: FileChange, blobs: Blobs): Promise<TreeEntry> {
  if (change.kind === "link") return TreeEntry.parse(change);
  TreePath.parse(change.path);
  const { kind, path, mode, bytes } = change;
  return TreeEntry.parse({ kind, path, mode: mode & 0o777, sha256: await blobs.put(bytes), sizeBytes: bytes.length });
}

/** C3: messages that the run's last checkpoint already holds are shared, not copied. */
function writeCheckpoint(sql: Sql, input: NewCheckpoint, { seq, atMs }: { seq: number; atMs: number }): void {
  const last =
    sql.get("SELECT head FROM groove_checkpoints WHERE run_id = ? AND seq = ?", [input.runId, seq - 1])?.["head"] ??
    null;
  const known = chain(sql, last);
  const bodies = input.conversation.map((message) => JSON.stringify(ChatMessage.parse(message)));
  let shared = 0;
  while (shared < bodies.length && known[shared]?.body === bodies[shared]) shared += 1;
  let head: number | bigint | null = shared === 0 ? null : (known[shared - 1]?.id ?? null);
  for (const body of bodies.slice(shared))
    head = sql.run("INSERT INTO groove_messages (parent, body) VALUES (?, ?)", [head, body]).lastInsertRowid;
  sql.run(
    "INSERT INTO groove_checkpoints (run_id, seq, after_call_id, iteration, usage, head, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
    [input.runId, seq, input.afterCallId, input.iteration, JSON.stringify(RunUsage.parse(input.usage)), head, atMs],
  );
}

function writeFiles(sql: Sql, { runId, seq }: { runId: string; seq: number }, { changed, deleted }: TreeChange): void {
  const put = "INSERT OR REPLACE INTO groove_files (run_id, path, seq, entry) VALUES (?, ?, ?, ?)";
  for (const path of deleted) sql.run(put, [runId, path, seq, null]);
  for (const entry of changed) sql.run(put, [runId, entry.path, seq, JSON.stringify(entry)]);
}

function treeAt(sql: Sql, runId: string, seq: number): TreeEntry[] {
  const rows = sql.all(
    `SELECT entry FROM groove_files AS f WHERE run_id = ? AND entry IS NOT NULL
     AND seq = (SELECT MAX(seq) FROM groove_files AS g WHERE g.run_id = f.run_id AND g.path = f.path AND g.seq <= ?) ORDER BY path`,
    [runId, seq],
  );
  return rows.map((row) => TreeEntry.parse(JSON.parse(String(row["entry"]))));
}

function chain(sql: Sql, head: SqlRow[string]): { id: number; body: string }[] {
  if (head === null) return [];
  const rows = sql.all(
    `WITH RECURSIVE chain(id, parent, body, depth) AS (
       SELECT id, parent, body, 0 FROM groove_messages WHERE id = ?
       UNION ALL SELECT m.id, m.parent, m.body, depth + 1 FROM groove_messages AS m JOIN chain ON m.id = chain.parent)
     SELECT id, body FROM chain ORDER BY depth DESC`,
    [head],
  );
  return rows.map((row) => ({ id: Number(row["id"]), body: String(row["body"]) }));
}

function toCheckpoint(sql: Sql, row: SqlRow | undefined): Checkpoint | null {
  if (!row) return null;
  const [runId, seq, afterCallId] = [String(row["run_id"]), Number(row["seq"]), row["after_call_id"]];
  return {
    id: `${runId}:${seq}`,
    runId,
    seq,
    afterCallId: typeof afterCallId === "string" ? afterCallId : null,
    iteration: Number(row["iteration"]),
    usage: RunUsage.parse(JSON.parse(String(row["usage"]))),
    conversation: chain(sql, row["head"] ?? null).map(({ body }) => ChatMessage.parse(JSON.parse(body))),
    atMs: Number(row["at_ms"]),
  };
}

function callOf(sql: Sql, runId: string, callId: string): CallResult | null {
  const row = sql.get("SELECT ok, content FROM groove_calls WHERE run_id = ? AND call_id = ?", [runId, callId]);
  return row ? { ok: row["ok"] === 1, content: String(row["content"]) } : null;
}

function unreachable(runId: string): never {
  throw new TypeError(`the checkpoint of ${runId} vanished inside its own transaction`);
}
