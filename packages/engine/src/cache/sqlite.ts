/** Cache entries in SQLite. */
import type { Sql } from "@smooth/platform/ports";
import type { CacheEntry, NewCacheEntry } from "./port.ts";

export const CACHE_TABLE = `
CREATE TABLE IF NOT EXISTS _smithers_cache (
  key TEXT PRIMARY KEY, run_id TEXT NOT NULL, row TEXT NOT NULL, at_ms INTEGER NOT NULL) WITHOUT ROWID;
`;

export function readCache(sql: Sql, key: string): CacheEntry | null {
  const row = sql.get("SELECT run_id, row, at_ms FROM _smithers_cache WHERE key = ?", [key]);
  return row ? { key, runId: String(row["run_id"]), row: String(row["row"]), atMs: Number(row["at_ms"]) } : null;
}

export function writeCache(
  sql: Sql,
  { runId, atMs, cached }: { readonly runId: string; readonly atMs: number; readonly cached: readonly NewCacheEntry[] },
): void {
  for (const { key, row } of cached)
    sql.run("INSERT OR REPLACE INTO _smithers_cache VALUES (?, ?, ?, ?)", [key, runId, row, atMs]);
}
