/** From a person's decision to what the approval node records. */
import type { ApprovalLeaf } from "../graph/plan.ts";
import type { Row } from "../outputs/table.ts";
import type { ApprovalRow } from "../store/port.ts";
import type { ErrorInfo } from "./events.ts";

export type ApprovalOutcome =
  | { readonly kind: "row"; readonly row: Row }
  | { readonly kind: "skip"; readonly reason: string; readonly cascades: boolean }
  | { readonly kind: "fail"; readonly error: ErrorInfo };

export function approvalOutcome(leaf: ApprovalLeaf, decided: NonNullable<ApprovalRow["decided"]>): ApprovalOutcome {
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

function recorded(leaf: ApprovalLeaf, row: Row): ApprovalOutcome {
  const parsed = leaf.output.schema.safeParse(row);
  if (parsed.success) return { kind: "row", row: parsed.data };
  const error = {
    code: "INVALID_OUTPUT",
    message: `the decision does not fit the output of approval ${leaf.id}`,
    nodeId: leaf.nodeId,
  };
  return { kind: "fail", error };
}
