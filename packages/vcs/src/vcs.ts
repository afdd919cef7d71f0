import type { DiffFile } from "@smooth/protocol/run-events";

/** Version control as the host needs it: read a repository, show what an operator changed, bring it in as one commit.
 *  Throws SmoothError: VCS_FAILED (the tool's own words in `details.stderr`), INVALID_INPUT (a path or link that may not be). */
export interface Vcs {
  /** The commit and branch checked out in `repo`. */
  head(repo: string): Promise<Head>;
  /** Writes the tree of `commit` into the folder `dir`: what an operator starts from. No `.git` goes along. */
  exportTree(repo: string, commit: string, dir: string): Promise<void>;
  /** What `changes` do to the tree of `base`. Writes objects, moves nothing. */
  diff(repo: string, base: string, changes: readonly TreeChange[]): Promise<TreeDiff>;
  /** One commit with `changes` on `branch`, three-way when the branch moved on. Repeating it changes nothing. */
  apply(merge: Merge): Promise<Applied>;
}

/** Names for states of a working folder, and the way back to them. History, branches and ignored files are left alone. */
export interface Pointers {
  /** The name of all files of `root` that are not ignored, as they are now, committed or not; null: not under version control.
   *  It holds at least until `forget` of the last run that asked for it. */
  snapshot(root: string, runId: string): Promise<string | null>;
  /** Makes the files of `root` those of the pointer: changed ones are overwritten, others removed or brought back. */
  restore(root: string, pointer: string): Promise<void>;
  diff(root: string, from: string, to: string): Promise<readonly DiffFile[]>;
  /** The names that the run asked for in the repository of `root` need not hold any more. */
  forget(root: string, runId: string): Promise<void>;
}

/** Folders of their own for tasks that work beside each other. Each is the run's that used it last. */
export interface Worktrees {
  /** Makes it when it is not there. Answers the absolute path. Throws VCS_FAILED. */
  open(worktree: Worktree, runId: string): Promise<{ readonly path: string }>;
  /** The worktrees that this run made, or used last: what `prune` removes. */
  of(runId: string): Promise<readonly string[]>;
  /** Removes them, with what was not committed in them; their branches stay. */
  prune(runId: string): Promise<void>;
}

export interface Worktree {
  /** Absolute, or relative to the repository's root. */
  readonly path: string;
  /** Null: detached at the base. */
  readonly branch: string | null;
  /** Where a new branch starts; the last commit when there is no such revision. */
  readonly baseBranch: string;
}

export interface Head {
  /** Full object id. */
  readonly commit: string;
  readonly branch: string;
}

/** One path of the new tree. `mode` is git's: regular, executable, or a symbolic link whose target is `bytes`. */
export type TreeChange =
  | {
      readonly kind: "write";
      readonly path: string;
      readonly mode: "100644" | "100755" | "120000";
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "delete"; readonly path: string };

export interface TreeDiff {
  /** SHA-256, hex, of base and result: the exact action a person approves. */
  readonly hash: string;
  readonly files: readonly DiffFile[];
}

export interface Merge {
  readonly repo: string;
  readonly base: string;
  readonly branch: string;
  readonly changes: readonly TreeChange[];
  readonly message: string;
  readonly author: { readonly name: string; readonly email: string };
  /** Integer ms; the commit's date. */
  readonly atMs: number;
}

export type Applied =
  | { readonly kind: "committed"; readonly commit: string; readonly branch: string }
  /** Both sides changed these paths. Nothing moved. */
  | { readonly kind: "conflict"; readonly paths: readonly string[] }
  /** Uncommitted work of the person is in the way. Nothing moved. */
  | { readonly kind: "dirty"; readonly detail: string };
