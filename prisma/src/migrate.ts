import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SmoothError } from "@smooth/protocol/errors";
import { pgliteDirOf } from "./pglite-dir.ts";

/** Applies `prisma/migrations` without Prisma's command line or engine.
 *  M1. The ledger `_prisma_migrations` is written as Prisma writes it, so `prisma migrate status` and `deploy` agree later.
 *  M2. A migration and its ledger row are one transaction; two processes starting together apply it once.
 *  M3. A migration that was edited after it was applied stops everything. */

const MIGRATIONS = fileURLToPath(new URL("../migrations", import.meta.url));
const LOCK = 7_243_001;

const LEDGER = `CREATE TABLE IF NOT EXISTS "_prisma_migrations" (
  "id" VARCHAR(36) PRIMARY KEY NOT NULL, "checksum" VARCHAR(64) NOT NULL, "finished_at" TIMESTAMPTZ,
  "migration_name" VARCHAR(255) NOT NULL, "logs" TEXT, "rolled_back_at" TIMESTAMPTZ,
  "started_at" TIMESTAMPTZ NOT NULL DEFAULT now(), "applied_steps_count" INTEGER NOT NULL DEFAULT 0)`;

/** One connection. */
export interface SqlConnection {
  /** Several statements, no parameters. */
  exec(script: string): Promise<unknown>;
  query(text: string, params?: unknown[]): Promise<{ rows: unknown[] }>;
}

/** Brings the database at `url` up to date; answers with the names it applied. */
export async function migrateUp(url: string): Promise<string[]> {
  const dir = pgliteDirOf(url);
  if (dir === null) return migratePostgres(url);
  const { PGlite } = await import("@electric-sql/pglite");
  mkdirSync(dir, { recursive: true });
  const pglite = await PGlite.create(dir);
  try {
    return await migrate(pglite);
  } finally {
    await pglite.close();
  }
}

async function migratePostgres(url: string): Promise<string[]> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await migrate({
      exec: (script) => client.query(script),
      query: (text, params) => client.query(text, params),
    });
  } finally {
    await client.end();
  }
}

export async function migrate(connection: SqlConnection, dir = MIGRATIONS): Promise<string[]> {
  await connection.query("SELECT pg_advisory_lock($1)::text", [LOCK]); // M2
  try {
    await connection.exec(LEDGER);
    const applied: string[] = [];
    for (const name of namesIn(dir)) if (await apply(connection, { dir, name })) applied.push(name);
    return applied;
  } finally {
    await connection.query("SELECT pg_advisory_unlock($1)", [LOCK]);
  }
}

const namesIn = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted();

async function apply(connection: SqlConnection, { dir, name }: { dir: string; name: string }): Promise<boolean> {
  const sql = readFileSync(join(dir, name, "migration.sql"), "utf8");
  const checksum = createHash("sha256").update(sql).digest("hex");
  const { rows } = await connection.query(
    `SELECT checksum FROM "_prisma_migrations"
     WHERE migration_name = $1 AND finished_at IS NOT NULL AND rolled_back_at IS NULL`,
    [name],
  );
  const [before] = rows as { checksum: string }[];
  if (before?.checksum === checksum) return false;
  if (before) {
    throw new SmoothError(
      "CONFIG_INVALID",
      `migration ${name} was edited after it was applied; restore it and write a new one`,
    ); // M3
  }
  await connection.exec("BEGIN");
  try {
    await connection.exec(sql);
    await connection.query(
      `INSERT INTO "_prisma_migrations" (id, checksum, finished_at, migration_name, applied_steps_count)
       VALUES ($1, $2, now(), $3, 1)`,
      [randomUUID(), checksum, name],
    );
    await connection.exec("COMMIT");
  } catch (cause) {
    await connection.exec("ROLLBACK");
    throw new SmoothError("CONFIG_INVALID", `migration ${name} does not apply; the database is as it was`, { cause });
  }
  return true;
}
