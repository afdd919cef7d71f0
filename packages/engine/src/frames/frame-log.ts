/** Decides what a commit writes about the frames rendered before it.
 *  V4. A row stands at the event after which its tree holds; the first tree of a run stands at `run.started`.
 *  V5. No row for an empty delta.
 *  V6. A full tree is written when the deltas since the last one weigh as much as the tree: storage is O(changes), reading a frame O(tree). */
import type { Plan } from "../graph/plan.ts";
import { apply, diff, sizeOf, treeOf, type Delta, type Tree } from "./tree.ts";

/** `offset` events of the commit come before this tree. A full one holds without what came before. */
export interface NewFrame {
  readonly offset: number;
  readonly full: boolean;
  readonly delta: Delta;
}

export interface FrameRow {
  readonly seq: number;
  readonly full: boolean;
  readonly delta: Delta;
}

/** The tree that stands after these rows; they start with a full one. */
export const treeAfter = (rows: readonly Pick<FrameRow, "full" | "delta">[]): Tree =>
  rows.reduce<Tree>((tree, { full, delta }) => apply(full ? EMPTY : tree, delta), EMPTY);

const EMPTY: Tree = new Map();

export class FrameLog {
  /** What is written. */
  #tree: Tree;
  #weightSinceFull: number;
  /** Before its first row this process may write at offset 0: nobody else can have written there. */
  #firstRow = true;
  #rendered: { readonly offset: number; readonly plan: Plan }[] = [];

  constructor(rows: readonly FrameRow[]) {
    this.#tree = treeAfter(rows);
    this.#weightSinceFull = rows.reduce((sum, { full, delta }) => (full ? 0 : sum + sizeOf(delta)), 0);
  }

  rendered(plan: Plan, events: number): void {
    const offset = this.#firstRow ? events : Math.max(1, events);
    if (this.#rendered.at(-1)?.offset === offset) this.#rendered.pop();
    this.#rendered.push({ offset, plan });
  }

  /** Undoes what is taken after this, when it was not written. */
  mark(): () => void {
    const [tree, weight, firstRow, rendered] = [this.#tree, this.#weightSinceFull, this.#firstRow, this.#rendered];
    return () => {
      this.#tree = tree;
      this.#weightSinceFull = weight;
      this.#firstRow = firstRow;
      this.#rendered = rendered;
    };
  }

  /** For a commit that holds at least one event. */
  take(): readonly NewFrame[] {
    const rows = this.#rendered.flatMap(({ offset, plan }) => this.#row(treeOf(plan), offset));
    this.#rendered = [];
    return rows;
  }

  #row(tree: Tree, offset: number): readonly NewFrame[] {
    const delta = diff(this.#tree, tree);
    if (!delta) return []; // V5
    const isFirst = this.#tree.size === 0;
    const weight = isFirst ? Infinity : this.#weightSinceFull + sizeOf(delta);
    const full = weight > tree.size; // V6
    this.#weightSinceFull = full ? 0 : weight;
    this.#tree = tree;
    this.#firstRow = false;
    return [{ offset, full, delta: full && !isFirst ? { set: Object.fromEntries(tree), gone: [] } : delta }];
  }
}
