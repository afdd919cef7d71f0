/** On whose behalf a cron starts runs: beside the engine's schedules, which know nothing of callers.
 *  O1. A run of a cron may no more than who made the cron; of one whose maker is not known it may nothing. */
import type { Sql } from "@smooth/platform/ports";
import { z } from "zod";
import type { Caller } from "./auth.ts";

const Creator = z.object({ userId: z.string(), role: z.string(), scopes: z.array(z.string()) });

export interface CronCreators {
  keep(cronId: string, caller: Caller): void;
  forget(cronId: string): void;
  of(cronId: string): Caller;
}

export function openCronCreators(sql: Sql): CronCreators {
  sql.exec(
    "CREATE TABLE IF NOT EXISTS _smithers_cron_creators (cron_id TEXT PRIMARY KEY, creator TEXT NOT NULL) WITHOUT ROWID",
  );
  return {
    keep(cronId, { userId, role, scopes }) {
      const creator = JSON.stringify({ userId, role, scopes });
      sql.run("INSERT OR REPLACE INTO _smithers_cron_creators VALUES (?, ?)", [cronId, creator]);
    },
    forget: (cronId) => void sql.run("DELETE FROM _smithers_cron_creators WHERE cron_id = ?", [cronId]),
    of(cronId) {
      const row = sql.get("SELECT creator FROM _smithers_cron_creators WHERE cron_id = ?", [cronId]);
      if (!row) return { userId: `cron:${cronId}`, role: "cron", scopes: [] };
      return Creator.parse(JSON.parse(String(row["creator"])));
    },
  };
}
