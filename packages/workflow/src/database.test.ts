import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { databaseProblem } from "./database.node.ts";
import { openWorkspace } from "./workspace.node.ts";

function folderWith(make: (file: string) => void): { readonly rootDir: string; readonly file: string } {
  const rootDir = mkdtempSync(join(tmpdir(), "smooth-db-"));
  onTestFinished(() => rmSync(rootDir, { recursive: true }));
  const file = join(rootDir, "smithers.db");
  make(file);
  return { rootDir, file };
}

test.each([
  ["garbage", (file: string) => writeFileSync(file, "garbage"), "file is not a database"],
  ["a folder", (file: string) => mkdirSync(file), "unable to open"],
  [
    "another program's tables",
    (file: string) => new DatabaseSync(file).exec("CREATE TABLE _smithers_runs (id TEXT)"),
    "no such column",
  ],
])("smithers.db that is %s is refused by name", (_, make, problem) => {
  const { rootDir, file } = folderWith(make);

  expect(() => openWorkspace({ rootDir })).toThrow(
    expect.objectContaining({
      code: "CONFIG_INVALID",
      message: expect.stringMatching(`^${file} is not .*${problem}.*move it away`) as string,
    }),
  );
});

test("what is refused stays as it is", () => {
  const { rootDir, file } = folderWith((path) => writeFileSync(path, "garbage"));

  expect(() => openWorkspace({ rootDir })).toThrow("is not a database");
  expect(readFileSync(file, "utf8")).toBe("garbage");
});

test("what is not SQLite's is given back as it is", () => {
  const error = new TypeError("a bug");

  expect(databaseProblem("/x.db", error)).toBe(error);
});
