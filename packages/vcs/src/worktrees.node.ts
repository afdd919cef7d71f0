/** Folders of their own for tasks that work beside each other: jj workspaces where jj looks after the repository, git worktrees
 *  otherwise.
 *  T1. One is made when it is first needed and found again afterwards, also by another process: version control's own list is the truth.
 *  T2. It is the run's that used it last; `prune` removes a run's own, and never one that another run works in or a person took over.
 *  T3. A path that is there and is not a worktree of this repository is never touched.
 *  T4. One at a time, among all processes of this machine, opens or removes a path. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { withLock } from "@smooth/platform/node/lock";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { gitWorktreeSteps } from "./git-worktrees.node.ts";
import { jjWorktreeSteps } from "./jj-worktrees.node.ts";
import type { Worktree, Worktrees } from "./vcs.ts";
import type { KnownWorktree, WorktreeSteps } from "./worktree-steps.ts";

/** `repo`: the root of the repository, or of a worktree of it. */
export function worktreesOf(repo: string, clock: Clock): Worktrees {
  const steps = existsSync(join(repo, ".jj")) ? jjWorktreeSteps(repo) : gitWorktreeSteps(repo);
  const opening = new Map<string, Promise<unknown>>();
  const alone = async <T>(path: string, body: () => Promise<T>): Promise<T> => {
    const home = await steps.home();
    await mkdir(home, { recursive: true });
    return await withLock(join(home, lockName(await realOf(path))), clock, body); // T4
  };
  return {
    open(worktree, runId) {
      const path = resolve(repo, worktree.path);
      const before = opening.get(path) ?? Promise.resolve();
      const opened = before.then(() => alone(path, () => open(steps, { ...worktree, path }, runId)));
      opening.set(
        path,
        opened.catch(() => {}), // the next one tries for itself
      );
      return opened;
    },
    of: async (runId) => (await madeBy(steps, runId)).map(({ path }) => path),
    async prune(runId) {
      for (const { path } of await madeBy(steps, runId))
        await alone(path, async () => {
          const still = (await madeBy(steps, runId)).find((known) => known.path === path);
          if (still) await steps.remove(still); // T2
        });
    },
  };
}

const lockName = (path: string): string => `${createHash("sha256").update(path).digest("hex").slice(0, 16)}.lock`;

/** Where nothing was ever made, version control is not asked: it may be gone from this machine. */
async function madeBy(steps: WorktreeSteps, runId: string): Promise<readonly KnownWorktree[]> {
  if (!existsSync(await steps.home())) return [];
  return (await steps.list()).filter((known) => known.runId === runId);
}

async function open(steps: WorktreeSteps, worktree: Worktree, runId: string): Promise<{ readonly path: string }> {
  const { path } = worktree;
  const there = await find(steps, path);
  if (there && existsSync(path)) {
    if (there.runId !== null && there.runId !== runId) await steps.assign(there, runId); // T2
    return { path }; // T1
  }
  if (existsSync(path)) throw taken(path); // T3
  if (there && there.runId !== null) await steps.remove(there); // somebody deleted its folder
  await steps.add(worktree, runId);
  return { path };
}

async function find(steps: WorktreeSteps, path: string): Promise<KnownWorktree | undefined> {
  const real = await realOf(path);
  for (const known of await steps.list()) if ((await realOf(known.path)) === real) return known;
  return undefined;
}

/** Of what is not there: where it would be. */
const realOf = (path: string): Promise<string> =>
  realpath(path).catch(async () => join(await realOf(dirname(path)), basename(path)));

const taken = (path: string): SmoothError =>
  new SmoothError("VCS_FAILED", `${path} is there already and is no worktree of this repository; choose another path`, {
    details: { path, failureRetryable: false },
  });
