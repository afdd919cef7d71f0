/** Turns the host tree of one frame into a plan.
 *  X1. Ids are unique per frame over tasks, approvals, loops and scopes; a duplicate is refused before anything runs.
 *  X2. A body with several children outside a Sequence runs them concurrently, and the plan warns about it. */
import { SmoothError } from "@smooth/protocol/errors";
import type { HostElement, HostNode } from "../render/renderer.ts";
import { loopKey, resolveRef, stateKey } from "./identity.ts";
import { readAspects } from "./aspects.ts";
import { readApproval } from "./leaves/approval.ts";
import { placed, type DraftLeaf, type LeafScope } from "./leaves/common.ts";
import { readHuman } from "./leaves/human.ts";
import { readSandbox } from "./leaves/sandbox.ts";
import { readSignal } from "./leaves/signal.ts";
import { readSubflow } from "./leaves/subflow.ts";
import { readTask } from "./leaves/task.ts";
import { readTimer } from "./leaves/timer.ts";
import type { Plan, PlanGroup, PlanLeaf, PlanLoop, PlanNode } from "./plan.ts";
import {
  aBoolean,
  aNumber,
  aString,
  atLeast,
  badProp,
  componentName,
  HOST,
  onlyKnown,
  oneOf,
  optional,
} from "./props.ts";
import { readSaga, readSagaStep, readTry } from "./scopes.ts";
import { group, idOrPlace, sequence, unique, type ExtractInput, type Place, type Walk } from "./walk.ts";

export function extract(input: ExtractInput): Plan {
  const [root, ...others] = input.nodes.filter((node) => node.kind === "element" || node.text.trim() !== "");
  if (root?.kind !== "element" || root.tag !== HOST.workflow || others.length > 0)
    throw new SmoothError("WORKFLOW_RENDER_FAILED", "a workflow must render a <Workflow> as its only root");
  onlyKnown(root, ["name", "cache"]);
  if (optional(root, "cache", aBoolean) === false)
    throw badProp(root, "cache", "true or absent: a completed task is never run again");
  const walk: Walk = {
    ...input,
    chains: new Map(),
    leaves: new Map(),
    handles: new Map(),
    drafts: [],
    warnings: [],
    into: (nodes, place) => children(nodes, place, walk),
  };
  const tree = sequence(
    children(root.children, { chain: [], within: null, worktree: null, aspects: null, path: "" }, walk),
  );
  const linked = resolveEdges(walk);
  return {
    name: optional(root, "name", aString) ?? "workflow",
    root: linked ? swapLeaves(tree, walk.leaves) : tree,
    leaves: walk.leaves,
    chains: walk.chains,
    handles: walk.handles,
    warnings: walk.warnings,
  };
}

function children(nodes: readonly HostNode[], place: Place, walk: Walk): PlanNode[] {
  const { path } = place;
  const found: PlanNode[] = [];
  for (const [at, node] of nodes.entries()) {
    const here = { ...place, path: path ? `${path}.${at}` : String(at) };
    // Budgets change nothing about order: what is below stands in the group around.
    if (node.kind === "element" && node.tag === HOST.aspects)
      for (const below of children(node.children, { ...here, aspects: readAspects(node, place.aspects) }, walk))
        found.push(below);
    else if (node.kind === "element") found.push(read(node, here, walk));
    else if (node.text.trim() !== "")
      throw new SmoothError(
        "WORKFLOW_RENDER_FAILED",
        `text ${JSON.stringify(node.text.trim().slice(0, 80))} stands outside a <Task>`,
      );
  }
  return found;
}

function read(element: HostElement, place: Place, walk: Walk): PlanNode {
  switch (element.tag) {
    case HOST.task:
      return leaf(drafted(element, readTask, { place, walk }), walk);
    case HOST.subflow:
      return leaf(drafted(element, readSubflow, { place, walk }), walk);
    case HOST.sandbox:
      return leaf(drafted(element, readSandbox, { place, walk }), walk);
    case HOST.approval:
      return approval(element, place, walk);
    case HOST.humanTask:
      return leaf(drafted(element, readHuman, { place, walk }), walk);
    case HOST.waitForEvent:
      return leaf(drafted(element, readSignal, { place, walk }), walk);
    case HOST.timer:
      return leaf(drafted(element, readTimer, { place, walk }), walk);
    case HOST.sequence:
    case HOST.branch:
      onlyKnown(element, []);
      return sequence(children(element.children, place, walk));
    case HOST.parallel:
      onlyKnown(element, ["id", "maxConcurrency"]);
      return group(
        "parallel",
        cap(optional(element, "maxConcurrency", aNumber)),
        children(element.children, place, walk),
      );
    case HOST.mergeQueue:
      onlyKnown(element, ["id", "maxConcurrency"]);
      return group(
        "parallel",
        lanes(optional(element, "maxConcurrency", aNumber)),
        children(element.children, place, walk),
      );
    case HOST.worktree:
      return worktree(element, place, walk);
    case HOST.loop:
      return loop(element, place, walk);
    case HOST.tryCatchFinally:
      return readTry(element, place, walk);
    case HOST.continueAsNew:
      onlyKnown(element, ["state"]);
      return { kind: "continue", state: element.props["state"] ?? null };
    case HOST.saga:
      return readSaga(element, place, walk);
    case HOST.sagaStep:
      return readSagaStep(element, place, walk);
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

/** A queue is never unbounded: one lane unless asked for more. */
const lanes = (given = 1): number => (given >= 1 ? Math.floor(given) : 1);

const scopeOf = ({ chain, within, worktree, aspects }: Place, { registry, loops }: Walk): LeafScope => ({
  registry,
  chain,
  within,
  worktree,
  aspects,
  loops,
});

type ReadLeaf = (element: HostElement, scope: LeafScope) => DraftLeaf;

/** What its props say stays for as long as the tree stands; which node it is depends on its loops. */
function drafted(element: HostElement, readLeaf: ReadLeaf, { place, walk }: { place: Place; walk: Walk }): DraftLeaf {
  const scope = scopeOf(place, walk);
  const before = walk.read?.get(element);
  const draft = before ? { ...before, leaf: placed(before.leaf, scope) } : readLeaf(element, scope);
  if (!before) walk.read?.set(element, draft);
  return draft;
}

function leaf(draft: DraftLeaf, walk: Walk): PlanLeaf {
  const { id, chain, key } = draft.leaf;
  unique(id, chain, walk);
  walk.drafts.push(draft);
  walk.leaves.set(key, draft.leaf);
  return draft.leaf;
}

/** Children of an Approval come after it. */
function approval(element: HostElement, place: Place, walk: Walk): PlanNode {
  const gate = leaf(drafted(element, readApproval, { place, walk }), walk);
  if (element.children.length === 0) return gate;
  const before = walk.drafts.length;
  const gated = children(element.children, place, walk);
  walk.drafts.splice(
    before,
    Infinity,
    ...walk.drafts.slice(before).map((draft) => ({ leaf: draft.leaf, edges: [...draft.edges, gate.id] })),
  );
  return sequence([gate, ...gated]);
}

const PASSES = atLeast(1);
const MAX_REACHED = oneOf("return-last", "fail");

type LoopProps = Pick<PlanLoop, "until" | "maxIterations" | "onMaxReached" | "continueEvery">;
/** Props never change: a loop that goes on need not be read again. */
const LOOP_PROPS = new WeakMap<HostElement["props"], LoopProps>();

function loopProps(element: HostElement): LoopProps {
  const before = LOOP_PROPS.get(element.props);
  if (before) return before;
  onlyKnown(element, ["id", "until", "maxIterations", "onMaxReached", "continueAsNewEvery"]);
  const props: LoopProps = {
    until: optional(element, "until", aBoolean) ?? false,
    maxIterations: optional(element, "maxIterations", PASSES) ?? 5,
    onMaxReached: optional(element, "onMaxReached", MAX_REACHED) ?? "return-last",
    continueEvery: cap(optional(element, "continueAsNewEvery", aNumber)),
  };
  LOOP_PROPS.set(element.props, props);
  return props;
}

function loop(element: HostElement, place: Place, walk: Walk): PlanLoop {
  const { chain, within, worktree, aspects, path } = place;
  const props = loopProps(element);
  const id = idOrPlace(element, place, walk);
  const loopId = loopKey(id, chain, walk.loops);
  const members = children(element.children, { chain: [...chain, id], within, worktree, aspects, path }, walk);
  if (members.length > 1)
    walk.warnings.push(`loop ${id} has ${members.length} children outside a <Sequence>; they run concurrently`); // X2
  return {
    kind: "loop",
    loopId,
    iteration: walk.loops.get(loopId) ?? 0,
    ...props,
    around: chain.map((outer, depth) => {
      const key = loopKey(outer, chain.slice(0, depth), walk.loops);
      return { loopId: key, iteration: walk.loops.get(key) ?? 0 };
    }),
    within,
    body: group("parallel", Infinity, members),
  };
}

function worktree(element: HostElement, place: Place, walk: Walk): PlanGroup {
  onlyKnown(element, ["id", "path", "branch", "baseBranch"]);
  const path = optional(element, "path", aString)?.trim();
  if (!path) throw badProp(element, "path", "a path that is not empty");
  const id = idOrPlace(element, place, walk);
  const branch = optional(element, "branch", aString) ?? null;
  const baseBranch = optional(element, "baseBranch", aString) ?? "main";
  const members = children(element.children, { ...place, worktree: { id, path, branch, baseBranch } }, walk);
  if (members.length > 1)
    walk.warnings.push(`worktree ${id} has ${members.length} children outside a <Sequence>; they run concurrently`); // X2
  return group("parallel", Infinity, members);
}

/** Local ids in edges and deps become state keys, at the iterations their loops have now. False: no leaf has any. */
function resolveEdges(walk: Walk): boolean {
  const keyOf = (id: string): string =>
    stateKey(resolveRef(id, walk.chains.get(id) ?? walk.known.get(id) ?? [], walk.loops));
  const dependent = walk.drafts.filter(({ edges }) => edges.length > 0); // a dep is an edge, too
  for (const { leaf: draft, edges } of dependent) {
    const after = [...new Set(edges.map(keyOf))];
    const resolved: PlanLeaf =
      draft.type === "task"
        ? { ...draft, after, deps: draft.deps.map((dep) => ({ ...dep, key: keyOf(dep.key) })) }
        : { ...draft, after };
    walk.leaves.set(draft.key, resolved);
  }
  return dependent.length > 0;
}

function swapLeaves(node: PlanGroup, leaves: ReadonlyMap<string, PlanLeaf>): PlanGroup {
  const within = (part: PlanGroup): PlanGroup => swapLeaves(part, leaves);
  const swap = (child: PlanNode): PlanNode => {
    switch (child.kind) {
      case "leaf":
        return leaves.get(child.key) ?? child;
      case "continue":
        return child;
      case "loop":
        return { ...child, body: within(child.body) };
      case "scope":
        return {
          ...child,
          body: within(child.body),
          catch: child.catch && within(child.catch),
          finally: child.finally && within(child.finally),
        };
      case "sequence":
      case "parallel":
        return within(child);
    }
  };
  return { ...node, children: node.children.map(swap) };
}
