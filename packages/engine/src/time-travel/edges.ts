/** What comes after what in a plan: order in sequences, and every `after` edge. A node stands for all of its passes.
 *  G1. In a sequence each member comes before the next, as do body, catch and finally; the members of a parallel are not ordered.
 *  G2. A loop's body comes round to itself, unless the loop is around the node that is asked about: which of its passes come later is
 *      a matter of iterations (`reset.ts`). */
import { localId } from "../graph/identity.ts";
import { membersOf, type Plan, type PlanNode } from "../graph/plan.ts";

export interface PlanEdges {
  /** Local ids of all leaves, loops and scopes of the plan. */
  readonly known: ReadonlySet<string>;
  /** Local ids of the leaves, and of the loops and scopes with any part, that come after the leaf `id`. */
  after(id: string): ReadonlySet<string>;
}

interface Vertex {
  readonly id: string | null;
  readonly next: Set<Vertex>;
}

interface Span {
  readonly from: Vertex;
  readonly to: Vertex;
}

interface Graph {
  readonly leaves: Map<string, Vertex>;
  readonly byKey: Map<string, Vertex>;
  readonly waits: { readonly after: readonly string[]; readonly leaf: Vertex }[];
  readonly loops: Map<string, Span>;
  readonly scopes: Set<string>;
}

const vertex = (id: string | null = null): Vertex => ({ id, next: new Set() });

export function edgesOf(plan: Plan): PlanEdges {
  const graph: Graph = { leaves: new Map(), byKey: new Map(), waits: [], loops: new Map(), scopes: new Set() };
  add(graph, plan.root, { from: vertex(), to: vertex() });
  for (const { after, leaf } of graph.waits) for (const key of after) graph.byKey.get(key)?.next.add(leaf);
  return {
    known: new Set([...graph.leaves.keys(), ...graph.loops.keys(), ...graph.scopes]),
    after: (id) => reach(graph, id, plan.chains.get(id) ?? []),
  };
}

function reach({ leaves, loops }: Graph, id: string, around: readonly string[]): ReadonlySet<string> {
  const round = new Map([...loops].flatMap(([loop, { from, to }]) => (around.includes(loop) ? [] : [[to, from]]))); // G2
  const seen = new Set(leaves.get(id)?.next);
  for (const at of seen)
    for (const next of [...at.next, ...(round.get(at) ? [round.get(at) as Vertex] : [])]) seen.add(next);
  return new Set([...seen].flatMap((at) => at.id ?? []));
}

/** Hangs the node between the two ends of `span`. */
function add(graph: Graph, node: PlanNode, span: Span): void {
  if (node.kind === "leaf") return addLeaf(graph, node, span);
  if (node.kind === "loop") return addLoop(graph, node, span);
  if (node.kind === "scope") return addScope(graph, node, span);
  if (node.kind === "parallel") {
    join(span.from, span.to);
    for (const child of node.children) add(graph, child, span);
  } else addInOrder(graph, membersOf(node), span);
}

function addLeaf(graph: Graph, { id, key, after }: Extract<PlanNode, { kind: "leaf" }>, { from, to }: Span): void {
  const leaf = vertex(id);
  graph.leaves.set(id, leaf);
  graph.byKey.set(key, leaf);
  graph.waits.push({ after, leaf });
  join(from, leaf, to);
}

function addLoop(graph: Graph, { loopId, body }: Extract<PlanNode, { kind: "loop" }>, { from, to }: Span): void {
  const round = { from: vertex(localId(loopId)), to: vertex() };
  graph.loops.set(localId(loopId), round);
  join(from, round.from);
  add(graph, body, round);
  join(round.to, to);
}

function addScope(graph: Graph, scope: Extract<PlanNode, { kind: "scope" }>, { from, to }: Span): void {
  const start = vertex(scope.id);
  graph.scopes.add(scope.id);
  join(from, start);
  addInOrder(graph, membersOf(scope), { from: start, to });
}

/** G1 */
function addInOrder(graph: Graph, members: readonly PlanNode[], { from, to }: Span): void {
  let at = from;
  for (const member of members) {
    const next = vertex();
    add(graph, member, { from: at, to: next });
    at = next;
  }
  join(at, to);
}

function join(...path: readonly Vertex[]): void {
  for (const [at, step] of path.entries()) if (at > 0) path[at - 1]?.next.add(step);
}
