import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Sql, SqlRow, SqlValue, Sync } from "../ports.ts";

export interface SqliteOptions {
  /** `FULL` survives power loss at every commit (default); `NORMAL` may lose the last commits, never the file. */
  readonly synchronous?: "FULL" | "NORMAL";
  readonly busyTimeoutMs?: number;
}

/** One WAL database file, or `:memory:`. The caller closes it. */
export function openSqlite(path: string, { synchronous = "FULL", busyTimeoutMs = 5_000 }: SqliteOptions = {}): Sql {
  const db = new DatabaseSync(path);
  db.exec(
    `PRAGMA journal_mode=WAL; PRAGMA synchronous=${synchronous}; PRAGMA foreign_keys=ON; PRAGMA busy_timeout=${busyTimeoutMs};`,
  );
  const prepared = new Map<string, StatementSync>();
  const prepare = (text: string): StatementSync => {
    let statement = prepared.get(text);
    if (!statement) prepared.set(text, (statement = db.prepare(text)));
    return statement;
  };
  let depth = 0;

  return {
    run: (text, params = []) => {
      const { changes, lastInsertRowid } = prepare(text).run(...params);
      return { changes: Number(changes), lastInsertRowid };
    },
    get: (text, params = []) => prepare(text).get(...(params as SqlValue[])) as SqlRow | undefined,
    all: (text, params = []) => prepare(text).all(...(params as SqlValue[])) as SqlRow[],
    exec: (script) => db.exec(script),
    transaction<T>(body: () => Sync<T>): T {
      if (depth > 0) return body();
      prepare("BEGIN IMMEDIATE").run();
      depth += 1;
      try {
        const result = body();
        prepare("COMMIT").run();
        return result;
      } catch (error) {
        if (db.isTransaction) db.exec("ROLLBACK");
        throw error;
      } finally {
        depth -= 1;
      }
    },
    close: () => db.close(),
  };
}
