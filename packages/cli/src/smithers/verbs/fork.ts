import { say, writeData } from "../../output.ts";
import { followRun } from "../../watch.ts";
import { parseObject, theRun, whole } from "./arguments.ts";

/** Runs from frames of other runs. */

interface BranchFlags {
  readonly runId?: string;
  readonly frame?: string;
  readonly input?: string;
  readonly label?: string;
  readonly force?: boolean;
}

export const fork = (
  [first = ""]: readonly string[],
  { resetNode, run = false, ...flags }: BranchFlags & { readonly resetNode?: string; readonly run?: boolean },
): Promise<void> => branch(first, flags, { resetNode, start: run, restoreVcs: false });

export const replay = (
  [first = ""]: readonly string[],
  { node, restoreVcs = false, ...flags }: BranchFlags & { readonly node?: string; readonly restoreVcs?: boolean },
): Promise<void> => branch(first, flags, { resetNode: node, start: true, restoreVcs });

interface How {
  readonly resetNode: string | undefined;
  readonly start: boolean;
  readonly restoreVcs: boolean;
}

async function branch(first: string, flags: BranchFlags, { resetNode, ...how }: How): Promise<void> {
  const { frame, input, label, force = false } = flags;
  const chosen = {
    ...(frame !== undefined && { frame: whole(frame, "--frame", 1) }),
    ...(input !== undefined && { input: parseObject(input, "--input") }),
    ...(label !== undefined && { label }),
    ...(resetNode !== undefined && { resetNodes: [resetNode] }),
  };
  const { client, runId } = await theRun(first, flags.runId);
  const forked = await client.call("forkRun", { runId, force, ...chosen, ...how });
  writeData(forked.runId);
  if (!how.start) return say(`it waits; start it with \`smithers resume ${forked.runId}\``);
  await followRun(client, forked.runId, { stopAtWait: true, tell: say });
}
