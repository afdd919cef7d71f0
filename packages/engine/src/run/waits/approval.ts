/** From a person's decision to what the approval node records. */
import type { ApprovalLeaf } from "../../graph/plan.ts";
import type { Row } from "../../outputs/table.ts";
import type { ApprovalRow } from "../../store/port.ts";
import { fit } from "../../outputs/fit.ts";
import type { Opened, Settled } from "./outcome.ts";

export const openApproval = ({ nodeId, iteration, request, mode }: ApprovalLeaf): Opened => ({
  approvals: [{ nodeId, iteration, request, mode }],
  events: [{ type: "approval.opened", nodeId, iteration, title: request.title }],
});

export function settleApproval(leaf: ApprovalLeaf, row: ApprovalRow | undefined): Settled {
  const decided = row?.decided;
  if (!decided) return { kind: "waiting" };
  const { decision, by } = decided;
  if (decision.verdict === "approve") return recorded(leaf, rowOf(leaf, decided));
  const reason = `${by} denied it${decision.note ? `: ${decision.note}` : ""}`;
  switch (leaf.onDeny) {
    case "skip":
      return { kind: "skip", reason, cascades: true };
    case "continue":
      return leaf.mode === "approve" ? recorded(leaf, rowOf(leaf, decided)) : { kind: "skip", reason, cascades: false };
    case "fail":
      return {
        kind: "fail",
        error: { code: "APPROVAL_DENIED", message: `approval ${leaf.id}: ${reason}`, nodeId: leaf.nodeId },
      };
  }
}

function rowOf({ mode }: ApprovalLeaf, { decision, by, atMs }: NonNullable<ApprovalRow["decided"]>): Row {
  const note = decision.note ?? null;
  if (decision.verdict === "approve" && mode === "select") return { selected: decision.selected, notes: note };
  if (decision.verdict === "approve" && mode === "rank") return { ranked: decision.ranked, notes: note };
  return { approved: decision.verdict === "approve", note, decidedBy: by, decidedAt: new Date(atMs).toISOString() };
}

function recorded(leaf: ApprovalLeaf, row: Row): Settled {
  const fitted = fit(leaf.output, row);
  if (fitted.kind === "row") return fitted;
  const message = `the decision does not fit the output of approval ${leaf.id}: ${fitted.problem}`;
  const error = { code: "INVALID_OUTPUT", message, nodeId: leaf.nodeId };
  return { kind: "fail", error };
}
