import type { Worktree } from "./vcs.ts";

/** What one version control can do with worktrees, each step by itself; worktrees.node.ts decides which, and in what order.
 *  All may throw VCS_FAILED. */
export interface WorktreeSteps {
  /** A folder for our own files, in the repository and outside of every tree. */
  home(): Promise<string>;
  /** By the version control's own word, those whose folder is gone included. */
  list(): Promise<readonly KnownWorktree[]>;
  /** At a path where nothing is. */
  add(worktree: Worktree, runId: string): Promise<void>;
  assign(known: KnownWorktree, runId: string): Promise<void>;
  /** Also when its folder is gone already. */
  remove(known: KnownWorktree): Promise<void>;
}

export interface KnownWorktree {
  /** Absolute. */
  readonly path: string;
  /** Who used it last; null: a person made it, or took it over. */
  readonly runId: string | null;
}
