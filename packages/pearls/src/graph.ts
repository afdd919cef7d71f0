import type { PearlId } from "@smooth/protocol/ids";
import type { Dependency, PearlStatus } from "@smooth/protocol/pearls";

/** What may be linked, what is ready, what an operator may see.
 *  G1. `blocks` and `parent-child` each stay free of cycles; a refusal names the whole cycle.
 *  G2. A pearl never depends on itself, nor on a pearl nobody knows.
 *  G3. An operator sees its pearl and what is at most two dependencies away, nothing else. */

export interface PearlGraph {
  readonly statuses: ReadonlyMap<PearlId, PearlStatus>;
  readonly dependencies: readonly Dependency[];
}

export type LinkVerdict =
  | { readonly kind: "ok" }
  | { readonly kind: "self" }
  | { readonly kind: "unknown"; readonly id: PearlId }
  /** From the new dependency's `from` through its `to` back to `from`. */
  | { readonly kind: "cycle"; readonly path: readonly PearlId[] };

export function checkLink(graph: PearlGraph, link: Dependency): LinkVerdict {
  if (link.from === link.to) return { kind: "self" };
  const unknown = [link.from, link.to].find((id) => !graph.statuses.has(id));
  if (unknown !== undefined) return { kind: "unknown", id: unknown };
  if (link.type !== "blocks" && link.type !== "parent-child") return { kind: "ok" };
  const back = pathBetween(graph, link.to, link);
  return back === null ? { kind: "ok" } : { kind: "cycle", path: [link.from, ...back] };
}

/** Shortest chain of dependencies of the link's type from `start` to the link's `from`. */
function pathBetween(graph: PearlGraph, start: PearlId, { from: goal, type }: Dependency): PearlId[] | null {
  const next = targets(graph.dependencies.filter((dependency) => dependency.type === type));
  const cameFrom = new Map<PearlId, PearlId | null>([[start, null]]);
  for (const id of cameFrom.keys()) {
    if (id === goal) return walkBack(cameFrom, goal);
    for (const to of next.get(id) ?? []) if (!cameFrom.has(to)) cameFrom.set(to, id);
  }
  return null;
}

function walkBack(cameFrom: ReadonlyMap<PearlId, PearlId | null>, goal: PearlId): PearlId[] {
  const path = [goal];
  for (let id = cameFrom.get(goal); id; id = cameFrom.get(id)) path.unshift(id);
  return path;
}

/** What still has to be closed before `id` can start. */
export function openBlockers(graph: PearlGraph, id: PearlId): PearlId[] {
  return graph.dependencies
    .filter(({ from, to, type }) => from === id && type === "blocks" && graph.statuses.get(to) !== "closed")
    .map(({ to }) => to);
}

/** The ids of open pearls that nothing blocks. */
export function readyIds(graph: PearlGraph): Set<PearlId> {
  const blocked = new Set(
    graph.dependencies
      .filter(({ to, type }) => type === "blocks" && graph.statuses.get(to) !== "closed")
      .map(({ from }) => from),
  );
  return new Set([...graph.statuses].filter(([id, status]) => status === "open" && !blocked.has(id)).map(([id]) => id));
}

/** G3: `id` first, then its dependencies of every type, level by level. */
export function closureOf(graph: PearlGraph, id: PearlId, depth = 2): PearlId[] {
  const next = targets(graph.dependencies);
  const seen = new Set([id]);
  let level = [id];
  for (let step = 0; step < depth; step += 1) {
    level = level.flatMap((from) => next.get(from) ?? []).filter((to) => !seen.has(to));
    for (const to of level) seen.add(to);
  }
  return [...seen];
}

const targets = (dependencies: readonly Dependency[]): Map<PearlId, PearlId[]> =>
  new Map([...Map.groupBy(dependencies, ({ from }) => from)].map(([from, links]) => [from, links.map(({ to }) => to)]));
