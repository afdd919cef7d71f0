/** What gives tasks a folder of their own. */
import type { WorktreeSpec } from "../graph/plan.ts";

export interface Worktrees {
  /** Makes it when it is not there, once, and answers its absolute path. */
  open(worktree: WorktreeSpec, runId: string): Promise<{ readonly path: string }>;
}
