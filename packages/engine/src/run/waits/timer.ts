/** A timer fires once, at the time that was fixed when it was reached.
 *  M1. `every` keeps its beat: a later pass waits for the next beat of the first one's grid, and beats that were missed are not made up. */
import type { TimerLeaf } from "../../graph/plan.ts";
import type { WaitOn } from "../events.ts";
import type { RunState } from "../state.ts";
import type { Opened, Settled } from "./outcome.ts";

export function openTimer(
  { nodeId, iteration, when }: TimerLeaf,
  { nowMs, state }: { readonly nowMs: number; readonly state: RunState },
): Opened {
  const dueMs = dueAt(when, { nowMs, lastDueMs: state.timers.get(nodeId) });
  return { events: [{ type: "wait.opened", nodeId, iteration, on: { kind: "timer", dueMs } }] };
}

function dueAt(
  when: TimerLeaf["when"],
  { nowMs, lastDueMs }: { readonly nowMs: number; readonly lastDueMs: number | undefined },
): number {
  switch (when.kind) {
    case "after":
      return nowMs + when.ms;
    case "at":
      return when.ms;
    case "every": {
      if (lastDueMs === undefined) return nowMs + when.ms;
      const beats = Math.floor((nowMs - lastDueMs) / when.ms) + 1; // M1
      return lastDueMs + Math.max(1, beats) * when.ms;
    }
  }
}

export const settleTimer = ({ dueMs }: Extract<WaitOn, { kind: "timer" }>, nowMs: number): Settled =>
  dueMs <= nowMs ? { kind: "done" } : { kind: "waiting" };
