/** A wait is a leaf that runs no body, or a task that is held back: reached, it becomes rows; something outside settles it. Pure: `openWait` says what to record
 *  when it is reached, `settleWait` what its rows mean now. One module per kind.
 *  W1. A wait is opened once, and its due time is fixed then: a restart reads it and never computes it anew.
 *  W2. The decision, signal, answer or time that settles a wait is used up in the transaction that records the node's end.
 *  W3. A run that suspends for several reasons is named after the first of approval (or human), signal, quota, timer. */
import { stateKey, type NodeRef } from "../../graph/identity.ts";
import type { PlanLeaf } from "../../graph/plan.ts";
import type { WaitOn } from "../events.ts";
import type { RunState } from "../state.ts";
import { openApproval, settleApproval, type ApprovalOpening } from "./approval.ts";
import type { Opened, Settled, WaitRows } from "./outcome.ts";
import { openGate, settleTask } from "./gate.ts";
import { openHuman, settleHuman } from "./human.ts";
import { openHijack } from "./hijack.ts";
import { openSignal, settleSignal } from "./signal.ts";
import { openTimer, settleTimer } from "./timer.ts";

export function openWait(leaf: PlanLeaf, at: ApprovalOpening & { readonly state: RunState }): Opened {
  switch (leaf.type) {
    case "task":
      // Only a fork has the log of a review and not its row: there the sandbox runs anew.
      if (leaf.body.mode === "sandbox") return { events: [], settled: { kind: "go" } };
      return leaf.needsApproval && !at.state.nodes.has(leaf.key)
        ? openGate(leaf, at.workflow)
        : openHijack(leaf, at.state.hijacks.get(leaf.key));
    case "approval":
      return openApproval(leaf, at);
    case "human":
      return openHuman(leaf, at);
    case "signal":
      return openSignal(leaf, at.nowMs);
    case "timer":
      return openTimer(leaf, at);
  }
}

export function settleWait(
  leaf: PlanLeaf,
  on: WaitOn,
  { rows, state, nowMs }: { readonly rows: WaitRows; readonly state: RunState; readonly nowMs: number },
): Settled {
  switch (leaf.type) {
    case "task":
      return settleTask(leaf, on, { rows, state, nowMs }) ?? changed(leaf, on);
    case "approval":
      return on.kind === "approval"
        ? settleApproval(leaf, on, { row: rows.approvals.get(leaf.key), nowMs })
        : changed(leaf, on);
    case "human":
      return on.kind === "human"
        ? settleHuman(leaf, on, {
            row: rows.approvals.get(stateKey(askedRef(leaf, on))),
            rejected: state.rejected.get(leaf.key) ?? 0,
          })
        : changed(leaf, on);
    case "signal":
      return on.kind === "signal" ? settleSignal(leaf, on, { signals: state.signals, nowMs }) : changed(leaf, on);
    case "timer":
      return on.kind === "timer" ? settleTimer(on, nowMs) : changed(leaf, on);
  }
}

/** The row that asks somebody. */
export const askedRef = ({ nodeId, iteration }: NodeRef, on: WaitOn): NodeRef => ({
  nodeId: on.kind === "human" ? on.ask : nodeId,
  iteration,
});

/** The workflow was edited while the node waited. */
const changed = (leaf: PlanLeaf, on: WaitOn): Settled => ({
  kind: "fail",
  error: {
    code: "INVALID_INPUT",
    message: `node ${leaf.nodeId} waited for ${on.kind} and is of type ${leaf.type} now; give the new element another id`,
    nodeId: leaf.nodeId,
  },
});

const statusOf = (on: WaitOn): WaitStatus => (on.kind === "run" ? on.status : STATUS[on.kind]);

const STATUS = {
  approval: "waiting-approval",
  human: "waiting-approval",
  signal: "waiting-event",
  hijack: "waiting-event",
  timer: "waiting-timer",
  quota: "waiting-quota",
} as const satisfies Record<Exclude<WaitOn["kind"], "run">, string>;
export type WaitStatus = (typeof STATUS)[keyof typeof STATUS];
const ORDER: readonly WaitStatus[] = ["waiting-approval", "waiting-event", "waiting-quota", "waiting-timer"];

/** W3 */
export function waitStatus(reasons: readonly WaitOn[]): WaitStatus {
  const statuses = new Set(reasons.map(statusOf));
  return ORDER.find((status) => statuses.has(status)) ?? "waiting-timer";
}
