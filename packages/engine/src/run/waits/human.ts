/** A person answers with JSON. The question is a row like an approval's, of mode `answer`.
 *  H1. An answer that does not fit is put aside with its problem, and the question asked anew under another row; after `maxAttempts`
 *      such answers the node fails. */
import { fit } from "../../outputs/fit.ts";
import type { HumanLeaf } from "../../graph/plan.ts";
import type { ApprovalRow, NewApproval } from "../../store/port.ts";
import type { RunEventBody, WaitOn } from "../events.ts";
import { BY_TIMEOUT } from "./approval.ts";
import type { Opened, Outcome, Settled } from "./outcome.ts";

type HumanWait = Extract<WaitOn, { kind: "human" }>;

export interface HumanOpening {
  readonly nowMs: number;
  readonly workflow: string;
}

export const openHuman = (leaf: HumanLeaf, { nowMs, workflow }: HumanOpening): Opened =>
  asked(leaf, { workflow, round: 0, dueMs: leaf.timeoutMs === null ? null : nowMs + leaf.timeoutMs });

function asked(
  leaf: HumanLeaf,
  { workflow, round, dueMs }: { readonly workflow: string; readonly round: number; readonly dueMs: number | null },
): { readonly events: RunEventBody[]; readonly approvals: NewApproval[] } {
  const { nodeId, iteration, label, prompt, schema } = leaf;
  const ask = round === 0 ? nodeId : `${nodeId}@@ask=${round}`;
  const request = { title: label, summary: prompt, answer: { nodeId, schema } };
  return {
    approvals: [{ nodeId: ask, iteration, mode: "answer", request, workflow, decided: null }],
    events: [{ type: "wait.opened", nodeId, iteration, on: { kind: "human", ask, round, dueMs } }],
  };
}

export function settleHuman(
  leaf: HumanLeaf,
  on: HumanWait,
  { row, rejected }: { readonly row: ApprovalRow | undefined; readonly rejected: number },
): Settled {
  if (rejected >= leaf.maxAttempts) return exhausted(leaf);
  if (!row?.decided) return { kind: "waiting" };
  const { decision, by } = row.decided;
  if (decision.verdict !== "answer") return refused(leaf, { by, note: decision.note });
  const fitted = fit(leaf.output, decision.value);
  if (fitted.kind === "row") return fitted;
  const { nodeId, iteration } = leaf;
  const rejection = { type: "human.rejected", nodeId, iteration, by, problem: fitted.problem } as const; // H1
  if (rejected + 1 >= leaf.maxAttempts) return { ...exhausted(leaf), also: [rejection] };
  const { events, approvals } = asked(leaf, { workflow: row.workflow, round: on.round + 1, dueMs: on.dueMs });
  return { kind: "waiting", also: [rejection, ...events], approvals };
}

const exhausted = ({ nodeId, maxAttempts }: HumanLeaf): Outcome => ({
  kind: "fail",
  error: { code: "INVALID_OUTPUT", message: `${nodeId}: none of ${maxAttempts} answers fits its schema`, nodeId },
});

function refused(
  { nodeId }: HumanLeaf,
  { by, note }: { readonly by: string; readonly note: string | undefined },
): Outcome {
  if (by === BY_TIMEOUT)
    return { kind: "fail", error: { code: "TASK_TIMEOUT", message: `${nodeId}: nobody answered in time`, nodeId } };
  const message = `${nodeId}: ${by} cancelled the question${note ? `: ${note}` : ""}`;
  return { kind: "fail", error: { code: "HUMAN_TASK_CANCELLED", message, nodeId } };
}
