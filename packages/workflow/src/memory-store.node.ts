/** The author's door to memory: `createMemoryStore("smithers.db")`, in a script or a workflow file. */
import { SmoothError } from "@smooth/protocol/errors";
import type { Embedder, MemoryStore } from "@smooth/engine/memory";
import { sqliteMemoryBackend } from "@smooth/engine/memory/sqlite";
import { memoryStore } from "@smooth/engine/memory/store";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock } from "@smooth/platform/node/system";
import type { Log, Sql } from "@smooth/platform/ports";

export interface CreateMemoryStoreOptions {
  /** Recall goes by words alone without one. */
  readonly embedder?: Embedder;
  /** Hears of an embedder that fails. */
  readonly log?: Pick<Log, "warn">;
}

/** `database`: a file, which stays open as long as the process, or one that is open already. */
export function createMemoryStore(
  database: string | Sql,
  { embedder, log = silent }: CreateMemoryStoreOptions = {},
): MemoryStore {
  const sql = typeof database === "string" ? openSqlite(database) : database;
  if (typeof sql.transaction !== "function")
    throw new SmoothError(
      "INVALID_INPUT",
      "createMemoryStore takes the path of a SQLite file, or what openSqlite gives",
    );
  return memoryStore(sqliteMemoryBackend(sql), { clock: systemClock, log, embedder });
}

const silent = { warn: (): void => {} };
