/** Folders of their own for tasks that work beside each other: git worktrees of one repository.
 *  T1. A worktree is made when it is first needed and found again afterwards, also by another process: git's own list is the truth.
 *  T2. It is locked with the id of the run that made it, so that nobody prunes it away and `prune` finds it.
 *  T3. A path that is there and is not a worktree of this repository is never touched. */
import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import { runGit } from "./git-process.node.ts";

export interface Worktree {
  /** Absolute, or relative to the repository's root. */
  readonly path: string;
  /** Null: detached at the base. */
  readonly branch: string | null;
  /** Where a new branch starts. */
  readonly baseBranch: string;
}

export interface Worktrees {
  /** Answers the absolute path. Throws VCS_FAILED. */
  open(worktree: Worktree, runId: string): Promise<{ readonly path: string }>;
  /** Removes the worktrees that this run made, with what was not committed in them; their branches stay. */
  prune(runId: string): Promise<void>;
}

export function gitWorktrees(repo: string): Worktrees {
  const opening = new Map<string, Promise<{ readonly path: string }>>();
  return {
    open(worktree, runId) {
      const path = resolve(repo, worktree.path);
      const before = opening.get(path);
      const opened = (before ?? Promise.resolve()).then(() => open(repo, { ...worktree, path }, runId));
      const settled = opened.catch(() => ({ path })); // the next one tries for itself
      opening.set(path, settled);
      return opened;
    },
    async prune(runId) {
      for (const { path, lock } of await list(repo)) {
        if (lock !== lockOf(runId)) continue;
        await runGit(repo, ["worktree", "unlock", path]);
        await runGit(repo, ["worktree", "remove", "--force", path]);
      }
    },
  };
}

const lockOf = (runId: string): string => `smooth ${runId}`;

async function open(repo: string, { path, branch, baseBranch }: Worktree, runId: string): Promise<{ path: string }> {
  if (await isOurs(repo, path)) return { path }; // T1
  if (existsSync(path))
    throw new SmoothError("VCS_FAILED", `${path} is there already and is no worktree of ${repo}; choose another path`, {
      details: { path, failureRetryable: false },
    }); // T3
  const base = (await isCommit(repo, baseBranch)) ? baseBranch : "HEAD";
  const add = ["worktree", "add", "--lock", "--reason", lockOf(runId)]; // T2
  if (branch === null) await runGit(repo, [...add, "--detach", path, base]);
  else if (await isCommit(repo, `refs/heads/${branch}`)) await runGit(repo, [...add, path, branch]);
  else await runGit(repo, [...add, "-b", branch, path, base]);
  return { path };
}

async function isOurs(repo: string, path: string): Promise<boolean> {
  if (!existsSync(path)) {
    await runGit(repo, ["worktree", "prune"]);
    return false;
  }
  const real = await realpath(path);
  return (await list(repo)).some((known) => known.path === path || known.path === real);
}

async function list(repo: string): Promise<readonly { readonly path: string; readonly lock: string | null }[]> {
  const { stdout } = await runGit(repo, ["worktree", "list", "--porcelain", "-z"]);
  const blocks = stdout.toString("utf8").split("\0\0");
  return blocks.flatMap((block) => {
    const lines = block.split("\0");
    const valueOf = (name: string): string | undefined =>
      lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
    const path = valueOf("worktree");
    return path === undefined ? [] : [{ path, lock: valueOf("locked") ?? null }];
  });
}

async function isCommit(repo: string, name: string): Promise<boolean> {
  const { code } = await runGit(repo, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`], { allow: [1, 128] });
  return code === 0;
}
