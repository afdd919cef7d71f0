/** The tree of a frame as plain data, and the difference between two trees.
 *  V1. apply(a, diff(a, b)) equals b; two equal trees differ by nothing.
 *  V2. A change of k nodes makes a delta of O(k): a node names its parent and the sibling before it, so nobody lists children.
 *  V3. What follows from the events (states, iterations) is not in the tree: it is folded from the log (`frame.ts`). */
import { localId, parseStateKey } from "../graph/identity.ts";
import type { Plan, PlanContinue, PlanGroup, PlanNode, PlanScope } from "../graph/plan.ts";

/** What may hold a node back besides its place: nodes it depends on, and how many of a group run at once. */
export interface Holds {
  readonly needs?: readonly string[];
  readonly cap?: number;
  /** What comes after it does not wait for it. */
  readonly async?: true;
}

/** The label is left out where it is the id and nothing comes after it. */
export type TreeNode = readonly [kind: string, parent: string, after: string | null, label?: string, holds?: Holds];

/** By the id an author wrote; groups without an id are called after their place (`>0`, `>0>1`). */
export type Tree = ReadonlyMap<string, TreeNode>;

export interface Delta {
  readonly set: Readonly<Record<string, TreeNode>>;
  readonly gone: readonly string[];
}

export const ROOT = ">";

export function treeOf({ root, name }: Plan): Tree {
  const tree = new Map<string, TreeNode>([[ROOT, node("workflow", ["", null], { id: ROOT, label: name })]]);
  addChildren(tree, ROOT, root.children);
  return tree;
}

function addChildren(tree: Map<string, TreeNode>, parent: string, children: readonly PlanNode[]): void {
  let after: string | null = null;
  let groups = 0;
  for (const child of children) {
    const id: string = hasId(child) ? idOf(child) : free(tree, `${parent === ROOT ? "" : parent}>${groups++}`);
    const { kind, label = id, members = [] } = face(child);
    tree.set(id, node(kind, [parent, after], { id, label, holds: holdsOf(child) }));
    if (child.kind === "scope") addParts(tree, id, child);
    else addChildren(tree, id, members);
    after = id;
  }
}

/** `try>body`, `try>catch`, `try>finally`. */
function addParts(tree: Map<string, TreeNode>, scope: string, parts: PlanScope): void {
  let after: string | null = null;
  for (const part of ["body", "catch", "finally"] as const) {
    const shown = parts[part];
    if (!shown) continue;
    const id = free(tree, `${scope}>${part}`);
    tree.set(id, node("sequence", [scope, after], { id, label: part }));
    addChildren(tree, id, shown.children);
    after = id;
  }
}

const hasId = (child: PlanNode): child is Exclude<PlanNode, PlanGroup | PlanContinue> =>
  child.kind !== "sequence" && child.kind !== "parallel" && child.kind !== "continue";
const idOf = (child: Exclude<PlanNode, PlanGroup | PlanContinue>): string =>
  child.kind === "loop" ? localId(child.loopId) : child.id;

/** An author may call a task `>0`, too. */
const free = (tree: Tree, id: string): string => (tree.has(id) ? free(tree, `${id}>`) : id);

function face(child: PlanNode): { kind: string; label?: string; members?: readonly PlanNode[] } {
  if (child.kind === "leaf") return { kind: child.type, label: child.label };
  if (child.kind === "scope") return { kind: child.type };
  if (child.kind === "continue") return { kind: child.kind };
  return { kind: child.kind, members: child.kind === "loop" ? child.body.children : child.children };
}

const node = (
  kind: string,
  [parent, after]: readonly [string, string | null],
  { id, label, holds }: { id: string; label: string; holds?: Holds | undefined },
): TreeNode => {
  if (holds) return [kind, parent, after, label, holds];
  return label === id ? [kind, parent, after] : [kind, parent, after, label];
};

/** Undefined, mostly. */
function holdsOf(child: PlanNode): Holds | undefined {
  if (child.kind === "parallel") return child.cap === Infinity ? undefined : { cap: child.cap };
  if (child.kind !== "leaf" || (child.after.length === 0 && !child.async)) return undefined;
  const needs = child.after.map((key) => localId(parseStateKey(key).nodeId));
  return { ...(needs.length > 0 ? { needs } : {}), ...(child.async ? { async: true } : {}) };
}

/** Null when nothing differs. */
export function diff(before: Tree, after: Tree): Delta | null {
  const set = Object.create(null) as Record<string, TreeNode>; // a large object that grows by name is slow with a prototype
  let changed = 0;
  let kept = 0;
  for (const [id, next] of after) {
    const old = before.get(id);
    if (old) kept += 1;
    if (old && same(old, next)) continue;
    set[id] = next;
    changed += 1;
  }
  const gone = kept === before.size ? [] : [...before.keys()].filter((id) => !after.has(id));
  return changed + gone.length === 0 ? null : { set, gone };
}

const same = (a: TreeNode, b: TreeNode): boolean =>
  a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3] && sameHolds(a[4], b[4]);
const sameHolds = (a: Holds | undefined, b: Holds | undefined): boolean =>
  a === b || JSON.stringify(a) === JSON.stringify(b);

export const sizeOf = ({ set, gone }: Delta): number => Object.keys(set).length + gone.length;

export function apply(tree: Tree, { set, gone }: Delta): Tree {
  const next = new Map([...tree, ...Object.entries(set)]);
  for (const id of gone) next.delete(id);
  return next;
}
