import { SmoothError } from "@smooth/protocol/errors";
import type { SentBack } from "@smooth/protocol/gateway-flows";
import { say, writeData } from "../../output.ts";
import { required, theRun, whole } from "./arguments.ts";

/** Sending a run back. What cannot be undone blocks, is named, and gives way only to `--force`. */

interface NodeFlags {
  readonly runId?: string;
  readonly nodeId?: string;
  readonly iteration: string;
}

interface Forced {
  readonly force?: boolean;
}

export async function retryTask(
  [first = ""]: readonly string[],
  { deps, force = false, ...flags }: NodeFlags & Forced & { readonly deps: boolean },
): Promise<void> {
  const node = nodeOf(flags);
  const { client, runId } = await theRun(first, flags.runId);
  tell(await client.call("retryTask", { runId, ...node, deps, force }));
}

interface TravelFlags extends NodeFlags, Forced {
  readonly deps: boolean;
  readonly vcs: boolean;
  readonly attempt?: string;
  readonly resume?: boolean;
}

export async function timetravel([first = ""]: readonly string[], flags: TravelFlags): Promise<void> {
  const { deps, vcs, resume = false, force = false } = flags;
  const at = { ...nodeOf(flags), ...attemptOf(flags) };
  const { client, runId } = await theRun(first, flags.runId);
  tell(await client.call("timetravel", { runId, ...at, deps, vcs, resume, force }));
}

export async function revert(
  [first = ""]: readonly string[],
  flags: NodeFlags & { readonly attempt?: string },
): Promise<void> {
  const at = { ...nodeOf(flags), ...attemptOf(flags) };
  const { client, runId } = await theRun(first, flags.runId);
  const { root } = await client.call("revertFiles", { runId, ...at });
  say(`the files of ${root} are those that ${at.nodeId} left`);
}

interface RewindFlags extends Forced {
  readonly runId?: string;
  readonly frame?: string;
  readonly confirm?: boolean;
  readonly resume?: boolean;
}

export async function rewind([first = ""]: readonly string[], flags: RewindFlags): Promise<void> {
  const { confirm, resume = false, force = false } = flags;
  const frame = whole(required(flags.frame, "--frame"), "--frame", 1);
  if (confirm !== true)
    throw new SmoothError("INVALID_INPUT", `a rewind destroys what came after frame ${frame}: say --confirm`);
  const { client, runId } = await theRun(first, flags.runId);
  tell(await client.call("rewindRun", { runId, frame, confirm, resume, force }));
}

const nodeOf = ({ nodeId, iteration }: NodeFlags): { nodeId: string; iteration: number } => ({
  nodeId: required(nodeId, "--node-id"),
  iteration: whole(iteration, "--iteration"),
});

const attemptOf = ({ attempt }: { readonly attempt?: string }): { attempt?: number } =>
  attempt === undefined ? {} : { attempt: whole(attempt, "--attempt", 1) };

function tell({ runId, status, reset, files, sideEffects }: SentBack): void {
  for (const { nodeId, iteration } of reset) writeData(`${nodeId}::${iteration}`);
  for (const { root } of files) say(`files put back: ${root}`);
  for (const { tool, nodeId } of sideEffects) say(`not undone: ${tool} by ${nodeId}`);
  const next = status === "paused" ? `; go on with \`smithers resume ${runId}\`` : "";
  say(`${runId} is ${status}, ${reset.length} nodes to do again${next}`);
}
