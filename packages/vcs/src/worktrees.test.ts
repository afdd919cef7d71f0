import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { gitWorktrees } from "./worktrees.node.ts";

const dirs: string[] = [];
afterEach(() => dirs.splice(0).forEach((dir) => rmSync(dir, { recursive: true, force: true })));

const run = (repo: string, ...args: string[]): string =>
  execFileSync("git", ["-C", repo, ...args], { encoding: "utf8" }).trim();
function makeRepo(): string {
  const repo = mkdtempSync(join(tmpdir(), "worktrees-"));
  dirs.push(repo);
  run(repo, "init", "-q", "-b", "main");
  writeFileSync(join(repo, "a.txt"), "one\n");
  run(repo, "add", "-A");
  run(repo, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first");
  return repo;
}
const work = { path: ".worktrees/a", branch: "work/a", baseBranch: "main" };

test("T1: a worktree is made once, on its branch, whoever asks at the same time; files in it are its own", async () => {
  const repo = makeRepo();
  const [one, other] = [gitWorktrees(repo), gitWorktrees(repo)];

  const opened = await Promise.all([one.open(work, "run-1"), one.open(work, "run-1")]);
  await other.open(work, "run-2");
  writeFileSync(join(opened[0].path, "a.txt"), "two\n");

  expect(opened.map(({ path }) => path)).toEqual([join(repo, work.path), join(repo, work.path)]);
  expect(run(opened[0].path, "branch", "--show-current")).toBe("work/a");
  expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("one\n");
  expect(run(repo, "worktree", "list").split("\n")).toHaveLength(2);
});

test("an existing branch is checked out as it is; without a branch it is detached; a base that is not there is HEAD", async () => {
  const repo = makeRepo();
  const trees = gitWorktrees(repo);
  run(repo, "branch", "there");

  const there = await trees.open({ ...work, branch: "there" }, "run-1");
  const detached = await trees.open({ path: ".worktrees/b", branch: null, baseBranch: "nowhere" }, "run-1");

  expect(run(there.path, "branch", "--show-current")).toBe("there");
  expect(run(detached.path, "branch", "--show-current")).toBe("");
  expect(run(detached.path, "rev-parse", "HEAD")).toBe(run(repo, "rev-parse", "main"));
});

test("T2: pruning a run removes its worktrees and no others; the branches stay", async () => {
  const repo = makeRepo();
  const trees = gitWorktrees(repo);
  const mine = await trees.open(work, "run-1");
  const others = await trees.open({ ...work, path: ".worktrees/c", branch: "work/c" }, "run-2");
  writeFileSync(join(mine.path, "dirty"), "x");

  await trees.prune("run-1");

  expect([existsSync(mine.path), existsSync(others.path)]).toEqual([false, true]);
  expect(run(repo, "branch", "--list", "work/a")).toContain("work/a");
  await trees.open(work, "run-3");
});

test("T2: a worktree goes with the run that used it last; a person's lock is left alone", async () => {
  const repo = makeRepo();
  const trees = gitWorktrees(repo);
  const { path } = await trees.open(work, "run-1");
  await gitWorktrees(repo).open(work, "run-2");

  await trees.prune("run-1");
  expect([existsSync(path), await trees.of("run-1"), await trees.of("run-2")]).toEqual([true, [], [path]]);

  run(repo, "worktree", "unlock", path);
  run(repo, "worktree", "lock", "--reason", "mine", path);
  await trees.open(work, "run-3");
  await trees.prune("run-3");
  expect([existsSync(path), await trees.of("run-3")]).toEqual([true, []]);
});

test("T3: a folder that is there already is refused and left alone", async () => {
  const repo = makeRepo();
  mkdirSync(join(repo, "mine"));
  writeFileSync(join(repo, "mine/x"), "x");

  await expect(gitWorktrees(repo).open({ ...work, path: "mine" }, "run-1")).rejects.toMatchObject({
    code: "VCS_FAILED",
  });
  expect(readFileSync(join(repo, "mine/x"), "utf8")).toBe("x");
});
