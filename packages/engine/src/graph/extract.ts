/** Turns the host tree of one frame into a plan.
 *  X1. Ids are unique per frame over tasks, approvals and loops; a duplicate is refused before anything runs.
 *  X2. A body with several children outside a Sequence runs them concurrently, and the plan warns about it. */
import { SmoothError } from "@smooth/protocol/errors";
import type { OutputRegistry } from "../outputs/registry.ts";
import type { HostElement, HostNode } from "../render/renderer.ts";
import { loopKey, resolveRef, stateKey, type LoopChain, type LoopIterations } from "./identity.ts";
import { readApproval } from "./leaves/approval.ts";
import type { DraftLeaf } from "./leaves/common.ts";
import { readTask } from "./leaves/task.ts";
import type { Plan, PlanGroup, PlanLeaf, PlanLoop, PlanNode } from "./plan.ts";
import { aBoolean, aNumber, aString, componentName, HOST, onlyKnown, oneOf, optional } from "./props.ts";

export interface ExtractInput {
  readonly nodes: readonly HostNode[];
  readonly registry: OutputRegistry;
  readonly loops: LoopIterations;
  /** Chains of ids seen in earlier frames, for dependencies on nodes that have left the tree. */
  readonly known: ReadonlyMap<string, LoopChain>;
}

/** Where an element stands: the loops around it, and its position in the tree (for loops without an id). */
interface Place {
  readonly chain: LoopChain;
  readonly path: string;
}

interface Walk extends ExtractInput {
  readonly chains: Map<string, LoopChain>;
  readonly leaves: Map<string, PlanLeaf>;
  readonly drafts: DraftLeaf[];
  readonly warnings: string[];
}

export function extract(input: ExtractInput): Plan {
  const root = input.nodes.find((node) => node.kind === "element");
  if (root?.kind !== "element" || root.tag !== HOST.workflow)
    throw new SmoothError("WORKFLOW_RENDER_FAILED", "a workflow must render a <Workflow> as its only root");
  onlyKnown(root, ["name"]);
  const walk: Walk = { ...input, chains: new Map(), leaves: new Map(), drafts: [], warnings: [] };
  const tree = group("sequence", Infinity, children(root.children, { chain: [], path: "" }, walk));
  resolveEdges(walk);
  return {
    name: optional(root, "name", aString) ?? "workflow",
    root: swapLeaves(tree, walk.leaves),
    leaves: walk.leaves,
    chains: walk.chains,
    warnings: walk.warnings,
  };
}

const group = (kind: PlanGroup["kind"], cap: number, members: readonly PlanNode[]): PlanGroup => ({
  kind,
  cap,
  children: members,
});

function children(nodes: readonly HostNode[], { chain, path }: Place, walk: Walk): PlanNode[] {
  return nodes.flatMap((node, at) => {
    if (node.kind === "element") return [read(node, { chain, path: path ? `${path}.${at}` : String(at) }, walk)];
    if (node.text.trim() === "") return [];
    throw new SmoothError(
      "WORKFLOW_RENDER_FAILED",
      `text ${JSON.stringify(node.text.trim().slice(0, 80))} stands outside a <Task>`,
    );
  });
}

function read(element: HostElement, place: Place, walk: Walk): PlanNode {
  const { chain } = place;
  switch (element.tag) {
    case HOST.task:
      return leaf(readTask(element, { ...walk, chain }), walk);
    case HOST.approval:
      return approval(element, place, walk);
    case HOST.sequence:
    case HOST.branch:
      onlyKnown(element, []);
      return group("sequence", Infinity, children(element.children, place, walk));
    case HOST.parallel:
      onlyKnown(element, ["id", "maxConcurrency"]);
      return group(
        "parallel",
        cap(optional(element, "maxConcurrency", aNumber)),
        children(element.children, place, walk),
      );
    case HOST.loop:
      return loop(element, place, walk);
    default:
      throw new SmoothError(
        "WORKFLOW_RENDER_FAILED",
        `<${componentName(element.tag)}> is not an element of a workflow here`,
      );
  }
}

/** ≤ 0 and NaN mean unbounded; fractions are floored, but never to nothing. */
function cap(given: number | undefined): number {
  if (given === undefined || Number.isNaN(given) || given <= 0) return Infinity;
  return Math.max(1, Math.floor(given));
}

function leaf(draft: DraftLeaf, walk: Walk): PlanNode {
  unique(draft.id, draft.chain, walk);
  walk.drafts.push(draft);
  walk.leaves.set(draft.key, draft);
  return draft;
}

/** Children of an Approval come after it. */
function approval(element: HostElement, place: Place, walk: Walk): PlanNode {
  const gate = readApproval(element, { ...walk, chain: place.chain });
  const node = leaf(gate, walk);
  if (element.children.length === 0) return node;
  const before = walk.drafts.length;
  const gated = children(element.children, place, walk);
  walk.drafts.splice(
    before,
    Infinity,
    ...walk.drafts.slice(before).map((draft) => ({ ...draft, edges: [...draft.edges, gate.id] })),
  );
  return group("sequence", Infinity, [node, ...gated]);
}

function loop(element: HostElement, { chain, path }: Place, walk: Walk): PlanLoop {
  onlyKnown(element, ["id", "until", "maxIterations", "onMaxReached"]);
  const given = optional(element, "id", aString);
  const id = given ?? `loop-${path}`;
  if (given === undefined)
    walk.warnings.push(
      `a <Loop> without an id is called ${id} after its place; give it an id so that edits cannot move it`,
    );
  unique(id, chain, walk);
  const loopId = loopKey(id, chain, walk.loops);
  const members = children(element.children, { chain: [...chain, id], path }, walk);
  if (members.length > 1)
    walk.warnings.push(`loop ${id} has ${members.length} children outside a <Sequence>; they run concurrently`); // X2
  return {
    kind: "loop",
    loopId,
    iteration: walk.loops.get(loopId) ?? 0,
    until: optional(element, "until", aBoolean) ?? false,
    maxIterations: optional(element, "maxIterations", aNumber) ?? 5,
    onMaxReached: optional(element, "onMaxReached", oneOf("return-last", "fail")) ?? "return-last",
    body: group("parallel", Infinity, members),
  };
}

function unique(id: string, chain: LoopChain, walk: Walk): void {
  if (walk.chains.has(id))
    throw new SmoothError(
      "DUPLICATE_ID",
      `two elements of this frame have the id ${JSON.stringify(id)}; ids must be unique`,
      { details: { id } },
    ); // X1
  walk.chains.set(id, chain);
}

/** Local ids in edges and deps become state keys, at the iterations their loops have now. */
function resolveEdges(walk: Walk): void {
  const keyOf = (id: string): string =>
    stateKey(resolveRef(id, walk.chains.get(id) ?? walk.known.get(id) ?? [], walk.loops));
  for (const { edges, ...draft } of walk.drafts) {
    const after = [...new Set(edges.map(keyOf))];
    const resolved: PlanLeaf =
      draft.type === "task"
        ? { ...draft, after, deps: draft.deps.map((dep) => ({ ...dep, key: keyOf(dep.key) })) }
        : { ...draft, after };
    walk.leaves.set(draft.key, resolved);
  }
}

function swapLeaves(node: PlanGroup, leaves: ReadonlyMap<string, PlanLeaf>): PlanGroup {
  const swap = (child: PlanNode): PlanNode => {
    if (child.kind === "leaf") return leaves.get(child.key) ?? child;
    return child.kind === "loop" ? { ...child, body: swapLeaves(child.body, leaves) } : swapLeaves(child, leaves);
  };
  return { ...node, children: node.children.map(swap) };
}
