import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";
import { afterEach, describe, expect, test } from "vitest";
import { pointers } from "./pointers.node.ts";
import { findJj } from "./testing/jj.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: "utf8", stdio: "pipe" }).trim();

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "smooth-pointers-"));
  folders.push(made);
  return made;
}

function gitRepo(): string {
  const root = folder();
  run("git", "init", "-q", "-b", "main", root);
  write(root, { "a.txt": "one\n", "dir/b.txt": "b\n", ".gitignore": "ignored\n" });
  run("git", "-C", root, "add", "-A");
  run("git", "-C", root, "-c", "user.name=n", "-c", "user.email=e@x", "commit", "-qm", "first");
  return root;
}

const jjFolder = findJj();
if (jjFolder !== null) process.env["PATH"] = `${jjFolder}${delimiter}${process.env["PATH"]}`;

function jjRepo(): string {
  const root = folder();
  run("jj", "git", "init", root);
  write(root, { "a.txt": "one\n", "dir/b.txt": "b\n", ".gitignore": "ignored\n" });
  return root;
}

function write(root: string, files: Readonly<Record<string, string | null>>): void {
  for (const [name, text] of Object.entries(files)) {
    if (text === null) rmSync(join(root, name));
    else {
      mkdirSync(join(root, name, ".."), { recursive: true });
      writeFileSync(join(root, name), text);
    }
  }
}
const read = (root: string, name: string): string | null =>
  existsSync(join(root, name)) ? readFileSync(join(root, name), "utf8") : null;

const KINDS = [
  { kind: "git", repo: gitRepo, skip: false },
  {
    kind: `jj${jjFolder === null ? " (skipped: no jj binary on this machine)" : ""}`,
    repo: jjRepo,
    skip: jjFolder === null,
  },
];

describe.each(KINDS)("$kind", ({ repo, skip }) => {
  test.skipIf(skip)("a pointer brings back changed, added and removed files, and leaves ignored ones", async () => {
    const root = repo();
    write(root, { "a.txt": "two\n", "new/c.txt": "c\n", ignored: "secret\n" });
    const pointer = (await pointers.snapshot(root, "run-1")) ?? "";
    write(root, { "a.txt": "three\n", "dir/b.txt": null, "new/c.txt": null, "d.txt": "d\n", ignored: "kept\n" });

    await pointers.restore(root, pointer);

    expect(["a.txt", "dir/b.txt", "new/c.txt", "d.txt", "ignored"].map((name) => read(root, name))).toEqual([
      "two\n",
      "b\n",
      "c\n",
      null,
      "kept\n",
    ]);
  });

  test.skipIf(skip)("the difference between two pointers names each file and what was done to it", async () => {
    const root = repo();
    const from = (await pointers.snapshot(root, "run-1")) ?? "";
    write(root, { "a.txt": "two\n", "dir/b.txt": null, "c.txt": "c\n" });
    const to = (await pointers.snapshot(root, "run-1")) ?? "";

    const files = await pointers.diff(root, from, to);

    expect(files.map(({ path, status, additions, deletions }) => [path, status, additions, deletions])).toEqual([
      ["a.txt", "modified", 1, 1],
      ["c.txt", "added", 1, 0],
      ["dir/b.txt", "deleted", 0, 1],
    ]);
    expect(files[0]?.patch).toContain("+two");
  });

  test.skipIf(skip)("an unknown pointer is refused and moves nothing", async () => {
    const root = repo();
    write(root, { "a.txt": "mine\n" });

    await expect(pointers.restore(root, "f".repeat(40))).rejects.toMatchObject({ code: "VCS_FAILED" });

    expect(read(root, "a.txt")).toBe("mine\n");
  });
});

test("P5: a file of the same size, written in the second of the index, is in the pointer", async () => {
  const root = gitRepo();
  const inThatSecond = (path: string): void => utimesSync(join(root, path), 1_700_000_000, 1_700_000_000);
  inThatSecond("a.txt");
  run("git", "-C", root, "add", "--refresh", "a.txt");
  inThatSecond(".git/index");
  const from = (await pointers.snapshot(root, "run-1")) ?? "";
  write(root, { "a.txt": "two\n" });
  inThatSecond("a.txt");
  const to = (await pointers.snapshot(root, "run-1")) ?? "";

  expect((await pointers.diff(root, from, to)).map(({ path, status }) => [path, status])).toEqual([
    ["a.txt", "modified"],
  ]);
});

test("P1: in git neither the index, nor HEAD, nor the stash notices", async () => {
  const root = gitRepo();
  write(root, { "a.txt": "staged\n" });
  run("git", "-C", root, "add", "a.txt");
  write(root, { "a.txt": "later\n" });
  const look = (): string[] =>
    [
      ["diff", "--cached"],
      ["rev-parse", "HEAD"],
      ["symbolic-ref", "HEAD"],
      ["stash", "list"],
      ["branch", "-a"],
    ].map((args) => run("git", "-C", root, ...args));
  const before = look();
  const pointer = (await pointers.snapshot(root, "run-1")) ?? "";
  write(root, { "a.txt": "much later\n" });
  await pointers.restore(root, pointer);

  expect(look()).toEqual(before);
  expect(read(root, "a.txt")).toBe("later\n");
});

test("P2: untouched files keep their pointer, which git's own gc leaves alone", async () => {
  const root = gitRepo();
  const first = (await pointers.snapshot(root, "run-1")) ?? "";
  expect(await pointers.snapshot(root, "run-1")).toBe(first);

  run("git", "-C", root, "gc", "-q", "--prune=now");

  expect(run("git", "-C", root, "cat-file", "-t", first)).toBe("commit");
});

test("P4: a pointer holds as long as one of the runs that asked for it is remembered", async () => {
  const root = gitRepo();
  const odd = "run ~2^";
  const first = await pointers.snapshot(root, "run-1");
  await pointers.snapshot(root, odd);
  write(root, { "a.txt": "two\n" });
  const mine = await pointers.snapshot(root, "run-1");
  const isThere = (pointer: string | null): boolean => {
    run("git", "-C", root, "gc", "-q", "--prune=now");
    return spawnSync("git", ["-C", root, "cat-file", "-e", String(pointer)]).status === 0;
  };

  await pointers.forget(root, "run-1");
  expect([isThere(first), isThere(mine)]).toEqual([true, false]);

  await pointers.forget(root, odd);
  expect([isThere(first), run("git", "-C", root, "for-each-ref", "refs/smooth")]).toEqual([false, ""]);
});

test("P3: a filter named by the repository does not run, and bytes come back as they were", async () => {
  const root = gitRepo();
  const trace = join(folder(), "ran");
  run("git", "-C", root, "config", "filter.evil.clean", `touch ${trace}; cat`);
  run("git", "-C", root, "config", "filter.evil.smudge", `touch ${trace}; cat`);
  run("git", "-C", root, "config", "core.autocrlf", "true");
  write(root, { ".gitattributes": "* filter=evil text=auto\n", "crlf.txt": "a\r\nb\n" });
  const pointer = (await pointers.snapshot(root, "run-1")) ?? "";
  write(root, { "crlf.txt": "changed\n" });

  await pointers.restore(root, pointer);

  expect(existsSync(trace)).toBe(false);
  expect(read(root, "crlf.txt")).toBe("a\r\nb\n");
});

test("an executable stays one; a repository without a commit and a plain folder are told apart", async () => {
  const root = folder();
  expect(await pointers.snapshot(root, "run-1")).toBeNull();
  run("git", "init", "-q", root);
  writeFileSync(join(root, "tool.sh"), "#!/bin/sh\n", { mode: 0o755 });
  const pointer = (await pointers.snapshot(root, "run-1")) ?? "";
  rmSync(join(root, "tool.sh"));

  await pointers.restore(root, pointer);

  expect(statSync(join(root, "tool.sh")).mode & 0o111).not.toBe(0);
});
