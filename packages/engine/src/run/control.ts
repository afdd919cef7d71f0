/** What people and supervisors do to runs from outside. Works on rows alone: no run needs to be loaded. */
import { SmoothError } from "@smooth/protocol/errors";
import { parseStateKey, type NodeRef } from "../graph/identity.ts";
import {
  NOTHING,
  type ApprovalDecision,
  type ApprovalRow,
  type Owner,
  type RunRow,
  type RunStore,
} from "../store/port.ts";
import { sizeOf, type JsonValue } from "../outputs/json.ts";
import { foldedLog } from "./folded-log.ts";
import { liveBelow } from "./lineage.ts";
import { misfit } from "../outputs/fit.ts";
import { ENGINE } from "./waits/approval.ts";
import { addressesIn, waitersOf, type Address } from "./waits/signal.ts";
import { mayClaim, type OwnerCheck } from "./ownership.ts";

export interface Decide extends NodeRef {
  readonly runId: string;
  readonly decision: ApprovalDecision;
  /** Who decides; compared with the approval's allowedUsers. */
  readonly by: string;
  /** What the decider may do; compared with the approval's allowedScopes. */
  readonly scopes?: readonly string[] | undefined;
  readonly atMs: number;
}

/** The one door for decisions: CLI, HTTP, MCP and web all come through here, and it fails closed.
 *  Throws ASK_NOT_FOUND, ASK_VOID, POLICY_DENIED, INVALID_INPUT, ALREADY_DECIDED (with who was first). */
export async function decideApproval(store: RunStore, decide: Decide): Promise<void> {
  await decideRow(store, await checkDecision(store, decide), decide);
}

/** Whether `decideApproval` would take it, as long as nobody decides first. Throws ASK_NOT_FOUND, POLICY_DENIED, INVALID_INPUT. */
export async function checkDecision(
  store: RunStore,
  { runId, nodeId, iteration, by, decision, scopes = [] }: Omit<Decide, "atMs">,
): Promise<ApprovalRow> {
  const [row] = await store.approvals({ runId, ref: { nodeId, iteration } });
  if (!row)
    throw new SmoothError("ASK_NOT_FOUND", `run ${runId} has no approval ${nodeId} at iteration ${iteration}`, {
      details: { runId, nodeId, iteration },
    });
  checkDecider(row, by, scopes);
  checkChoice(row, decision);
  return row;
}

/** The decision itself, of an approval or of a question. Throws ASK_VOID, POLICY_DENIED, ALREADY_DECIDED. */
export async function decideRow(
  store: RunStore,
  { runId, nodeId, iteration }: ApprovalRow,
  { decision, by, atMs }: Pick<Decide, "decision" | "by" | "atMs">,
): Promise<void> {
  if (by.startsWith(ENGINE)) throw new SmoothError("POLICY_DENIED", `${by} is no person; only the engine decides so`);
  const details = { runId, nodeId, iteration };
  const result = await store.decide({ runId, nodeId, iteration, decision, by, atMs });
  if (result.kind === "already-decided")
    throw new SmoothError("ALREADY_DECIDED", `approval ${nodeId} was decided by ${result.by} already`, {
      details: { ...details, by: result.by, atMs: result.atMs },
    });
  if (result.kind === "decided") return;
  const why = "its run or its pass of a loop is over, or it was given up";
  throw new SmoothError("ASK_VOID", `approval ${nodeId} is not waited for any more: ${why}`, { details });
}

function checkDecider({ request, nodeId }: ApprovalRow, by: string, scopes: readonly string[]): void {
  const { allowedUsers, allowedScopes } = request;
  if (allowedUsers && !allowedUsers.includes(by))
    throw new SmoothError(
      "POLICY_DENIED",
      `${by} may not decide approval ${nodeId}; allowed: ${allowedUsers.join(", ")}`,
    );
  if (allowedScopes && !allowedScopes.some((scope) => scopes.includes(scope)))
    throw new SmoothError(
      "POLICY_DENIED",
      `deciding approval ${nodeId} needs one of the scopes ${allowedScopes.join(", ")}`,
    );
}

function checkChoice({ mode, request, nodeId }: ApprovalRow, decision: ApprovalDecision): void {
  if ((mode === "answer") !== (decision.verdict === "answer") && decision.verdict !== "deny")
    throw new SmoothError("INVALID_INPUT", `${nodeId} ${mode === "answer" ? "needs an answer" : "takes no answer"}`);
  if (decision.verdict === "deny" || decision.verdict === "answer" || mode === "approve") return;
  const chosen = mode === "select" ? [decision.selected] : (decision.ranked ?? []);
  const known = new Set(request.options?.map((option) => option.key));
  const allKnown = chosen.every((key) => key !== undefined && known.has(key));
  if (chosen.length === 0 || !allKnown || new Set(chosen).size < chosen.length)
    throw new SmoothError(
      "INVALID_INPUT",
      `approval ${nodeId} needs ${mode === "select" ? "one" : "a ranking"} of ${[...known].join(", ")}`,
    );
}

export interface SendSignal {
  readonly runId: string;
  readonly name: string;
  /** Only a waiter with the very same correlation takes it. */
  readonly correlationId?: string | undefined;
  readonly payload: JsonValue;
  readonly by: string;
  readonly atMs: number;
}

/** What a signal met: it is kept in any case. */
export interface Sent {
  /** Nodes that wait for it now. */
  readonly waiters: readonly string[];
  /** Signals that nodes of the run wait for now. */
  readonly waitedFor: readonly Address[];
}

const MAX_PAYLOAD_BYTES = 1024 * 1024;

/** Delivers a signal, from any process. It is kept until its waiter comes; a payload that a present waiter cannot take is refused.
 *  Throws RUN_NOT_FOUND, RUN_NOT_RESUMABLE (the run is over), INVALID_INPUT, PAYLOAD_TOO_LARGE. */
export async function signalRun(store: RunStore, { runId, atMs, ...sent }: SendSignal): Promise<Sent> {
  const { name, payload, by, correlationId = null } = sent;
  const details = { runId, name, correlationId };
  const sizeBytes = sizeOf(JSON.stringify(payload));
  if (sizeBytes > MAX_PAYLOAD_BYTES)
    throw new SmoothError(
      "PAYLOAD_TOO_LARGE",
      `signal ${name} carries ${sizeBytes} bytes of JSON; at most ${MAX_PAYLOAD_BYTES}`,
      { details },
    );
  const { waiting } = (await foldedLog(store, runId)).state;
  const [waiters, waitedFor] = [waitersOf(waiting, { name, correlationId }), addressesIn(waiting)];
  for (const { key, schema } of waiters) {
    const problem = misfit(schema, payload);
    if (problem !== undefined)
      throw new SmoothError("INVALID_INPUT", `signal ${name} does not fit what ${key} waits for: ${problem}`, {
        details,
      });
  }
  const posted = await store.post({
    runId,
    event: { type: "signal.received", name, correlationId, payload, by },
    atMs,
  });
  if (posted === "not-found") throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details });
  if (posted === "over")
    throw new SmoothError("RUN_NOT_RESUMABLE", `run ${runId} is over and takes no signals`, { details });
  return { waiters: waiters.map(({ key }) => parseStateKey(key).nodeId), waitedFor };
}

/** Asks the run's owner to stop its bodies; a run without an owner is cancelled on the spot, and its subflows with it. */
export async function cancelRun(
  store: RunStore,
  cancel: { readonly runId: string; readonly by: string; readonly atMs: number },
): Promise<"requested" | "cancelled"> {
  const result = await store.requestCancel(cancel);
  if (result === "not-running")
    throw new SmoothError("RUN_NOT_RESUMABLE", `run ${cancel.runId} does not exist or is over`, {
      details: { runId: cancel.runId },
    });
  if (result === "cancelled")
    for (const { runId } of await liveBelow(store, cancel.runId)) await store.requestCancel({ ...cancel, runId });
  return result;
}

/** Ends the subflows of runs that are over, when their process died before it could: nobody else ever will. Answers their ids. */
export async function cancelOrphans(store: RunStore, check: OwnerCheck): Promise<readonly string[]> {
  const orphans = await store.runs({ status: LIVE, orphaned: true });
  const free = orphans.filter((run) => mayClaim(run, check) === "yes");
  for (const run of free) {
    if (run.owner) await letGo(store, run, run.owner);
    await store.requestCancel({ runId: run.runId, by: "its parent run", atMs: check.nowMs });
  }
  return free.map(({ runId }) => runId);
}

/** In the name of its dead owner, so that whoever dies in between leaves it as it was. */
async function letGo(
  store: RunStore,
  { runId, epoch, lastSeq, updatedAtMs: atMs }: RunRow,
  owner: Owner,
): Promise<void> {
  const held = await store.claim({ runId, epoch, owner, atMs });
  const status = { status: "running", error: null, wakeAtMs: null, seenSeq: lastSeq + 1 } as const;
  if (held !== null) await store.commit({ runId, epoch: held, atMs, ...NOTHING, status });
}

interface ByWhom {
  readonly runId: string;
  readonly by: string;
  readonly atMs: number;
}

/** Starts nothing new; what runs ends and is recorded, and then the run stays as it is, also across restarts, until `unpauseRun`.
 *  Its subflows are paused with it, and go on with it.
 *  Throws RUN_NOT_FOUND, RUN_NOT_RESUMABLE (the run is over). */
export const pauseRun = async (store: RunStore, whom: ByWhom): Promise<"requested" | "done"> =>
  setPaused(store, { ...whom, wanted: true });

/** A paused run is free to be taken up; one that is about to pause goes on. Throws as `pauseRun` does. */
export const unpauseRun = async (store: RunStore, whom: ByWhom): Promise<"requested" | "done"> =>
  setPaused(store, { ...whom, wanted: false });

async function setPaused(store: RunStore, pause: ByWhom & { readonly wanted: boolean }): Promise<"requested" | "done"> {
  const { runId } = pause;
  const result = await store.pause(pause);
  if (result === "not-found") throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  if (result === "over") throw new SmoothError("RUN_NOT_RESUMABLE", `run ${runId} is over`, { details: { runId } });
  for (const child of await liveBelow(store, runId)) await store.pause({ ...pause, runId: child.runId });
  return result;
}

export interface Resumable {
  readonly run: RunRow;
  /** `due`: its time has come, or somebody decided, answered or sent something it may wait for. */
  readonly because: "owner-gone" | "due" | "cancel-requested";
}

/** A run that this process holds now and has not resumed yet: `resumeRun({ …, claimed })`. */
export interface Claimed extends Resumable {
  readonly epoch: number;
}

/** For workers that share a store: up to `limit` of the runs to resume become this process's own, each in one worker only. */
export async function claimResumable(
  store: RunStore,
  { owner, limit, ...check }: OwnerCheck & { readonly owner: Owner; readonly limit: number },
): Promise<readonly Claimed[]> {
  const found = await findResumable(store, check);
  if (found.length === 0 || limit < 1) return [];
  const taken = await store.claimSome({ runs: found.map(({ run }) => run), owner, atMs: check.nowMs, limit });
  const epochs = new Map(taken.map(({ runId, epoch }) => [runId, epoch]));
  return found.flatMap((free) => {
    const epoch = epochs.get(free.run.runId);
    return epoch === undefined ? [] : [{ ...free, epoch }];
  });
}

/** Runs a supervisor should resume now; not those that were given up, which wait for a person. For a subflow that is its outermost
 *  parent: only that knows the workflow. */
export async function findResumable(store: RunStore, check: OwnerCheck): Promise<readonly Resumable[]> {
  const left = await store.runs({ status: ["running"] });
  const due = await store.runs({ status: SUSPENDED, dueAtMs: check.nowMs });
  const found = new Map<string, Resumable>();
  for (const child of [...left, ...due]) {
    const run = await rootRun(store, child);
    const rests = run.status === "paused" || run.error?.code === "AUTO_RESUME_GAVE_UP"; // also when a child of it goes on
    if (rests || mayClaim(run, check) !== "yes" || found.has(run.runId)) continue;
    found.set(run.runId, { run, because: reason(run === child || run.cancelRequestedBy !== null ? run : child) });
  }
  return [...found.values()];
}

/** The run that a run belongs to: itself, or the outermost one that has it as a subflow. */
export async function rootRun(store: RunStore, run: RunRow): Promise<RunRow> {
  let root = run;
  for (let at: RunRow | null = run; at?.parent;) {
    const parent: RunRow | null = await store.run(at.parent.runId);
    if (parent && at.parent.as === "subflow") root = parent;
    at = parent;
  }
  return root;
}

const SUSPENDED = ["waiting-approval", "waiting-event", "waiting-timer", "waiting-quota"] as const;
const LIVE = ["running", "paused", ...SUSPENDED] as const;

function reason({ status, cancelRequestedBy }: RunRow): Resumable["because"] {
  if (cancelRequestedBy !== null) return "cancel-requested";
  return status === "running" ? "owner-gone" : "due";
}
