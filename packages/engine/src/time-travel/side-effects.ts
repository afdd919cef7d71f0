/** What a reset cannot undo: calls of tools that changed the world and must not simply be repeated.
 *  E1. They are named, and block unless forced. */
import { SmoothError } from "@smooth/protocol/errors";
import { stateKey, type NodeRef } from "../graph/identity.ts";
import type { StoredEvent } from "../run/events.ts";
import { pastOf } from "./past.ts";

export interface SideEffect extends NodeRef {
  readonly attempt: number;
  readonly tool: string;
}

/** Calls by these nodes since they were last reset. */
export function sideEffectsOf(events: readonly StoredEvent[], nodes: readonly NodeRef[]): readonly SideEffect[] {
  const past = pastOf(events);
  const since = new Map(nodes.map((node) => [stateKey(node), past.get(stateKey(node))?.beganSeq ?? Infinity]));
  return events.flatMap((event) => {
    if (event.type !== "tool.started" || !event.sideEffect || event.idempotent) return [];
    if (event.seq < (since.get(stateKey(event)) ?? Infinity)) return [];
    const { nodeId, iteration, attempt, tool } = event;
    return [{ nodeId, iteration, attempt, tool }];
  });
}

/** E1. Throws CONFLICT. */
export function refuseSideEffects(effects: readonly SideEffect[], force: boolean): void {
  if (force || effects.length === 0) return;
  const said = effects.map(({ nodeId, iteration, tool }) => `${tool} by ${nodeId}#${iteration}`).join(", ");
  throw new SmoothError("CONFLICT", `this cannot be undone: ${said}; force it to go back all the same`, {
    details: { sideEffects: effects },
  });
}
