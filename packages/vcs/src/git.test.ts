import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { git } from "./git.node.ts";
import type { Merge, TreeChange } from "./vcs.ts";

const dirs: string[] = [];
afterEach(() => dirs.splice(0).forEach((dir) => rmSync(dir, { recursive: true, force: true })));

const write = (path: string, text: string, mode: "100644" | "100755" | "120000" = "100644"): TreeChange => ({
  kind: "write",
  path,
  mode,
  bytes: new TextEncoder().encode(text),
});

function makeRepo(): string {
  const repo = mkdtempSync(join(tmpdir(), "vcs-"));
  dirs.push(repo);
  run(repo, "init", "-q", "-b", "main");
  writeFileSync(join(repo, "a.txt"), "one\ntwo\nthree\n");
  writeFileSync(join(repo, "b.txt"), "b\n");
  writeFileSync(join(repo, ".gitignore"), "ignored\n");
  writeFileSync(join(repo, "ignored"), "secret\n");
  run(repo, "add", "-A");
  run(repo, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first");
  return repo;
}
const run = (repo: string, ...args: string[]): string =>
  execFileSync("git", ["-C", repo, ...args], { encoding: "utf8" }).trim();

async function mergeOf(repo: string, changes: TreeChange[]): Promise<Merge> {
  const { commit } = await git.head(repo);
  return {
    repo,
    base: commit,
    branch: "main",
    changes,
    message: "Fix it",
    author: { name: "Op", email: "op@smooth" },
    atMs: 1_800_000_000_000,
  };
}

test("exports the committed tree alone: no git folder, no ignored or uncommitted files", async () => {
  const repo = makeRepo();
  writeFileSync(join(repo, "a.txt"), "not committed\n");
  const dir = mkdtempSync(join(tmpdir(), "vcs-export-"));
  dirs.push(dir);

  await git.exportTree(repo, (await git.head(repo)).commit, dir);

  expect(readdirSync(dir).toSorted()).toEqual([".gitignore", "a.txt", "b.txt"]);
  expect(readFileSync(join(dir, "a.txt"), "utf8")).toBe("one\ntwo\nthree\n");
});

test("shows what changed, file by file, and moves nothing", async () => {
  const repo = makeRepo();
  const { commit } = await git.head(repo);

  const { files, hash } = await git.diff(repo, commit, [
    write("a.txt", "one\n2\nthree\n"),
    { kind: "delete", path: "b.txt" },
    write('sub/é "q".txt', "x\n"),
    write("bin", "\0\u0001"),
  ]);

  expect(
    files.map(({ path, status, additions, deletions, binary }) => [path, status, additions, deletions, binary]),
  ).toEqual([
    ["a.txt", "modified", 1, 1, false],
    ["b.txt", "deleted", 0, 1, false],
    ["bin", "added", 0, 0, true],
    ['sub/é "q".txt', "added", 1, 0, false],
  ]);
  expect(files[0]?.patch).toContain("-two\n+2\n");
  expect(hash).toMatch(/^[0-9a-f]{64}$/);
  expect(run(repo, "status", "--porcelain")).toBe("");
});

test("the hash is bound to base and content", async () => {
  const repo = makeRepo();
  const { commit } = await git.head(repo);

  const [first, same, other] = await Promise.all([
    git.diff(repo, commit, [write("a.txt", "x")]),
    git.diff(repo, commit, [write("a.txt", "x")]),
    git.diff(repo, commit, [write("a.txt", "y")]),
  ]);

  expect(first?.hash).toBe(same?.hash);
  expect(first?.hash).not.toBe(other?.hash);
});

test("applies as one commit and updates the clean working tree", async () => {
  const repo = makeRepo();

  const applied = await git.apply(
    await mergeOf(repo, [
      write("a.txt", "done\n"),
      write("run.sh", "#!/bin/sh\n", "100755"),
      { kind: "delete", path: "b.txt" },
    ]),
  );

  expect(applied).toEqual({ kind: "committed", commit: run(repo, "rev-parse", "HEAD"), branch: "main" });
  expect(run(repo, "log", "-1", "--format=%an %s")).toBe("Op Fix it");
  expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("done\n");
  expect(existsSync(join(repo, "b.txt"))).toBe(false);
  expect(run(repo, "ls-files", "-s", "run.sh")).toMatch(/^100755/);
  expect(run(repo, "status", "--porcelain")).toBe("");
});

test("applying twice makes one commit", async () => {
  const repo = makeRepo();
  const merge = await mergeOf(repo, [write("a.txt", "done\n")]);
  await git.apply(merge);

  await git.apply(merge);

  expect(run(repo, "rev-list", "--count", "HEAD")).toBe("2");
});

test("merges three ways when the branch moved on, and names the paths when it cannot", async () => {
  const repo = makeRepo();
  const clean = await mergeOf(repo, [write("a.txt", "one\ntwo\nTHREE\n")]);
  const clash = { ...clean, changes: [write("b.txt", "mine\n")] };
  writeFileSync(join(repo, "b.txt"), "theirs\n");
  run(repo, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qam", "second");

  expect(await git.apply(clash)).toEqual({ kind: "conflict", paths: ["b.txt"] });
  expect(run(repo, "log", "-1", "--format=%s")).toBe("second");
  expect(await git.apply(clean)).toMatchObject({ kind: "committed" });
  expect(readFileSync(join(repo, "b.txt"), "utf8")).toBe("theirs\n");
});

test("a person's uncommitted work is never overwritten", async () => {
  const repo = makeRepo();
  const merge = await mergeOf(repo, [write("a.txt", "done\n"), write("new.txt", "op\n")]);
  writeFileSync(join(repo, "new.txt"), "mine\n");

  expect(await git.apply(merge)).toMatchObject({ kind: "dirty" });

  expect(readFileSync(join(repo, "new.txt"), "utf8")).toBe("mine\n");
  expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("one\ntwo\nthree\n");
  expect(run(repo, "rev-list", "--count", "HEAD")).toBe("1");
});

test("work on another branch stays untouched", async () => {
  const repo = makeRepo();
  const merge = await mergeOf(repo, [write("a.txt", "done\n")]);
  run(repo, "checkout", "-qb", "mine");
  writeFileSync(join(repo, "a.txt"), "editing\n");

  expect(await git.apply(merge)).toMatchObject({ kind: "committed", branch: "main" });

  expect(readFileSync(join(repo, "a.txt"), "utf8")).toBe("editing\n");
  expect(run(repo, "show", "main:a.txt")).toBe("done");
});

test("runs nothing from the repository", async () => {
  const repo = makeRepo();
  const proof = join(repo, "..", `ran-${Date.now()}`);
  mkdirSync(join(repo, ".git/hooks"), { recursive: true });
  for (const hook of [
    "pre-commit",
    "post-commit",
    "reference-transaction",
    "post-checkout",
    "post-index-change",
    "fsmonitor-watchman",
  ]) {
    writeFileSync(join(repo, ".git/hooks", hook), `#!/bin/sh\ntouch ${proof}\n`);
    chmodSync(join(repo, ".git/hooks", hook), 0o755);
  }
  run(repo, "config", "core.fsmonitor", join(repo, ".git/hooks/fsmonitor-watchman"));
  run(repo, "config", "diff.external", join(repo, ".git/hooks/pre-commit"));

  const merge = await mergeOf(repo, [write("a.txt", "done\n")]);
  await git.diff(repo, merge.base, merge.changes);
  await git.apply(merge);

  expect(existsSync(proof)).toBe(false);
});

test.each([
  "../out",
  "/etc/passwd",
  ".git/hooks/pre-commit",
  "sub/.GIT/config",
  "git~1/config",
  ".git./x",
  ".git /x",
  ".g\u200cit/x",
  "a//b",
  "a/./b",
  "",
])("refuses the path %j and changes nothing", async (path) => {
  const repo = makeRepo();

  await expect(git.apply(await mergeOf(repo, [write(path, "x")]))).rejects.toMatchObject({ code: "INVALID_INPUT" });

  expect(run(repo, "status", "--porcelain")).toBe("");
});

test.each(["/etc/passwd", "../../x", "", "a/../../.."])("refuses a link to %j", async (target) => {
  const repo = makeRepo();

  await expect(git.apply(await mergeOf(repo, [write("sub/link", target, "120000")]))).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
});

test("a file written through a link of the same tree lands nowhere else", async () => {
  const repo = makeRepo();

  await git.apply(await mergeOf(repo, [write("dir", "sub", "120000"), write("dir/file", "x")]));

  expect(existsSync(join(repo, "sub"))).toBe(false);
});

test("a folder that is no repository is named", async () => {
  await expect(git.head(tmpdir())).rejects.toMatchObject({
    code: "VCS_FAILED",
    message: expect.stringContaining("not a git repository"),
  });
});
