/** Where an attempt works: in its worktree or the run's own folder, and what it did to the files there. */
import type { Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { WorktreeSpec } from "../graph/plan.ts";
import { aroundFiles, type FilesInput } from "../task/around-files.ts";
import { runAttempt, type AttemptInput, type AttemptOutcome } from "../task/attempt.ts";
import { failure } from "../task/failure.ts";
import type { Worktrees } from "../task/worktrees.ts";
import type { RunEventBody } from "./events.ts";

export interface WorkplaceInput {
  readonly runId: string;
  readonly log: Log;
  /** What agents edit; null: it is not under version control. */
  readonly files: FilesInput | null;
  readonly worktrees: Worktrees | null;
  readonly note: (event: RunEventBody) => void;
}

/** A worktree that cannot be opened is the attempt's failure. Never rejects. */
export function runInPlace(place: WorkplaceInput, attempt: AttemptInput): Promise<AttemptOutcome> {
  const spec = attempt.leaf.worktree;
  return spec ? inWorktree(place, attempt, spec) : amidFiles(place, attempt);
}

async function inWorktree(place: WorkplaceInput, attempt: AttemptInput, spec: WorktreeSpec): Promise<AttemptOutcome> {
  try {
    const path = await opened(place, spec);
    return await amidFiles(place, { ...attempt, worktree: { id: spec.id, branch: spec.branch, path } });
  } catch (error) {
    return failure(error, { leaf: attempt.leaf });
  }
}

async function opened({ worktrees, runId }: WorkplaceInput, spec: WorktreeSpec): Promise<string> {
  if (!worktrees)
    throw new SmoothError("VCS_FAILED", `there is no repository to make worktree ${spec.id} of`, {
      details: { failureRetryable: false },
    });
  return (await worktrees.open(spec, runId)).path;
}

function amidFiles({ runId, files, log, note }: WorkplaceInput, input: AttemptInput): Promise<AttemptOutcome> {
  const { leaf, attempt } = input;
  const root = input.worktree?.path ?? files?.root;
  if (leaf.body.mode !== "agent" || !files || !root) return runAttempt(input); // a name costs about what ten compute steps do
  const ref = { nodeId: leaf.nodeId, iteration: leaf.iteration, attempt };
  return aroundFiles({ ...files, root }, { runId, ref, log, note }, () => runAttempt(input));
}
