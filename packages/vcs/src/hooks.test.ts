import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { hooksAround } from "./hooks.node.ts";

const git = (repo: string, ...args: string[]): string =>
  execFileSync("git", ["-C", repo, ...args], { stdio: "pipe" }) + "";
function makeRepo(): string {
  const repo = realpathSync(mkdtempSync(join(tmpdir(), "smooth-hooks-")));
  onTestFinished(() => rmSync(repo, { recursive: true }));
  git(repo, "init", "-q", "-b", "main", "repo");
  mkdirSync(join(repo, "repo/tools"));
  return join(repo, "repo");
}

test("H1: hooks are where git looks for them, from each worktree's own root", () => {
  const repo = makeRepo();
  git(repo, "config", "core.hooksPath", "tools/hooks");
  git(repo, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-q", "--allow-empty", "-m", "first");
  git(repo, "worktree", "add", "-q", "../tree");
  const isHook = hooksAround(join(repo, "tools"));

  const paths = ["tools/hooks/pre-commit", "Tools/HOOKS/new/x", "../tree/tools/hooks/x", ".git/hooks/pre-push"];
  expect(paths.map((path) => isHook(join(repo, path)))).toEqual([true, true, true, true]);
  expect(["tools/a", "tools/hooks2/x", "src/tools/hooks/x"].map((path) => isHook(join(repo, path)))).toEqual([
    false,
    false,
    false,
  ]);
});

test("H1: an absolute folder counts from everywhere, and by every way to it", () => {
  const repo = makeRepo();
  mkdirSync(join(repo, "real"));
  symlinkSync("real", join(repo, "link"));
  git(repo, "config", "core.hooksPath", join(repo, "link"));
  const isHook = hooksAround(repo);

  expect(["real/pre-commit", "link/pre-commit", "other"].map((path) => isHook(join(repo, path)))).toEqual([
    true,
    true,
    false,
  ]);
});

test("H2: what a hook is a link to is one", () => {
  const repo = makeRepo();
  writeFileSync(join(repo, "tools/check.sh"), "");
  symlinkSync("../../tools/check.sh", join(repo, ".git/hooks/pre-commit"));

  expect(["tools/check.sh", "tools/other.sh"].map((path) => hooksAround(repo)(join(repo, path)))).toEqual([
    true,
    false,
  ]);
});

test("a folder without version control has no hooks", () => {
  expect(hooksAround(tmpdir())(join(tmpdir(), "hooks/pre-commit"))).toBe(false);
});
