/** A wait is a leaf that runs no body: reached, it becomes rows; something outside settles it. Pure: `openWait` says what to record
 *  when it is reached, `settleWait` what its rows mean now. One module per kind.
 *  W1. A wait is opened once, and its due time is fixed then: a restart reads it and never computes it anew.
 *  W2. The decision, signal, answer or time that settles a wait is used up in the transaction that records the node's end.
 *  W3. A run that suspends for several reasons is named after the first of approval (or human), event, timer. */
import type { WaitLeaf } from "../../graph/plan.ts";
import type { OutputTable, Row } from "../../outputs/table.ts";
import type { ApprovalRow, NewApproval } from "../../store/port.ts";
import type { ErrorInfo, RunEventBody, WaitOn } from "../events.ts";
import type { RunState } from "../state.ts";
import { openApproval, settleApproval } from "./approval.ts";
import { openTimer, settleTimer } from "./timer.ts";

/** What is recorded when a wait is reached. */
export interface Opened {
  readonly events: readonly RunEventBody[];
  readonly approvals?: readonly NewApproval[];
}

export type Settled =
  | { readonly kind: "waiting" }
  /** Over, with the row it records. */
  | { readonly kind: "row"; readonly row: Row; readonly table: OutputTable }
  /** Over, and there is nothing to record. */
  | { readonly kind: "done" }
  | { readonly kind: "skip"; readonly reason: string; readonly cascades: boolean }
  | { readonly kind: "fail"; readonly error: ErrorInfo };

/** What may settle a wait, as the store has it. */
export interface WaitRows {
  /** By state key. */
  readonly approvals: ReadonlyMap<string, ApprovalRow>;
}

export function openWait(leaf: WaitLeaf, at: { readonly nowMs: number; readonly state: RunState }): Opened {
  switch (leaf.type) {
    case "approval":
      return openApproval(leaf);
    case "timer":
      return openTimer(leaf, at);
  }
}

export function settleWait(
  leaf: WaitLeaf,
  on: WaitOn,
  { rows, nowMs }: { readonly rows: WaitRows; readonly nowMs: number },
): Settled {
  switch (leaf.type) {
    case "approval":
      return on.kind === "approval" ? settleApproval(leaf, rows.approvals.get(leaf.key)) : changed(leaf, on);
    case "timer":
      return on.kind === "timer" ? settleTimer(on, nowMs) : changed(leaf, on);
  }
}

/** The workflow was edited while the node waited. */
const changed = (leaf: WaitLeaf, on: WaitOn): Settled => ({
  kind: "fail",
  error: {
    code: "INVALID_INPUT",
    message: `node ${leaf.nodeId} waited for ${on.kind} and is of type ${leaf.type} now; give the new element another id`,
    nodeId: leaf.nodeId,
  },
});

const STATUS = { approval: "waiting-approval", timer: "waiting-timer" } as const satisfies Record<
  WaitOn["kind"],
  string
>;
export type WaitStatus = (typeof STATUS)[WaitOn["kind"]];
const ORDER: readonly WaitStatus[] = ["waiting-approval", "waiting-timer"];

/** W3 */
export function waitStatus(reasons: readonly WaitOn[]): WaitStatus {
  const statuses = new Set(reasons.map((on) => STATUS[on.kind]));
  return ORDER.find((status) => statuses.has(status)) ?? "waiting-timer";
}
