/** What the modules of the wait kinds answer. */
import type { OnTimeout } from "../../graph/plan.ts";
import type { OutputTable, Row } from "../../outputs/table.ts";
import type { ApprovalRow, NewApproval } from "../../store/port.ts";
import type { ErrorInfo, RunEventBody } from "../events.ts";

/** What is recorded when a wait is reached. */
export interface Opened {
  readonly events: readonly RunEventBody[];
  readonly approvals?: readonly NewApproval[];
  /** It was settled in the same breath. */
  readonly settled?: Settled;
}

export type Settled = Outcome & {
  /** Recorded before the outcome, in the same transaction (W2). */
  readonly also?: readonly RunEventBody[];
  /** What a person is asked now. */
  readonly approvals?: readonly NewApproval[];
};

export type Outcome =
  | { readonly kind: "waiting" }
  /** Over, with the row it records. */
  | { readonly kind: "row"; readonly row: Row; readonly table: OutputTable }
  /** What held the task back is over. */
  | { readonly kind: "go" }
  /** Over, and there is nothing to record. */
  | { readonly kind: "done" }
  | { readonly kind: "skip"; readonly reason: string; readonly cascades: boolean }
  | { readonly kind: "fail"; readonly error: ErrorInfo };

/** What may settle a wait, as the store has it. */
export interface WaitRows {
  /** By state key. */
  readonly approvals: ReadonlyMap<string, ApprovalRow>;
  /** Ids of suspended subflow runs that may go on. */
  readonly readyRuns: ReadonlySet<string>;
}

export function timedOut(
  { onTimeout, nodeId }: { readonly onTimeout: OnTimeout; readonly nodeId: string },
  reason: string,
): Outcome {
  if (onTimeout === "continue") return { kind: "done" };
  if (onTimeout === "skip") return { kind: "skip", reason, cascades: true };
  return { kind: "fail", error: { code: "TASK_TIMEOUT", message: `${nodeId}: ${reason}`, nodeId } };
}
