/** What may happen next. `schedule()` is the pure question; a `Schedule` keeps the answer up to date so that one completion costs
 *  the depth of the tree, not its size.
 *  D1. A leaf may start when every earlier sibling of every enclosing sequence is terminal, its dependencies finished, its backoff is
 *      over, and the innermost Parallel and the global cap have room.
 *  D2. Terminal: finished, skipped, failed with continueOnFail, and async waits. A slow branch never holds back a fast one.
 *  D3. Among leaves that may start, source order decides: never the order in which they became ready.
 *  D4. A dependency that ended otherwise than finished blocks its dependents; `rest()` names both.
 *  D5. What handles a failure starts when the bodies of the part it takes over from have stopped; that part starts nothing more.
 *  D6. `until` is asked before a pass and after it: a pass that has begun is finished. */
import type { Plan, PlanContinue, PlanLeaf, PlanLoop, PlanScope, TaskLeaf } from "../graph/plan.ts";
import { LateMap } from "../run/late-map.ts";
import { triesOf, type NodeState, type ScopeState } from "../run/state.ts";
import {
  buildCells,
  completedSteps,
  hasBegun,
  insertInOrder,
  leavesBelow,
  type Cell,
  type CellTree,
  type LeafCell,
  type ScopeCell,
} from "./cells.ts";
import { Sleepers } from "./sleepers.ts";

export type Step =
  | { readonly kind: "start"; readonly leaf: TaskLeaf; readonly attempt: number }
  | { readonly kind: "skip"; readonly leaf: PlanLeaf; readonly reason: string; readonly cascades: boolean }
  | { readonly kind: "wait"; readonly leaf: PlanLeaf }
  | { readonly kind: "advance"; readonly loop: PlanLoop }
  | { readonly kind: "exhausted"; readonly loop: PlanLoop }
  /** The run goes on as a new one: with a state, or at the next iteration of a loop. */
  | { readonly kind: "continue"; readonly from: PlanContinue | PlanLoop }
  /** A scope has done what it does about its failure; now the failure goes on outward. */
  | { readonly kind: "rethrow"; readonly scope: PlanScope };

export type StartStep = Extract<Step, { kind: "start" }>;

export interface Rest {
  readonly done: boolean;
  readonly waiting: readonly string[];
  readonly blocked: readonly { readonly key: string; readonly dependency: string }[];
}

export interface ScheduleInput {
  readonly plan: Plan;
  readonly states: ReadonlyMap<string, NodeState>;
  /** Which of them run, from who knows it: a long run has many states. */
  readonly running?: ReadonlySet<string>;
  readonly scopes: ReadonlyMap<string, ScopeState>;
  /** The global cap on running leaves. */
  readonly maxConcurrency: number;
}

export const schedule = ({ nowMs, ...input }: ScheduleInput & { readonly nowMs: number }): readonly Step[] =>
  new Schedule(input).next(nowMs);

const runningIn = (states: ScheduleInput["states"]): readonly string[] =>
  [...states].flatMap(([key, { kind }]) => (kind === "running" ? [key] : []));

const NOTHING: readonly Step[] = [];

export class Schedule {
  readonly #in: ScheduleInput;
  readonly #tree: CellTree;
  readonly #parked = new LateMap<string, LeafCell[]>();
  readonly #sleeping = new Sleepers();
  readonly #ready: LeafCell[] = [];
  readonly #steps: { readonly order: number; readonly step: Step }[] = [];
  /** Leaves of a given-up part that still run, and the scope that waits for them (D5). */
  readonly #draining = new LateMap<string, ScopeCell>();
  /** They run, and have left the tree. */
  readonly #gone = new Set<string>();
  #running = 0;

  constructor(input: ScheduleInput) {
    this.#in = input;
    this.#tree = buildCells(input.plan);
    for (const key of input.running ?? runningIn(input.states)) {
      const cell = this.#tree.leaves.get(key);
      if (cell) this.#occupy(cell);
      else {
        this.#gone.add(key);
        this.#running += 1;
      }
    }
    this.#activate(this.#tree.root);
  }

  /** The steps that are possible now. Each is given once; the caller performs it and reports with `changed`. */
  next(nowMs: number): readonly Step[] {
    this.#wake(nowMs);
    this.#takeReady();
    if (this.#steps.length === 0) return NOTHING; // asked at least twice a tick
    return this.#steps
      .splice(0)
      .toSorted((a, b) => a.order - b.order)
      .map(({ step }) => step);
  }

  /** The state of this leaf changed. */
  changed(key: string): void {
    const cell = this.#tree.leaves.get(key);
    const state = this.#in.states.get(key);
    if (cell && state?.kind !== "running") this.#vacate(cell);
    else if (state?.kind !== "running" && this.#gone.delete(key)) this.#running -= 1;
    if (cell?.phase === "open" || (cell && isLoose(cell.node) && cell.phase === "done")) this.#activateLeaf(cell);
    this.#drained(key);
    const waiting = this.#parked.get(key) ?? [];
    this.#parked.delete(key);
    for (const dependent of waiting) this.#activateLeaf(dependent);
  }

  /** The steps of a saga that are done. */
  completed(scopeId: string): readonly string[] {
    const body = this.#tree.scopes.get(scopeId)?.parts.body;
    return body ? completedSteps(body) : [];
  }

  /** When the next backoff is over. */
  dueMs(): number | null {
    return this.#sleeping.dueMs;
  }

  /** Why nothing can be done now: read when no step is left and nothing runs. */
  rest(): Rest {
    return {
      done: this.#tree.root.phase === "done",
      waiting: [...this.#tree.leaves.keys()].filter((key) => this.#in.states.get(key)?.kind === "waiting"),
      blocked: [...this.#parked].flatMap(([dependency, cells]) =>
        cells.map((cell) => ({ key: cell.node.key, dependency })),
      ),
    };
  }

  #activate(cell: Cell): void {
    cell.phase = "open";
    const { node } = cell;
    if (node.kind === "leaf") return this.#activateLeaf(cell as LeafCell);
    if (node.kind === "sequence") return this.#stepSequence(cell);
    if (node.kind === "continue") return this.#give(cell, { kind: "continue", from: node });
    if (node.kind === "scope") return this.#openScope(cell as ScopeCell);
    if (node.kind === "loop" && node.until && !hasBegun(cell, this.#in)) return this.#finish(cell); // D6
    cell.at = cell.children.length;
    if (cell.at === 0) return this.#finish(cell);
    for (const child of cell.children) this.#activate(child);
  }

  /** A child that is done at once lets the loop go on; a later one calls back through `finish`. */
  #stepSequence(cell: Cell): void {
    if (cell.stepping) return;
    cell.stepping = true;
    for (let child = cell.children[cell.at]; child; child = cell.children[cell.at]) {
      if (child.phase === "unreached") this.#activate(child);
      if (child.phase !== "done") break;
      cell.at += 1;
    }
    cell.stepping = false;
    if (cell.at === cell.children.length) this.#finish(cell);
  }

  /** Bubbles up: O(depth). */
  #finish(cell: Cell): void {
    if (cell.phase !== "open") return;
    cell.phase = "done";
    const { parent } = cell;
    if (!parent) return;
    if (parent.node.kind === "sequence") return this.#stepSequence(parent);
    if (parent.node.kind === "scope") return this.#partDone(parent as ScopeCell, cell);
    parent.at -= 1;
    if (parent.at > 0) return;
    if (parent.node.kind === "loop") this.#bodyDone(parent, parent.node);
    else this.#finish(parent);
  }

  /** D5 */
  #openScope(cell: ScopeCell): void {
    const { parts, node } = cell;
    const failed = this.#in.scopes.get(node.scopeId);
    if (!failed) return this.#activate(parts.body);
    const givenUp = failed.at === "catch" ? [parts.body] : [parts.body, parts.catch];
    for (const leaf of givenUp.flatMap((part) => (part ? leavesBelow(part) : [])))
      if (leaf.running) this.#draining.set(leaf.node.key, cell);
    this.#handleFailure(cell);
  }

  #drained(key: string): void {
    const scope = this.#draining.get(key);
    if (!scope || this.#in.states.get(key)?.kind === "running") return;
    this.#draining.delete(key);
    this.#handleFailure(scope);
  }

  #handleFailure(cell: ScopeCell): void {
    const failed = this.#in.scopes.get(cell.node.scopeId);
    if (!failed || [...this.#draining.values()].includes(cell)) return;
    const part = cell.parts[failed.at];
    if (part) this.#activate(part);
    else this.#handled(cell); // its catch showed nothing
  }

  #partDone(cell: ScopeCell, part: Cell): void {
    if (part === cell.parts.body) return this.#runFinally(cell);
    if (part === cell.parts.catch) return this.#handled(cell);
    if (this.#in.scopes.get(cell.node.scopeId)?.at === "finally")
      this.#give(cell, { kind: "rethrow", scope: cell.node });
    else this.#finish(cell);
  }

  #handled(cell: ScopeCell): void {
    const { handler } = cell.node;
    if (handler.kind === "catch" && handler.rethrows) this.#give(cell, { kind: "rethrow", scope: cell.node });
    else this.#runFinally(cell);
  }

  #runFinally(cell: ScopeCell): void {
    if (cell.parts.finally) this.#activate(cell.parts.finally);
    else this.#finish(cell);
  }

  #bodyDone(cell: Cell, loop: PlanLoop): void {
    if (loop.until) this.#finish(cell);
    else if (loop.iteration + 1 < loop.maxIterations) this.#give(cell, nextPass(loop));
    else if (loop.onMaxReached === "fail") this.#give(cell, { kind: "exhausted", loop });
    else this.#finish(cell);
  }

  #activateLeaf(cell: LeafCell): void {
    const { node } = cell;
    const state = this.#in.states.get(node.key);
    if (isTerminal(node, state)) return this.#finish(cell);
    if (node.async && state !== undefined) this.#finish(cell); // D2
    if (state && HELD.has(state.kind)) return;
    const unmet = this.#unmet(cell);
    if (unmet !== undefined) return this.#park(cell, unmet);
    if (node.skipIf) this.#give(cell, { kind: "skip", leaf: node, reason: "skipIf", cascades: false });
    else if (node.type !== "task" || isHeldBack(node, state)) this.#give(cell, { kind: "wait", leaf: node });
    else if (state?.kind === "backing-off") this.#sleeping.add(cell, state.dueMs);
    else insertInOrder(this.#ready, cell);
  }

  /** What has finished stays so: each dependency is looked at until it has, and never again. */
  #unmet(cell: LeafCell): string | undefined {
    const { after } = cell.node;
    while (cell.met < after.length && this.#in.states.get(after[cell.met] ?? "")?.kind === "finished") cell.met += 1;
    return after[cell.met];
  }

  /** A leaf behind a skipped approval is skipped with it; behind anything else it waits (D4). */
  #park(cell: LeafCell, dependency: string): void {
    const gate = this.#in.plan.leaves.get(dependency);
    const state = this.#in.states.get(dependency);
    if (state?.kind === "skipped" && state.cascades)
      this.#give(cell, {
        kind: "skip",
        leaf: cell.node,
        reason: `${gate?.id ?? dependency} was denied`,
        cascades: true,
      });
    else this.#parked.set(dependency, [...(this.#parked.get(dependency) ?? []), cell]);
  }

  #give({ order }: Cell, step: Step): void {
    this.#steps.push({ order, step });
  }

  #occupy(cell: LeafCell): void {
    if (cell.running) return;
    cell.running = true;
    cell.pool.running += 1;
    this.#running += 1;
  }

  #vacate(cell: LeafCell): void {
    if (!cell.running) return;
    cell.running = false;
    cell.pool.running -= 1;
    this.#running -= 1;
    const next = cell.pool.queue.shift();
    if (next) insertInOrder(this.#ready, next);
  }

  #takeReady(): void {
    let taken = 0;
    for (; taken < this.#ready.length && this.#running < this.#in.maxConcurrency; taken += 1) {
      const cell = this.#ready[taken] as LeafCell;
      if (cell.node.type !== "task") continue; // only bodies become ready
      if (cell.pool.running >= cell.pool.cap) {
        insertInOrder(cell.pool.queue, cell);
        continue;
      }
      this.#occupy(cell);
      this.#give(cell, {
        kind: "start",
        leaf: cell.node,
        attempt: triesOf(this.#in.states.get(cell.node.key)).attempt + 1,
      });
    }
    if (taken > 0) this.#ready.splice(0, taken);
  }

  #wake(nowMs: number): void {
    for (const { cell, dueMs } of this.#sleeping.takeDue(nowMs)) {
      const state = this.#in.states.get(cell.node.key);
      if (state?.kind === "backing-off" && state.dueMs === dueMs) insertInOrder(this.#ready, cell);
    }
  }
}

const nextPass = (loop: PlanLoop): Step =>
  (loop.iteration + 1) % loop.continueEvery === 0 ? { kind: "continue", from: loop } : { kind: "advance", loop };

/** Nothing to do for it now: it runs, waits, or has ended badly. */
const HELD: ReadonlySet<NodeState["kind"]> = new Set(["running", "waiting", "failed", "cancelled"]);

/** First a person agrees, then a person takes the session over: each once. */
function isHeldBack({ needsApproval, hijack }: TaskLeaf, state: NodeState | undefined): boolean {
  if (state === undefined) return needsApproval || hijack;
  return hijack && state.kind === "cleared" && state.of === "approval";
}

/** What comes after an async task goes on while the task still has its way to go. */
const isLoose = (leaf: PlanLeaf): boolean => leaf.type === "task" && leaf.async;

/** D2 */
function isTerminal(leaf: PlanLeaf, state: NodeState | undefined): boolean {
  if (state?.kind === "failed") return leaf.continueOnFail;
  return state?.kind === "finished" || state?.kind === "skipped";
}
