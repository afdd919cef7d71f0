/** Worktrees on git. Whose one is stands in its lock: git prunes no locked one away, and a person's lock is not ours. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { runGit } from "./git-process.node.ts";
import type { KnownWorktree, WorktreeSteps } from "./worktree-steps.ts";

export function gitWorktreeSteps(repo: string): WorktreeSteps {
  return {
    async home() {
      const { stdout } = await runGit(repo, ["rev-parse", "--path-format=absolute", "--git-common-dir"]);
      return join(stdout.toString().trim(), "smooth/worktrees");
    },
    list: () => list(repo),
    async add({ path, branch, baseBranch }, runId) {
      await runGit(repo, ["worktree", "prune"]);
      const base = (await isCommit(repo, baseBranch)) ? baseBranch : "HEAD";
      const add = ["worktree", "add", "--lock", "--reason", lockOf(runId)];
      if (branch === null) await runGit(repo, [...add, "--detach", path, base]);
      else if (await isCommit(repo, `refs/heads/${branch}`)) await runGit(repo, [...add, path, branch]);
      else await runGit(repo, [...add, "-b", branch, path, base]);
    },
    async assign({ path }, runId) {
      await runGit(repo, ["worktree", "unlock", path]);
      await runGit(repo, ["worktree", "lock", "--reason", lockOf(runId), path]);
    },
    async remove({ path }) {
      await runGit(repo, ["worktree", "unlock", path]);
      // Without its .git it is gone, whatever is in its place: git only forgets it.
      await runGit(repo, ["worktree", ...(existsSync(join(path, ".git")) ? ["remove", "--force", path] : ["prune"])]);
    },
  };
}

const OURS = "smooth ";
const lockOf = (runId: string): string => `${OURS}${runId}`;

async function list(repo: string): Promise<readonly KnownWorktree[]> {
  const { stdout } = await runGit(repo, ["worktree", "list", "--porcelain", "-z"]);
  const blocks = stdout.toString("utf8").split("\0\0");
  return blocks.flatMap((block) => {
    const lines = block.split("\0");
    const valueOf = (name: string): string | undefined =>
      lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
    const path = valueOf("worktree");
    const lock = valueOf("locked");
    return path === undefined ? [] : [{ path, runId: lock?.startsWith(OURS) ? lock.slice(OURS.length) : null }];
  });
}

async function isCommit(repo: string, name: string): Promise<boolean> {
  const { code } = await runGit(repo, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`], { allow: [1, 128] });
  return code === 0;
}
