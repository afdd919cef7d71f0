import { userInfo } from "node:os";
import process from "node:process";
import { revert } from "@smooth/engine/time-travel/verbs";
import { pointers } from "@smooth/vcs/pointers";
import { openWorkspace } from "./workspace.node.ts";

export interface RevertToAttemptOptions {
  readonly runId: string;
  readonly nodeId: string;
  /** Default: the newest. */
  readonly attempt?: number;
  /** Default 0. */
  readonly iteration?: number;
  /** Where the run's `smithers.db` is; default: the working directory. */
  readonly rootDir?: string;
}

/** The files as an attempt of a task left them, where they were recorded: jj's or git's, around attempts of agents. The run stays
 *  as it is. Throws RUN_NOT_FOUND, NODE_NOT_FOUND, SNAPSHOT_NOT_FOUND. */
export async function revertToAttempt(options: RevertToAttemptOptions): Promise<void> {
  const { runId, nodeId, attempt, iteration = 0, rootDir = process.cwd() } = options;
  using workspace = openWorkspace({ rootDir });
  const by = userInfo().username;
  await revert({ ...workspace.deps, vcs: pointers }, { runId, nodeId, iteration, attempt, by });
}
