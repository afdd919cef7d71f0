/** Folders of their own for tasks that work beside each other: git worktrees of one repository.
 *  T1. A worktree is made when it is first needed and found again afterwards, also by another process: git's own list is the truth.
 *  T2. It is locked with the id of the run that used it last, so that nobody prunes it away and `prune` finds it, but never
 *      while another run works in it.
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
  /** The worktrees that this run made, or used last: what `prune` removes. */
  of(runId: string): Promise<readonly string[]>;
  /** Removes them, with what was not committed in them; their branches stay. */
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
    of: (runId) => madeBy(repo, runId),
    async prune(runId) {
      for (const path of await madeBy(repo, runId)) {
        await runGit(repo, ["worktree", "unlock", path]);
        await runGit(repo, ["worktree", "remove", "--force", path]);
      }
    },
  };
}

const OURS = "smooth ";
const lockOf = (runId: string): string => `${OURS}${runId}`;

const madeBy = async (repo: string, runId: string): Promise<readonly string[]> =>
  (await list(repo)).filter(({ lock }) => lock === lockOf(runId)).map(({ path }) => path);

async function open(repo: string, { path, branch, baseBranch }: Worktree, runId: string): Promise<{ path: string }> {
  const there = await find(repo, path);
  if (there) {
    await handOver(repo, there, runId);
    return { path }; // T1
  }
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

async function find(repo: string, path: string): Promise<Known | null> {
  if (!existsSync(path)) {
    await runGit(repo, ["worktree", "prune"]);
    return null;
  }
  const real = await realpath(path);
  return (await list(repo)).find((known) => known.path === path || known.path === real) ?? null;
}

/** T2. A lock that is not ours, or none, is a person's word about it and stays. */
async function handOver(repo: string, { path, lock }: Known, runId: string): Promise<void> {
  if (lock === null || !lock.startsWith(OURS) || lock === lockOf(runId)) return;
  await runGit(repo, ["worktree", "unlock", path], { allow: [128] }); // Somebody hands it over at the same time.
  await runGit(repo, ["worktree", "lock", "--reason", lockOf(runId), path], { allow: [128] });
}

interface Known {
  readonly path: string;
  readonly lock: string | null;
}

async function list(repo: string): Promise<readonly Known[]> {
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
