/** A person decides; or nobody does in time; or enough people have approved the same before.
 *  N1. Whoever decides first has decided: a person, or the engine when the time is over. Both write the same row by the same door.
 *  N2. `autoApprove` counts approvals by people, newest first, of the same node in other runs of the workflow, and stops at a denial. */
import { fit } from "../../outputs/fit.ts";
import type { ApprovalLeaf } from "../../graph/plan.ts";
import type { Row } from "../../outputs/table.ts";
import { nextDelayMs } from "../../schedule/retry.ts";
import type { ApprovalRow, PastDecision } from "../../store/port.ts";
import type { RunEventBody, WaitOn } from "../events.ts";
import type { Opened, Outcome, Settled } from "./outcome.ts";

/** No person is called so. */
export const ENGINE = "engine:";
export const BY_TIMEOUT = `${ENGINE}timeout`;
export const BY_AUTO_APPROVE = `${ENGINE}auto-approve`;

type Decided = NonNullable<ApprovalRow["decided"]>;
type ApprovalWait = Extract<WaitOn, { kind: "approval" }>;

export interface ApprovalOpening {
  readonly nowMs: number;
  readonly workflow: string;
  /** What people decided about this node in other runs, newest first; undefined: not asked for. */
  readonly past: readonly PastDecision[] | undefined;
}

export function openApproval(leaf: ApprovalLeaf, { nowMs, workflow, past }: ApprovalOpening): Opened {
  const { nodeId, iteration, request, mode, auto } = leaf;
  const row = { nodeId, iteration, request, mode, workflow };
  const manualApprovals = past && manualStreak(past);
  if (!auto || manualApprovals === undefined || manualApprovals < auto.after)
    return { approvals: [{ ...row, decided: null }], events: [opened(leaf, { nowMs, again: leaf.retry.retries })] };
  const note = `${manualApprovals} approvals before`;
  const decided: Decided = { decision: { verdict: "approve", note }, by: BY_AUTO_APPROVE, atMs: nowMs };
  const audit = auto.audit ? { manualApprovals, after: auto.after } : undefined;
  return {
    approvals: [{ ...row, decided }],
    events: [{ type: "approval.decided", nodeId, iteration, verdict: "approve", by: BY_AUTO_APPROVE, audit }],
    settled: outcomeOf(leaf, decided),
  };
}

/** N2 */
function manualStreak(past: readonly PastDecision[]): number {
  const denial = past.findIndex(({ verdict }) => verdict === "deny");
  return denial === -1 ? past.length : denial;
}

export function settleApproval(
  leaf: ApprovalLeaf,
  on: ApprovalWait,
  { row, nowMs }: { readonly row: ApprovalRow | undefined; readonly nowMs: number },
): Settled {
  if (row?.decided) return outcomeOf(leaf, row.decided);
  if (on.dueMs === null || on.dueMs > nowMs || on.again === 0) return { kind: "waiting" };
  const round = leaf.retry.retries - on.again + 1;
  const delayMs = nextDelayMs(leaf.retry, round, () => 1);
  return { kind: "waiting", also: [opened(leaf, { nowMs: nowMs + delayMs, again: on.again - 1 })] };
}

/** N1: nobody decided, and nobody is asked again. */
export const isOverdue = (on: WaitOn, nowMs: number): boolean =>
  on.dueMs !== null && on.dueMs <= nowMs && (on.kind === "human" || (on.kind === "approval" && on.again === 0));

function opened(
  leaf: ApprovalLeaf,
  { nowMs, again }: { readonly nowMs: number; readonly again: number },
): RunEventBody {
  const { nodeId, iteration, request, timeoutMs } = leaf;
  const dueMs = timeoutMs === null ? null : nowMs + timeoutMs;
  return { type: "approval.opened", nodeId, iteration, title: request.title, dueMs, again };
}

function outcomeOf(leaf: ApprovalLeaf, decided: Decided): Outcome {
  const { decision, by } = decided;
  if (decision.verdict !== "deny") return recorded(leaf, rowOf(leaf, decided));
  const reason =
    by === BY_TIMEOUT ? "nobody decided in time" : `${by} denied it${decision.note ? `: ${decision.note}` : ""}`;
  switch (leaf.onDeny) {
    case "skip":
      return { kind: "skip", reason, cascades: true };
    case "continue":
      return leaf.mode === "approve" ? recorded(leaf, rowOf(leaf, decided)) : { kind: "skip", reason, cascades: false };
    case "fail": {
      const code = by === BY_TIMEOUT ? "TASK_TIMEOUT" : "APPROVAL_DENIED";
      return { kind: "fail", error: { code, message: `approval ${leaf.id}: ${reason}`, nodeId: leaf.nodeId } };
    }
  }
}

function rowOf({ mode }: ApprovalLeaf, { decision, by, atMs }: Decided): Row {
  const note = decision.note ?? null;
  if (decision.verdict === "approve" && mode === "select") return { selected: decision.selected, notes: note };
  if (decision.verdict === "approve" && mode === "rank") return { ranked: decision.ranked, notes: note };
  return { approved: decision.verdict === "approve", note, decidedBy: by, decidedAt: new Date(atMs).toISOString() };
}

function recorded(leaf: ApprovalLeaf, row: Row): Outcome {
  const fitted = fit(leaf.output, row);
  if (fitted.kind === "row") return fitted;
  const message = `the decision does not fit the output of approval ${leaf.id}: ${fitted.problem}`;
  return { kind: "fail", error: { code: "INVALID_OUTPUT", message, nodeId: leaf.nodeId } };
}
