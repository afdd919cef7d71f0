import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { BUGGY } from "./demo-fix.ts";
import { demoSpec, seedSampleRepo } from "./demo-repo.node.ts";

const scratch: string[] = [];
afterEach(() => scratch.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function place(): string {
  const base = mkdtempSync(join(tmpdir(), "demo-repo-"));
  scratch.push(base);
  return join(base, "sample");
}

test("makes a clean repository with one commit and the seeded bug", async () => {
  const dir = place();

  expect(await seedSampleRepo(dir)).toEqual({ kind: "seeded", dir });

  const git = (...args: string[]) => execFileSync("git", args, { cwd: dir, encoding: "utf8" });
  expect(git("status", "--porcelain")).toBe("");
  expect(git("rev-list", "--count", "main").trim()).toBe("1");
  expect(readFileSync(join(dir, "src/duration.mjs"), "utf8")).toContain(BUGGY);
});

test("a second time changes nothing, not even what a person edited", async () => {
  const dir = place();
  await seedSampleRepo(dir);
  writeFileSync(join(dir, "README.md"), "mine");

  expect(await seedSampleRepo(dir)).toEqual({ kind: "already-there", dir });

  expect(readFileSync(join(dir, "README.md"), "utf8")).toBe("mine");
});

test("Q1: a folder in use is refused and stays as it is", async () => {
  const dir = place();
  mkdirSync(dir);
  writeFileSync(join(dir, "thesis.txt"), "mine");

  expect(await seedSampleRepo(dir)).toMatchObject({ kind: "refused" });

  expect(readdirSync(dir)).toEqual(["thesis.txt"]);
});

test("the page the demo looks up carries the rule the story needs", async () => {
  expect(await demoSpec()).toContain("half");
});
