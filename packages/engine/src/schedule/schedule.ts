/** What may happen next. `schedule()` is the pure question; `openSchedule()` keeps the answer up to date so that one completion costs
 *  the depth of the tree, not its size.
 *  D1. A leaf may start when every earlier sibling of every enclosing sequence is terminal, its dependencies finished, its backoff is
 *      over, and the innermost Parallel and the global cap have room.
 *  D2. Terminal: finished, skipped, failed with continueOnFail, and async waits. A slow branch never holds back a fast one.
 *  D3. A dependency that ended otherwise than finished blocks its dependents; `rest()` names both. */
import type { PlanLeaf, PlanLoop, PlanNode, Plan } from "../graph/plan.ts";
import { triesOf, type NodeState } from "../run/state.ts";

export type Step =
  | { readonly kind: "start"; readonly leaf: PlanLeaf; readonly attempt: number }
  | { readonly kind: "skip"; readonly leaf: PlanLeaf; readonly reason: string; readonly cascades: boolean }
  | { readonly kind: "ask"; readonly leaf: PlanLeaf }
  | { readonly kind: "advance"; readonly loop: PlanLoop }
  | { readonly kind: "exhausted"; readonly loop: PlanLoop };

/** Why nothing can be done now; read when no step is left and nothing runs. */
export interface Rest {
  readonly done: boolean;
  readonly waiting: readonly string[];
  readonly blocked: readonly { readonly key: string; readonly dependency: string }[];
}

export interface ScheduleInput {
  readonly plan: Plan;
  readonly states: ReadonlyMap<string, NodeState>;
  /** The global cap on running leaves. */
  readonly maxConcurrency: number;
}

export interface Schedule {
  /** The steps that are possible now. Each is given once; the caller performs it and reports with `changed`. */
  next(nowMs: number): readonly Step[];
  /** The state of this leaf changed. */
  changed(key: string): void;
  /** When the next backoff is over. */
  dueMs(): number | null;
  rest(): Rest;
}

export const schedule = ({ nowMs, ...input }: ScheduleInput & { readonly nowMs: number }): readonly Step[] =>
  openSchedule(input).next(nowMs);

interface Cell {
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

interface LeafCell extends Cell {
  readonly node: PlanLeaf;
  /** Holds a place in its pool. */
  running: boolean;
}

interface Pool {
  readonly cap: number;
  running: number;
  /** Ready, but the cap is reached. */
  readonly queue: LeafCell[];
}

export function openSchedule({ plan, states, maxConcurrency }: ScheduleInput): Schedule {
  const cells = new Map<string, LeafCell>();
  const parked = new Map<string, LeafCell[]>();
  const sleeping = new Set<LeafCell>();
  const ready: LeafCell[] = [];
  const steps: Step[] = [];
  let running = 0;

  function build(node: PlanNode, parent: Cell | null, pool: Pool): Cell {
    const own = node.kind === "parallel" ? { cap: node.cap, running: 0, queue: [] } : pool;
    const cell: Cell = { node, parent, pool, children: [], phase: "unreached", at: 0, stepping: false };
    if (node.kind === "leaf") cells.set(node.key, Object.assign(cell, { running: false }) as LeafCell);
    else
      for (const child of node.kind === "loop" ? [node.body] : node.children)
        cell.children.push(build(child, cell, own));
    return cell;
  }

  function activate(cell: Cell): void {
    cell.phase = "open";
    const { node } = cell;
    if (node.kind === "leaf") return activateLeaf(cell as LeafCell);
    if (node.kind === "sequence") return stepSequence(cell);
    if (node.kind === "loop" && node.until) return finish(cell);
    cell.at = cell.children.length;
    if (cell.at === 0) return finish(cell);
    for (const child of cell.children) activate(child);
  }

  /** A child that is done at once lets the loop go on; a later one calls back through `finish`. */
  function stepSequence(cell: Cell): void {
    if (cell.stepping) return;
    cell.stepping = true;
    for (let child = cell.children[cell.at]; child; child = cell.children[cell.at]) {
      if (child.phase === "unreached") activate(child);
      if (child.phase !== "done") break;
      cell.at += 1;
    }
    cell.stepping = false;
    if (cell.at === cell.children.length) finish(cell);
  }

  /** Bubbles up: O(depth). */
  function finish(cell: Cell): void {
    if (cell.phase !== "open") return;
    cell.phase = "done";
    const { parent } = cell;
    if (!parent) return;
    if (parent.node.kind === "sequence") return stepSequence(parent);
    parent.at -= 1;
    if (parent.at > 0) return;
    if (parent.node.kind === "loop") bodyDone(parent, parent.node);
    else finish(parent);
  }

  function bodyDone(cell: Cell, loop: PlanLoop): void {
    if (loop.iteration + 1 < loop.maxIterations) steps.push({ kind: "advance", loop });
    else if (loop.onMaxReached === "fail") steps.push({ kind: "exhausted", loop });
    else finish(cell);
  }

  function activateLeaf(cell: LeafCell): void {
    const { node } = cell;
    const state = states.get(node.key);
    if (isTerminal(node, state)) return finish(cell);
    if (state?.kind === "running" || state?.kind === "failed" || state?.kind === "cancelled") return;
    if (state?.kind === "waiting") return node.async ? finish(cell) : undefined;
    const unmet = node.after.find((key) => states.get(key)?.kind !== "finished");
    if (unmet !== undefined) return park(cell, unmet);
    if (node.skipIf) steps.push({ kind: "skip", leaf: node, reason: "skipIf", cascades: false });
    else if (node.type === "approval") steps.push({ kind: "ask", leaf: node });
    else if (state?.kind === "backing-off") sleeping.add(cell);
    else ready.push(cell);
  }

  /** A leaf behind a skipped approval is skipped with it; behind anything else it waits (D3). */
  function park(cell: LeafCell, dependency: string): void {
    const gate = plan.leaves.get(dependency);
    const state = states.get(dependency);
    if (state?.kind === "skipped" && state.cascades)
      steps.push({ kind: "skip", leaf: cell.node, reason: `${gate?.id ?? dependency} was denied`, cascades: true });
    else parked.set(dependency, [...(parked.get(dependency) ?? []), cell]);
  }

  function occupy(cell: LeafCell): void {
    if (cell.running) return;
    cell.running = true;
    cell.pool.running += 1;
    running += 1;
  }

  function vacate(cell: LeafCell): void {
    if (!cell.running) return;
    cell.running = false;
    cell.pool.running -= 1;
    running -= 1;
    const next = cell.pool.queue.shift();
    if (next) ready.push(next);
  }

  function takeReady(): void {
    let taken = 0;
    for (; taken < ready.length && running < maxConcurrency; taken += 1) {
      const cell = ready[taken] as LeafCell;
      if (cell.pool.running >= cell.pool.cap) {
        cell.pool.queue.push(cell);
        continue;
      }
      occupy(cell);
      steps.push({ kind: "start", leaf: cell.node, attempt: triesOf(states.get(cell.node.key)).attempt + 1 });
    }
    ready.splice(0, taken);
  }

  function wake(nowMs: number): void {
    for (const cell of sleeping) {
      const state = states.get(cell.node.key);
      if (state?.kind === "backing-off" && state.dueMs > nowMs) continue;
      sleeping.delete(cell);
      ready.push(cell);
    }
  }

  function changed(key: string): void {
    const cell = cells.get(key);
    const state = states.get(key);
    if (cell && state?.kind !== "running") vacate(cell);
    else if (!cell && state?.kind !== "running") running -= 1; // it had left the tree while it ran
    if (cell?.phase === "open") activateLeaf(cell);
    const waiting = parked.get(key) ?? [];
    parked.delete(key);
    for (const dependent of waiting) activateLeaf(dependent);
  }

  const root = build(plan.root, null, { cap: Infinity, running: 0, queue: [] });
  for (const [key, state] of states) {
    if (state.kind !== "running") continue;
    const cell = cells.get(key);
    if (cell) occupy(cell);
    else running += 1;
  }
  activate(root);

  return {
    changed,
    next(nowMs) {
      wake(nowMs);
      takeReady();
      return steps.splice(0);
    },
    dueMs() {
      const due = [...sleeping]
        .map((cell) => states.get(cell.node.key))
        .flatMap((state) => (state?.kind === "backing-off" ? [state.dueMs] : []));
      return due.length > 0 ? Math.min(...due) : null;
    },
    rest: () => ({
      done: root.phase === "done",
      waiting: [...cells.keys()].filter((key) => states.get(key)?.kind === "waiting"),
      blocked: [...parked].flatMap(([dependency, waiting]) =>
        waiting.map((cell) => ({ key: cell.node.key, dependency })),
      ),
    }),
  };
}

/** D2 */
function isTerminal(leaf: PlanLeaf, state: NodeState | undefined): boolean {
  if (state?.kind === "failed") return leaf.continueOnFail;
  return state?.kind === "finished" || state?.kind === "skipped";
}
