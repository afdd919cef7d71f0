/** The tree of one plan as the schedule keeps it: one cell per node, each knowing how far it has come. */
import type { Plan, PlanLeaf, PlanNode, PlanScope } from "../graph/plan.ts";

export interface Cell {
  /** Place in source order. */
  readonly order: number;
  readonly node: PlanNode;
  readonly parent: Cell | null;
  /** The innermost Parallel around it: whose cap governs. */
  readonly pool: Pool;
  readonly children: Cell[];
  phase: "unreached" | "open" | "done";
  /** Sequences: the child it is at. Parallels: how many children are not done. */
  at: number;
  stepping: boolean;
}

export interface LeafCell extends Cell {
  readonly node: PlanLeaf;
  /** Holds a place in its pool. */
  running: boolean;
  /** How many of its dependencies, from the first on, have finished. */
  met: number;
}

/** What holds a leaf back: the innermost Parallel's cap. */
export interface Pool {
  readonly cap: number;
  running: number;
  /** Ready, but the cap is reached. */
  readonly queue: LeafCell[];
}

export interface ScopeCell extends Cell {
  readonly node: PlanScope;
  readonly parts: { readonly body: Cell; readonly catch: Cell | null; readonly finally: Cell | null };
}

export interface CellTree {
  readonly root: Cell;
  /** By state key. */
  readonly leaves: ReadonlyMap<string, LeafCell>;
  readonly scopes: ReadonlyMap<string, ScopeCell>;
}

export function buildCells(plan: Plan): CellTree {
  const leaves = new Map<string, LeafCell>();
  const scopes = new Map<string, ScopeCell>();
  let built = 0;
  const build = (node: PlanNode, parent: Cell | null, pool: Pool): Cell => {
    const own = node.kind === "parallel" ? newPool(node.cap) : pool;
    const place = { order: (built += 1), parent, pool };
    if (node.kind === "leaf") {
      const leaf = newLeaf(node, place);
      leaves.set(node.key, leaf);
      return leaf;
    }
    const cell = newCell(node, place);
    const add = (child: PlanNode): Cell => {
      const made = build(child, cell, own);
      cell.children.push(made);
      return made;
    };
    if (node.kind === "loop") add(node.body);
    else if (node.kind === "scope") {
      const body = add(node.body);
      const parts = { body, catch: node.catch && add(node.catch), finally: node.finally && add(node.finally) };
      scopes.set(node.scopeId, Object.assign(cell, { parts }) as ScopeCell);
    } else if (node.kind !== "continue") for (const child of node.children) add(child);
    return cell;
  };
  return { root: build(plan.root, null, newPool(Infinity)), leaves, scopes };
}

const newPool = (cap: number): Pool => ({ cap, running: 0, queue: [] });

type CellPlace = Pick<Cell, "order" | "parent" | "pool">;

const newCell = (node: PlanNode, { order, parent, pool }: CellPlace): Cell => ({
  order,
  node,
  parent,
  pool,
  children: [],
  phase: "unreached",
  at: 0,
  stepping: false,
});

const newLeaf = (node: PlanLeaf, place: CellPlace): LeafCell => ({
  ...newCell(node, place),
  node,
  running: false,
  met: 0,
});

export const leavesBelow = (cell: Cell): readonly LeafCell[] =>
  cell.node.kind === "leaf" ? [cell as LeafCell] : cell.children.flatMap(leavesBelow);

/** Ids of the saga steps below that are done, in source order; steps of an inner saga are its own. */
export function completedSteps(cell: Cell): readonly string[] {
  const { node, phase } = cell;
  if (node.kind === "leaf" || node.kind === "scope") return [];
  if ("stepId" in node && node.stepId !== undefined) return phase === "done" ? [node.stepId] : [];
  return cell.children.flatMap(completedSteps);
}

interface Happened {
  readonly states: ReadonlyMap<string, unknown>;
  readonly scopes: ReadonlyMap<string, unknown>;
}

/** Whether the pass that a loop is in has begun. */
export const hasBegun = (loop: Cell, happened: Happened): boolean =>
  loop.children.some((child) => hasHappened(child, happened));

function hasHappened(cell: Cell, happened: Happened): boolean {
  const { node, children } = cell;
  if (node.kind === "leaf") return happened.states.has(node.key);
  if (node.kind === "loop" && node.iteration > 0) return true;
  if (node.kind === "scope" && happened.scopes.has(node.scopeId)) return true;
  return children.some((child) => hasHappened(child, happened));
}

/** Source order, whatever the order of arrival. */
export function insertInOrder(list: LeafCell[], cell: LeafCell): void {
  let from = list.length;
  while (from > 0 && (list[from - 1]?.order ?? 0) > cell.order) from -= 1;
  list.splice(from, 0, cell);
}
