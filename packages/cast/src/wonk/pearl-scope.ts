import type { Dependency } from "@smooth/protocol/pearls";
import type { Policy } from "./policy.ts";

/** Operators see their pearl and a little of what it depends on.
 *  B1. Breadth first, each pearl once: a cycle ends by itself.
 *  B2. Write reaches the assigned pearl and its sub-pearls; everything else in reach is read only. */

/** The policy with its scope recomputed; call again when edges change. */
export function scopePearls(policy: Policy, assigned: string, dependencies: readonly Dependency[]): Policy {
  const { include_dependencies, max_depth } = policy.pearls;
  const children = reach(assigned, max_depth, (id) =>
    dependencies.flatMap((edge) => (edge.type === "parent-child" && edge.from === id ? [edge.to] : [])),
  );
  const linked = (id: string): string[] => dependencies.flatMap((edge) => (edge.from === id ? [edge.to] : []));
  const readable = include_dependencies ? reach(assigned, max_depth, linked) : [];
  return { ...policy, pearls: { ...policy.pearls, accessible: children, readable } };
}

function reach(start: string, maxDepth: number, next: (id: string) => readonly string[]): string[] {
  const seen = new Set([start]);
  let edge = [start];
  for (let depth = 0; depth < maxDepth; depth += 1) {
    edge = edge.flatMap(next).filter((id) => !seen.has(id));
    for (const id of edge) seen.add(id);
  }
  return [...seen];
}
