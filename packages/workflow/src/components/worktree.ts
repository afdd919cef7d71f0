import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { host } from "./host.ts";

export interface WorktreeProps {
  /** Absolute, or relative to the root of the repository that the run works in. */
  readonly path: string;
  readonly id?: string;
  /** Made when it is not there; without one the worktree is detached. */
  readonly branch?: string;
  /** Where a new branch starts; default `main`, and where the repository stands when there is no such branch. */
  readonly baseBranch?: string;
  readonly skipIf?: boolean;
  readonly children?: ReactNode;
}

/** Its tasks work in a git worktree (or jj workspace) of their own: `context.worktree.path`. The innermost one counts. */
export const Worktree = ({ skipIf, ...props }: WorktreeProps): ReactElement | null =>
  skipIf ? null : host(HOST.worktree, props);
