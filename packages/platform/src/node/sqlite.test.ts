import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openSqlite } from "./sqlite.node.ts";

function file(): string {
  const folder = mkdtempSync(join(tmpdir(), "smooth-sqlite-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, "a.db");
}

test("a commit is synced before it counts, unless its opener asks for less", () => {
  const synchronous = (options = {}) => {
    const sql = openSqlite(file(), options);
    const [row] = sql.all("PRAGMA synchronous");
    sql.close();
    return row?.["synchronous"];
  };

  expect([synchronous(), synchronous({ synchronous: "NORMAL" })]).toEqual([2, 1]);
});

test("a transaction whose body throws leaves nothing, and the next one is its own", () => {
  const sql = openSqlite(file());
  sql.exec("CREATE TABLE t (n)");
  const insert = (n: number) => sql.run("INSERT INTO t VALUES (?)", [n]);

  expect(() =>
    sql.transaction(() => {
      insert(1);
      sql.transaction(() => insert(2));
      throw new Error("no");
    }),
  ).toThrow("no");
  sql.transaction(() => insert(3));

  expect(sql.all("SELECT n FROM t")).toEqual([{ n: 3 }]);
  sql.close();
});
