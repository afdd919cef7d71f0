import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import type { DiffFile } from "@smooth/protocol/run-events";
import { runGit, type GitEnv } from "./git-process.node.ts";
import { assertChange } from "./paths.ts";
import type { Applied, Head, Merge, TreeChange, TreeDiff, Vcs } from "./vcs.ts";

/** Vcs on the git binary, by object plumbing.
 *  G1. Nothing in the repository is executed: no hooks, no fsmonitor, no external diff, no text conversion.
 *  G2. The person's index and working tree move only in `apply`, only when clean for the paths in question, and only after
 *      the commit exists; the branch moves last, by compare-and-swap. */
export const git: Vcs = {
  async head(repo) {
    const [commit, branch] = await Promise.all([
      text(repo, ["rev-parse", "--verify", "HEAD^{commit}"]),
      text(repo, ["symbolic-ref", "--short", "HEAD"]),
    ]);
    return { commit, branch } satisfies Head;
  },

  exportTree: (repo, commit, dir) =>
    withIndex(async (env) => {
      await runGit(repo, ["read-tree", commit], { env });
      await runGit(repo, ["checkout-index", "--all", "--force", `--prefix=${dir}/`], { env });
    }),

  diff: (repo, base, changes) => withTree({ repo, base, changes }, (tree) => describeTree(repo, base, tree)),

  apply: (merge) => withTree(merge, (tree) => bringIn(merge, tree)),
};

/** Builds the tree of `base` plus `changes` through a throw-away index. */
async function withTree<T>(
  { repo, base, changes }: Pick<Merge, "repo" | "base" | "changes">,
  use: (tree: string) => Promise<T>,
): Promise<T> {
  changes.forEach(assertChange);
  return withIndex(async (env) => {
    await runGit(repo, ["read-tree", base], { env });
    const entries = await Promise.all(changes.map((change) => indexEntry(repo, change)));
    // Deletions first: a folder may give way to a file of its name.
    await runGit(repo, ["update-index", "-z", "--index-info"], { env, stdin: entries.toSorted().join("") });
    return use(await text(repo, ["write-tree"], env));
  });
}

/** The person's own index is never touched on the way. */
async function withIndex<T>(use: (env: GitEnv) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "smooth-index-"));
  try {
    return await use({ GIT_INDEX_FILE: join(dir, "index") });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function indexEntry(repo: string, change: TreeChange): Promise<string> {
  if (change.kind === "delete") return `0 ${"0".repeat(40)}\t${change.path}\0`;
  const { stdout } = await runGit(repo, ["hash-object", "-w", "--stdin", "--no-filters"], { stdin: change.bytes });
  return `${change.mode} ${stdout.toString().trim()}\t${change.path}\0`;
}

export async function describeTree(repo: string, base: string, tree: string): Promise<TreeDiff> {
  const options = ["--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--full-index"];
  const [names, counts, patches] = await Promise.all([
    runGit(repo, ["diff-tree", "-r", "-z", "--name-status", "--no-renames", base, tree]),
    runGit(repo, ["diff", ...options, "--numstat", "-z", base, tree]),
    runGit(repo, ["diff", ...options, "--patch", base, tree]),
  ]);
  const statuses = split(names.stdout);
  const numbers = split(counts.stdout);
  const bodies = patches.stdout
    .toString("utf8")
    .split(/^(?=diff --git )/m)
    .filter((body) => body !== "");
  const files = numbers.map((line, at) => diffFile({ status: statuses[at * 2] ?? "M", line, patch: bodies[at] ?? "" }));
  return { hash: createHash("sha256").update(`${base}\0${tree}`).digest("hex"), files };
}

function diffFile({ status, line, patch }: { status: string; line: string; patch: string }): DiffFile {
  const [additions = "0", deletions = "0", ...path] = line.split("\t");
  const binary = additions === "-";
  return {
    path: path.join("\t"),
    status: status === "A" ? "added" : status === "D" ? "deleted" : "modified",
    additions: binary ? 0 : Number(additions),
    deletions: binary ? 0 : Number(deletions),
    patch: binary ? "" : patch,
    binary,
  };
}

async function bringIn(merge: Merge, tree: string): Promise<Applied> {
  const { repo, base, branch } = merge;
  const ref = `refs/heads/${branch}`;
  const head = await text(repo, ["rev-parse", "--verify", `${ref}^{commit}`]);
  const result = head === base ? { kind: "tree" as const, tree } : await threeWay(merge, head, tree);
  if (result.kind === "conflict") return result;
  if (result.tree === (await text(repo, ["rev-parse", `${head}^{tree}`])))
    return { kind: "committed", commit: head, branch };
  const commit = await commitTree(merge, result.tree, head);
  const dirty = await moveWorkingTree(merge, head, commit);
  if (dirty) return dirty;
  await runGit(repo, ["update-ref", "-m", "smooth: merge", ref, commit, head]); // G2
  return { kind: "committed", commit, branch };
}

type ThreeWay = { readonly kind: "tree"; readonly tree: string } | Extract<Applied, { kind: "conflict" }>;

async function threeWay(merge: Merge, head: string, tree: string): Promise<ThreeWay> {
  const ours = await commitTree(merge, tree, merge.base);
  const args = ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", head, ours];
  const { code, stdout, stderr } = await runGit(merge.repo, args, { allow: [1] });
  const [result = "", ...paths] = split(stdout);
  if (code === 0) return { kind: "tree", tree: result };
  if (result === "")
    throw new SmoothError("VCS_FAILED", `git merge-tree failed in ${merge.repo}`, { details: { stderr } });
  return { kind: "conflict", paths: [...new Set(paths)] };
}

function commitTree({ repo, message, author, atMs }: Merge, tree: string, parent: string): Promise<string> {
  const date = `${Math.floor(atMs / 1_000)} +0000`;
  const env: GitEnv = {
    GIT_AUTHOR_NAME: author.name,
    GIT_AUTHOR_EMAIL: author.email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: author.name,
    GIT_COMMITTER_EMAIL: author.email,
    GIT_COMMITTER_DATE: date,
  };
  return text(repo, ["commit-tree", tree, "-p", parent, "-m", message], env);
}

/** Only when `branch` is the one checked out. Two-tree read: refuses to overwrite changed or untracked files. */
async function moveWorkingTree(
  { repo, branch }: Merge,
  from: string,
  to: string,
): Promise<Extract<Applied, { kind: "dirty" }> | undefined> {
  const current = await runGit(repo, ["symbolic-ref", "--quiet", "--short", "HEAD"], { allow: [1] });
  if (current.stdout.toString().trim() !== branch) return undefined;
  await runGit(repo, ["update-index", "-q", "--refresh"], { allow: [1] });
  const { code, stderr } = await runGit(repo, ["read-tree", "-m", "-u", from, to], { allow: [1, 128] });
  return code === 0 ? undefined : { kind: "dirty", detail: stderr.trim() };
}

async function text(repo: string, args: readonly string[], env: GitEnv = {}): Promise<string> {
  return (await runGit(repo, args, { env })).stdout.toString().trim();
}

const split = (bytes: Buffer): string[] =>
  bytes
    .toString("utf8")
    .split("\0")
    .filter((part) => part !== "");
