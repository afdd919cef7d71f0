/** What a reset takes back, decided from the log and the plan alone.
 *  Z1. Nothing that stays comes after something that goes: order in sequences, edges, and later passes of a common loop.
 *  Z2. What the plan no longer shows goes when it began after the target had ended: nobody can say that it did not depend on it.
 *  Z3. A loop around the target goes back to the target's pass; a loop that comes after it, to before its first pass.
 *  Z6. A scope around the target has not failed when the target is in its body, and is where it was first when it is in its catch.
 *  Z4. A reset to a frame takes every node that has an event after it, and no other.
 *  Z5. Attempts go on counting: a body that runs again has a higher number than any before it.
 *  Z7. A dead end goes too, wherever it stands: a node that was cut off, or failed, and that nothing goes past. The run would come to
 *      it and stop. So a frame may lie anywhere, also between a failure and what was done about it. */
import { SmoothError } from "@smooth/protocol/errors";
import { localId, parseStateKey, stateKey, type LoopChain, type NodeRef } from "../graph/identity.ts";
import type { Plan, PlanLeaf, ScopePartName } from "../graph/plan.ts";
import type { RunEventBody, StoredEvent } from "../run/events.ts";
import { foldEvents } from "../run/state.ts";
import { isGivenUp } from "../schedule/contain.ts";
import { edgesOf } from "./edges.ts";
import { loopsIn, pastOf, scopesIn, type Past } from "./past.ts";

export interface Reset {
  readonly nodes: readonly (NodeRef & { readonly attempt: number })[];
  readonly loops: ResetEvent["loops"];
  readonly scopes: ResetEvent["scopes"];
}

type ResetEvent = Extract<RunEventBody, { type: "nodes.reset" }>;

export interface History {
  readonly events: readonly StoredEvent[];
  readonly plan: Plan;
}

/** One node and, unless `deps` is false, everything that comes after it. Throws NODE_NOT_FOUND, INVALID_INPUT. */
export function resetOfNode(history: History, { target, deps }: { target: NodeRef; deps: boolean }): Reset {
  const past = pastOf(history.events);
  const own = past.get(stateKey(target));
  if (!own)
    throw new SmoothError(
      "NODE_NOT_FOUND",
      `the run has done nothing at ${target.nodeId}, iteration ${target.iteration}`,
      {
        details: { ...target },
      },
    );
  if (!deps) {
    const reset = alone(own, history);
    return { ...reset, nodes: [...reset.nodes, ...deadEnds(history, reset)] };
  }
  const comesAfter = follower(history, own);
  const nodes = [...past.values()].filter((other) => other === own || comesAfter(other, other.beganSeq)).map(forReset);
  const loops = loopsBack(history, own, comesAfter);
  const reset = { nodes, loops, scopes: scopesBack(history, own, comesAfter) };
  return { ...reset, nodes: [...nodes, ...deadEnds(history, reset)] };
}

/** Z7. Besides what `reset` takes anyway. What a scope gave up stays as it is, unless the scope has not failed any more. */
export function deadEnds({ events, plan }: History, reset: Reset): Reset["nodes"] {
  const { nodes, scopes } = foldEvents(events);
  const taken = new Set(reset.nodes.map(stateKey));
  for (const { scopeId, failed } of reset.scopes) if (failed === null) scopes.delete(scopeId);
  const isDeadEnd = (key: string, { continueOnFail, within }: PlanLeaf): boolean => {
    const kind = nodes.get(key)?.kind;
    const ended = kind === "cancelled" || (kind === "failed" && !continueOnFail);
    return ended && !taken.has(key) && !isGivenUp(within, scopes);
  };
  return [...pastOf(events)].flatMap(([key, node]) => {
    const leaf = plan.leaves.get(key);
    return leaf && isDeadEnd(key, leaf) ? [forReset(node)] : [];
  });
}

/** Everything that happened after `then`, the frame's own history. */
export function resetToFrame({ events }: Pick<History, "events">, then: History): Reset {
  const seq = then.events.length;
  const nodes = [...pastOf(events).values()].filter((node) => node.lastSeq > seq); // Z4
  const before = loopsIn(then.events);
  const loops = [...loopsIn(events)].flatMap(([loopId, { iteration }]) => {
    const back = before.get(loopId)?.iteration ?? null;
    return back === iteration ? [] : [{ loopId, iteration: back }];
  });
  const failedBefore = scopesIn(then.events);
  const scopes = [...scopesIn(events)].flatMap(([scopeId, { now }]) => {
    const failed = failedBefore.get(scopeId)?.now ?? null;
    return failed?.next === now.next ? [] : [{ scopeId, failed }];
  });
  const reset = { nodes: nodes.map(forReset), loops, scopes };
  return { ...reset, nodes: [...reset.nodes, ...deadEnds(then, { ...reset, scopes: [] })] };
}

export const resetEvent = ({ nodes, ...back }: Reset, { verb, by }: Pick<ResetEvent, "verb" | "by">): ResetEvent => ({
  type: "nodes.reset",
  verb,
  by,
  nodes: [...nodes],
  ...back,
});

/** Z5 */
const forReset = ({ nodeId, iteration, attempt }: Past): Reset["nodes"][number] => ({ nodeId, iteration, attempt });

/** A later pass would stay while this one, which no frame shows any more, never ran again. */
function alone(own: Past, { events, plan }: History): Reset {
  const chain = chainOf(plan, own.nodeId);
  const passes = passesOf(own, chain);
  const now = loopsIn(events);
  const past = chain.find((_, depth) => (now.get(loopAt(chain, passes, depth))?.iteration ?? 0) > (passes[depth] ?? 0));
  if (past === undefined) return { nodes: [forReset(own)], loops: [], scopes: [] };
  throw new SmoothError(
    "INVALID_INPUT",
    `loop ${past} is past this pass of ${own.nodeId}: it can only be reset with its dependents`,
    {
      details: { loopId: past },
    },
  );
}

/** A node, or a loop by its scoped id, and since when it is there. */
type Follower = (other: NodeRef, sinceSeq: number) => boolean;

/** Z1, Z2 */
function follower({ plan }: History, own: Past): Follower {
  const id = localId(own.nodeId);
  const { known, after } = edgesOf(plan);
  const reached = after(id);
  const chain = chainOf(plan, id);
  const passes = passesOf(own, chain);
  return (other, sinceSeq) => {
    const otherId = localId(other.nodeId);
    if (!known.has(id) || !known.has(otherId)) return sinceSeq > own.endedSeq;
    const otherChain = chainOf(plan, otherId);
    const later = aheadBy(passes, passesOf(other, otherChain), common(chain, otherChain));
    return later > 0 || (later === 0 && reached.has(otherId));
  };
}

/** Z3 */
function loopsBack({ events, plan }: History, own: Past, comesAfter: Follower): Reset["loops"] {
  const chain = chainOf(plan, own.nodeId);
  const passes = passesOf(own, chain);
  const around = new Map(chain.map((_, depth) => [loopAt(chain, passes, depth), passes[depth] ?? 0]));
  return [...loopsIn(events)].flatMap(([loopId, { iteration, sinceSeq }]): Reset["loops"] => {
    const pass = around.get(loopId);
    if (pass !== undefined) return pass === iteration ? [] : [{ loopId, iteration: pass === 0 ? null : pass }];
    return comesAfter({ nodeId: loopId, iteration: 0 }, sinceSeq) ? [{ loopId, iteration: null }] : [];
  });
}

/** Z6 */
function scopesBack({ events, plan }: History, own: Past, comesAfter: Follower): Reset["scopes"] {
  const passes = passesOf(own, chainOf(plan, own.nodeId));
  const around = partsAround(plan, own);
  return [...scopesIn(events)].flatMap(([scopeId, { first, now, sinceSeq }]): Reset["scopes"] => {
    const scope = parseStateKey(scopeId);
    if (comesAfter(scope, sinceSeq)) return [{ scopeId, failed: null }];
    const chain = chainOf(plan, scope.nodeId);
    const samePass = aheadBy(passes, passesOf(scope, chain), chain.length) === 0;
    const part = samePass ? around.get(localId(scope.nodeId)) : undefined;
    if (part === "body") return [{ scopeId, failed: null }];
    return part === "catch" && now.next === "finally" && first.next === "catch" ? [{ scopeId, failed: first }] : [];
  });
}

/** By the local id of each scope around the node: which part it stands in. */
function partsAround(plan: Plan, own: Past): ReadonlyMap<string, ScopePartName> {
  const leaf = [...plan.leaves.values()].find(({ id }) => id === localId(own.nodeId));
  const parts = new Map<string, ScopePartName>();
  for (let at = leaf?.within ?? null; at; at = at.outer) parts.set(localId(parseStateKey(at.scopeId).nodeId), at.part);
  return parts;
}

const chainOf = (plan: Plan, nodeId: string): LoopChain => plan.chains.get(localId(nodeId)) ?? [];

/** The scoped id of the loop at this depth of the chain. */
const loopAt = (chain: LoopChain, passes: readonly number[], depth: number): string => {
  const outer = chain.slice(0, depth).map((loop, at) => `${loop}=${passes[at] ?? 0}`);
  return `${chain[depth]}${outer.length > 0 ? "@@" : ""}${outer.join(",")}`;
};

/** The iteration of every loop around a node, outermost first: identity I2 read backwards. A loop's own pass is not one of them. */
function passesOf({ nodeId, iteration }: NodeRef, chain: LoopChain): readonly number[] {
  const scope = nodeId.slice(localId(nodeId).length + 2);
  const outer = scope === "" ? [] : scope.split(",").map((part) => Number(part.slice(part.lastIndexOf("=") + 1)));
  return [...outer, iteration].slice(0, chain.length);
}

/** How many loops are around both. */
function common(a: LoopChain, b: LoopChain): number {
  const differs = a.findIndex((loop, depth) => loop !== b[depth]);
  return differs < 0 ? a.length : differs;
}

/** Whether `b` is at a later pass (1), the same (0) or an earlier one (-1) of the first `depth` loops. */
function aheadBy(a: readonly number[], b: readonly number[], depth: number): number {
  for (let at = 0; at < depth; at += 1) {
    const ahead = (b[at] ?? 0) - (a[at] ?? 0);
    if (ahead !== 0) return Math.sign(ahead);
  }
  return 0;
}
