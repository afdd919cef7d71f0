import type { Sql, SqlRow } from "@smooth/platform/ports";
import { Ask, type PendingAsk } from "@smooth/protocol/asks";
import { AccessRequest } from "@smooth/protocol/policy";

/** Where asks live. The row is the truth: whoever changes it from `pending` first has decided (A2), in whatever process. */

export interface StoredAsk {
  readonly ask: Ask;
  /** The exact request a grant would cover; null: the approval counts for this ask only. */
  readonly request: AccessRequest | null;
  /** The outcome reached the one who asked. */
  readonly consumed: boolean;
}

export interface AskStore {
  insert(ask: PendingAsk, request: AccessRequest | null): void;
  find(id: string): StoredAsk | null;
  /** The newest ask of the run for this exact action. */
  findAction(runId: string, actionHash: string): StoredAsk | null;
  pending(): PendingAsk[];
  /** False when the ask was not pending any more; then nothing changed. */
  close(ask: Ask): boolean;
  consume(id: string): void;
  /** Approved for the whole run. */
  runGrants(runId: string): StoredAsk[];
  list(filter: { readonly runId?: string | undefined; readonly limit: number }): Ask[];
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS asks (
  id TEXT PRIMARY KEY, run_id TEXT NOT NULL, action_hash TEXT NOT NULL, status TEXT NOT NULL, grant_scope TEXT,
  body TEXT NOT NULL, request TEXT, consumed INTEGER NOT NULL DEFAULT 0, opened_at_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS asks_one_pending ON asks (run_id, action_hash) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS asks_by_run ON asks (run_id, action_hash, opened_at_ms);
CREATE INDEX IF NOT EXISTS asks_by_status ON asks (status, opened_at_ms);`;

export function sqlAskStore(sql: Sql): AskStore {
  sql.exec(SCHEMA);
  return {
    insert(ask, request) {
      sql.run(
        "INSERT INTO asks (id, run_id, action_hash, status, body, request, opened_at_ms) VALUES (?, ?, ?, 'pending', ?, ?, ?)",
        [
          ask.id,
          ask.runId,
          ask.actionHash,
          JSON.stringify(ask),
          request === null ? null : JSON.stringify(request),
          ask.openedAtMs,
        ],
      );
    },
    find: (id) => toStored(sql.get("SELECT * FROM asks WHERE id = ?", [id])),
    findAction: (runId, actionHash) =>
      toStored(
        sql.get(
          "SELECT * FROM asks WHERE run_id = ? AND action_hash = ? ORDER BY opened_at_ms DESC, rowid DESC LIMIT 1",
          [runId, actionHash],
        ),
      ),
    pending: () =>
      sql
        .all("SELECT body FROM asks WHERE status = 'pending' ORDER BY opened_at_ms, rowid")
        .map(toAsk)
        .filter((ask) => ask.status === "pending"),
    close(ask) {
      const scope = ask.status === "decided" && ask.decision.verdict === "approve" ? ask.decision.grant : null;
      return (
        sql.run("UPDATE asks SET status = ?, grant_scope = ?, body = ? WHERE id = ? AND status = 'pending'", [
          ask.status,
          scope,
          JSON.stringify(ask),
          ask.id,
        ]).changes === 1
      );
    },
    consume: (id) => void sql.run("UPDATE asks SET consumed = 1 WHERE id = ?", [id]),
    runGrants: (runId) =>
      sql
        .all(
          "SELECT * FROM asks WHERE run_id = ? AND status = 'decided' AND grant_scope IN ('run', 'rule') AND request IS NOT NULL",
          [runId],
        )
        .flatMap((row) => toStored(row) ?? []),
    list: ({ runId, limit }) =>
      (runId === undefined
        ? sql.all("SELECT body FROM asks ORDER BY opened_at_ms DESC, rowid DESC LIMIT ?", [limit])
        : sql.all("SELECT body FROM asks WHERE run_id = ? ORDER BY opened_at_ms DESC, rowid DESC LIMIT ?", [
            runId,
            limit,
          ])
      ).map(toAsk),
  };
}

function toAsk(row: SqlRow): Ask {
  return Ask.parse(JSON.parse(String(row["body"])));
}

function toStored(row: SqlRow | undefined): StoredAsk | null {
  if (!row) return null;
  const request = row["request"];
  return {
    ask: toAsk(row),
    request: typeof request === "string" ? AccessRequest.parse(JSON.parse(request)) : null,
    consumed: row["consumed"] === 1,
  };
}
