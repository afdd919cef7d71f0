import { PGlite } from "@electric-sql/pglite";
import { mkdtempSync, mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { isDuplicate, openDb } from "./client.ts";
import { migrate, migrateUp } from "./migrate.ts";

const withMigration = (sql: string) => {
  const dir = mkdtempSync(join(tmpdir(), "smooth-migrate-"));
  const write = (text: string) => writeFileSync(join(dir, "1_start", "migration.sql"), text);
  mkdirSync(join(dir, "1_start"));
  write(sql);
  return { dir, write };
};

test("a directory is migrated once, opened, and kept", async () => {
  const url = `pglite:${mkdtempSync(join(tmpdir(), "smooth-db-"))}/db`;

  expect(await migrateUp(url)).toEqual(["20261121000000_start"]);
  expect(await migrateUp(url)).toEqual([]);
  const db = await openDb(url);
  await db.org.create({ data: { id: "org-1", slug: "one", name: "One", createdAtMs: 1_800_000_000_123 } });

  expect(await db.org.findFirst()).toMatchObject({ name: "One", createdAtMs: 1_800_000_000_123 });
  const again = db.org.create({ data: { id: "org-1", slug: "two", name: "Two", createdAtMs: 1 } });
  expect(isDuplicate(await again.catch((error: unknown) => error))).toBe(true);
  await db.$disconnect();
});

test("M2: a migration that fails leaves nothing behind", async () => {
  await using pglite = await PGlite.create();
  const { dir, write } = withMigration("CREATE TABLE a (x int); SELECT nonsense;");

  await expect(migrate(pglite, dir)).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  write("CREATE TABLE a (x int);");

  expect(await migrate(pglite, dir)).toEqual(["1_start"]);
});

test("M3: a migration edited after it was applied stops everything", async () => {
  await using pglite = await PGlite.create();
  const { dir, write } = withMigration("CREATE TABLE a (x int);");
  await migrate(pglite, dir);
  write("CREATE TABLE a (y int);");

  await expect(migrate(pglite, dir)).rejects.toThrow(/edited/);
});
