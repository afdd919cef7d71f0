import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { systemClock } from "@smooth/platform/node/system";
import { afterAll, afterEach, describe, expect, test } from "vitest";
import { unignoredFiles } from "./files.node.ts";
import { pointers } from "./pointers.node.ts";
import { findJj } from "./testing/jj.ts";
import { worktreesContract, type RepoInHand } from "./worktrees.contract.ts";
import { worktreesOf } from "./worktrees.node.ts";

const dirs: string[] = [];
afterEach(() => dirs.splice(0).forEach((dir) => rmSync(dir, { recursive: true, force: true })));
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "worktrees-"));
  dirs.push(made);
  return made;
}
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: "pipe" }).trim();
const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

const git = (repo: string, ...args: string[]): string => run("git", "-C", repo, ...args);
const gitInHand: RepoInHand = {
  make() {
    const repo = folder();
    git(repo, "init", "-q", "-b", "main");
    writeFileSync(join(repo, "a.txt"), "one\n");
    git(repo, "add", "-A");
    git(repo, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first");
    return repo;
  },
  branch: (repo, name) => void git(repo, "branch", name, "main"),
  branches: (repo) => lines(git(repo, "branch", "--format=%(refname:short)")),
  branchIn: (worktree) => git(worktree, "branch", "--show-current"),
  baseOf: (worktree) => git(worktree, "rev-parse", "HEAD"),
  commitOf: (repo, name) => git(repo, "rev-parse", name),
  count: (repo) => lines(git(repo, "worktree", "list")).length,
  takeOver(repo, worktree) {
    git(repo, "worktree", "unlock", worktree);
    git(repo, "worktree", "lock", "--reason", "mine", worktree);
  },
};

const jj = (repo: string, ...args: string[]): string => run("jj", "-R", repo, ...args);
const logOf = (repo: string, revision: string, template: string): string =>
  jj(repo, "log", "--no-graph", "-r", revision, "-T", template);
/** Made once: each test has a copy of it. */
let firstMade: string | undefined;
afterAll(() => firstMade && rmSync(firstMade, { recursive: true }));
function firstJjRepo(): string {
  if (firstMade !== undefined) return firstMade;
  firstMade = mkdtempSync(join(tmpdir(), "worktrees-"));
  run("jj", "git", "init", firstMade);
  writeFileSync(join(firstMade, "a.txt"), "one\n");
  jj(firstMade, "commit", "-m", "first");
  jj(firstMade, "bookmark", "create", "main", "-r", "@-");
  return firstMade;
}
const jjInHand: RepoInHand = {
  make() {
    const repo = folder();
    cpSync(firstJjRepo(), repo, { recursive: true });
    return repo;
  },
  branch: (repo, name) => void jj(repo, "bookmark", "create", name, "-r", "main"),
  branches: (repo) => lines(jj(repo, "bookmark", "list", "-T", String.raw`name ++ "\n"`)),
  branchIn: (worktree) => logOf(worktree, "@", "local_bookmarks.map(|bookmark| bookmark.name())"),
  baseOf: (worktree) => logOf(worktree, "@-", "commit_id"),
  commitOf: (repo, name) => logOf(repo, name, "commit_id"),
  count: (repo) => lines(jj(repo, "workspace", "list")).length,
  takeOver: (_, worktree) => void jj(worktree, "workspace", "rename", "mine"),
};

describe("git", () => worktreesContract(gitInHand));

const jjFolder = findJj();
if (jjFolder !== null) process.env["PATH"] = `${jjFolder}${delimiter}${process.env["PATH"]}`;
describe.skipIf(jjFolder === null)(`jj${jjFolder === null ? " (skipped: no jj binary on this machine)" : ""}`, () => {
  worktreesContract(jjInHand);

  test("J3: what is written in a worktree is on its branch, and still is when the worktree is gone", async () => {
    const repo = jjInHand.make();
    const trees = worktreesOf(repo, systemClock);
    const { path } = await trees.open({ path: "a", branch: "fix it", baseBranch: "main" }, "run-1");
    writeFileSync(join(path, "a.txt"), "two\n");
    await pointers.snapshot(path, "run-1");

    await trees.prune("run-1");

    expect(jj(repo, "file", "show", "-r", '"fix it"', "root:a.txt")).toBe("two");
  });

  test("a base may be any revision that jj understands, as long as it is one", async () => {
    const repo = jjInHand.make();
    const trees = worktreesOf(repo, systemClock);
    const { path } = await trees.open({ path: "a", branch: null, baseBranch: "root()" }, "run-1");
    const several = trees.open({ path: "b", branch: null, baseBranch: "all()" }, "run-1");

    await expect(several).rejects.toMatchObject({ code: "VCS_FAILED", message: expect.stringContaining("several") });
    expect([jjInHand.baseOf(path), jjInHand.count(repo)]).toEqual(["0".repeat(40), 2]);
  });

  test("a branch that cannot be made leaves no worktree", async () => {
    const repo = jjInHand.make();
    const trees = worktreesOf(repo, systemClock);

    await expect(trees.open({ path: "a", branch: "", baseBranch: "main" }, "run-1")).rejects.toMatchObject({
      code: "VCS_FAILED",
    });

    expect(jjInHand.count(repo)).toBe(1);
  });

  test("what a worktree ignores is its own word, not that of the folder around it", async () => {
    const repo = jjInHand.make();
    writeFileSync(join(repo, ".gitignore"), ".worktrees\n");
    const { path } = await worktreesOf(repo, systemClock).open(
      { path: ".worktrees/a", branch: null, baseBranch: "main" },
      "run-1",
    );
    mkdirSync(join(path, "sub"));
    for (const name of [".gitignore", "mine", "sub/new"]) writeFileSync(join(path, name), "mine\n");

    expect((await unignoredFiles(path))?.toSorted()).toEqual([".gitignore", "a.txt", "sub/new"]);
    expect(await unignoredFiles(join(path, "sub"))).toEqual(["new"]);
  });

  test("a worktree of a worktree belongs to the same repository", async () => {
    const repo = jjInHand.make();
    const { path } = await worktreesOf(repo, systemClock).open(
      { path: "a", branch: null, baseBranch: "main" },
      "run-1",
    );
    await worktreesOf(path, systemClock).open({ path: "../b", branch: null, baseBranch: "main" }, "run-1");

    await worktreesOf(repo, systemClock).prune("run-1");

    expect(jjInHand.count(repo)).toBe(1);
  });
});
