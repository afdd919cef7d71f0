/** What holds a task back before, or between, its attempts.
 *  G1. A task with `needsApproval` is asked for once, before its first attempt; denied, it fails without having run.
 *  G2. A quota that is used up costs no retry: the task waits for the time the provider named, and goes on by itself.
 *  G3. A subflow that waits goes on when its run may: it is due, or somebody settled what it waits for. */
import type { TaskLeaf } from "../../graph/plan.ts";
import type { WaitOn } from "../events.ts";
import type { RunState } from "../state.ts";
import { settleHijack } from "./hijack.ts";
import type { Opened, Settled, WaitRows } from "./outcome.ts";

export function openGate({ nodeId, iteration, id, label }: TaskLeaf, workflow: string): Opened {
  const title = label === id ? `Run task ${id}` : label;
  return {
    approvals: [{ nodeId, iteration, request: { title }, mode: "approve", workflow, decided: null }],
    events: [{ type: "approval.opened", nodeId, iteration, title, dueMs: null, again: 0 }],
  };
}

export function settleTask(
  leaf: TaskLeaf,
  on: WaitOn,
  { rows, state, nowMs }: { readonly rows: WaitRows; readonly state: RunState; readonly nowMs: number },
): Settled | undefined {
  if (on.kind === "quota") return on.dueMs <= nowMs ? { kind: "go" } : { kind: "waiting" }; // G2
  if (on.kind === "run")
    // G3
    return (on.dueMs ?? Infinity) <= nowMs || rows.readyRuns.has(on.runId) ? { kind: "go" } : { kind: "waiting" };
  if (on.kind === "hijack") return settleHijack(leaf, on, state.hijacks.get(leaf.key));
  return on.kind === "approval" ? settleGate(leaf, rows) : undefined;
}

/** G1 */
function settleGate({ id, key, nodeId }: TaskLeaf, { approvals }: WaitRows): Settled {
  const decided = approvals.get(key)?.decided;
  if (!decided) return { kind: "waiting" };
  const { decision, by } = decided;
  if (decision.verdict === "approve") return { kind: "go" };
  const message = `task ${id}: ${by} denied it${decision.note ? `: ${decision.note}` : ""}`;
  return { kind: "fail", error: { code: "APPROVAL_DENIED", message, nodeId } };
}
