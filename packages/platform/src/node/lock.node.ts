import { DatabaseSync } from "node:sqlite";
import type { Clock } from "../ports.ts";

/** One holder at a time among all processes of this machine. The lock is SQLite's own file lock, which the kernel drops with
 *  its holder: there is no stale lock to judge. */
export async function withLock<T>(path: string, clock: Clock, body: () => Promise<T>): Promise<T> {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    while (!acquired(database)) await clock.sleep(100);
    return await body();
  } finally {
    database.close();
  }
}

function acquired(database: DatabaseSync): boolean {
  try {
    database.exec("BEGIN EXCLUSIVE");
    return true;
  } catch (error) {
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return false;
    throw error;
  }
}

const SQLITE_BUSY = 5;
