/** The waits of one run while a process drives it: what they wait for, the rows that may settle them, and when to look. */
import type { Clock } from "@smooth/platform/ports";
import { parseStateKey, refOf, stateKey, type NodeRef } from "../../graph/identity.ts";
import type { ApprovalLeaf, Plan, PlanLeaf } from "../../graph/plan.ts";
import type { Recorded } from "../../outputs/table.ts";
import type { ApprovalRow, NewApproval, PastDecision, RunStore } from "../../store/port.ts";
import type { ErrorInfo, RunEventBody, WaitOn } from "../events.ts";
import { LateMap } from "../late-map.ts";
import type { RunState } from "../state.ts";
import type { Subflows } from "../subflow.ts";
import { BY_AUTO_APPROVE, BY_TIMEOUT, isOverdue } from "./approval.ts";
import type { Opened, Settled, WaitRows } from "./outcome.ts";
import { askedRef, openWait, settleWait, waitStatus, type WaitStatus } from "./wait.ts";

export interface WaitsInput {
  readonly runId: string;
  readonly store: RunStore;
  readonly clock: Clock;
  readonly state: RunState;
  readonly subflows: Pick<Subflows, "isReady">;
  /** The workflow's name. */
  readonly workflow: () => string;
}

/** Where what happens to waits goes: into the transaction of this tick. */
export interface WaitSink {
  emit(event: RunEventBody): void;
  ask(approval: NewApproval): void;
  finish(leaf: PlanLeaf, recorded: Recorded): void;
  contain(leaf: PlanLeaf, error: ErrorInfo): void;
}

export interface Suspension {
  readonly status: WaitStatus;
  readonly waiting: readonly NodeRef[];
  /** When time alone wakes it. */
  readonly wakeAtMs: number | null;
}

/** A wait that time ends within this is sat out: a suspension costs more. */
const SIT_OUT_MS = 2_000;

const NONE: readonly WaitOn[] = [];
const NO_RUNS: WaitRows["readyRuns"] = new Set();

export class Waits {
  readonly #in: WaitsInput;
  readonly #to: WaitSink;
  readonly #approvals = new LateMap<string, ApprovalRow>();
  #readyRuns: WaitRows["readyRuns"] = NO_RUNS;
  /** Something happened since the last look that may settle a wait. */
  #stirred = true;
  /** All rows were read; from then on only those that are decided. */
  #hasLooked = false;
  readonly #decided = new LateMap<string, NodeRef>();
  /** Their log says that somebody was asked, but there is no row: a fork copies the one and not the other. */
  readonly #unasked = new Set<string>();
  readonly #unsure: ApprovalLeaf[] = [];
  readonly #past = new LateMap<string, readonly PastDecision[]>();
  /** What the current frame shows; undefined: there was none yet. */
  #shown: Plan["leaves"] | undefined;

  constructor(input: WaitsInput, to: WaitSink) {
    this.#in = input;
    this.#to = to;
  }

  stir(): void {
    this.#stirred = true;
  }

  /** Reads what people and other processes wrote. */
  async look(): Promise<void> {
    const { store, runId } = this.#in;
    this.#stirred = true;
    this.#readyRuns = await this.#findReadyRuns();
    if (!this.#reasons().some((on) => on.kind === "approval" || on.kind === "human")) return;
    for (const [key, on] of this.#in.state.waiting)
      if (isOverdue(on, this.#in.clock.now())) await this.#timeOut(key, on);
    if (this.#hasLooked) return await this.#readDecided();
    this.#hasLooked = true;
    for (const row of await store.approvals({ runId })) this.#approvals.set(stateKey(row), row);
    for (const [key, on] of this.#in.state.waiting) if (!this.#hasRow(key, on)) this.#unasked.add(key);
  }

  /** What somebody else recorded: a decision is read once, and no other row with it. */
  heard(event: RunEventBody): void {
    if (event.type === "approval.decided") this.#decided.set(stateKey(event), refOf(event));
  }

  async #readDecided(): Promise<void> {
    const { store, runId } = this.#in;
    for (const [key, ref] of this.#decided) {
      this.#decided.delete(key);
      const [row] = await store.approvals({ runId, ref });
      if (row) this.#approvals.set(key, row);
    }
  }

  async #findReadyRuns(): Promise<ReadonlySet<string>> {
    const ready = new Set<string>();
    for (const on of this.#reasons())
      if (on.kind === "run" && (await this.#in.subflows.isReady(on.runId))) ready.add(on.runId);
    return ready;
  }

  #hasRow(key: string, on: WaitOn): boolean {
    const asks = on.kind === "approval" || on.kind === "human";
    return !asks || this.#approvals.has(stateKey(askedRef(parseStateKey(key), on)));
  }

  /** Something can only be settled after a look at the store. */
  get wantsLook(): boolean {
    return this.#shownReasons().some((on) => isOverdue(on, this.#in.clock.now()));
  }

  /** What was decided in other runs may have to be looked up first: then `learn` answers the leaf again. */
  open(leaf: PlanLeaf): void {
    const past = this.#past.get(leaf.key);
    if (leaf.type === "approval" && leaf.auto && !past) return void this.#unsure.push(leaf);
    const { clock, state, workflow } = this.#in;
    const opened = openWait(leaf, { nowMs: clock.now(), state, workflow: workflow(), past });
    this.record(opened);
    if (opened.settled) this.#perform(leaf, opened.settled);
  }

  /** Somebody is asked. */
  record({ approvals = [], events }: Opened): void {
    this.#stirred = true;
    for (const approval of approvals) this.#ask(approval);
    for (const event of events) this.#to.emit(event);
  }

  /** Who is asked again has not decided yet. */
  #ask(approval: NewApproval): void {
    this.#approvals.delete(stateKey(approval));
    this.#to.ask(approval);
  }

  get isUnsure(): boolean {
    return this.#unsure.length > 0;
  }

  /** The leaves that `open` was unsure about, to be opened again. */
  async learn(): Promise<readonly PlanLeaf[]> {
    const { store, runId, workflow } = this.#in;
    const leaves = this.#unsure.splice(0);
    for (const { key, nodeId, auto } of leaves) {
      const query = { workflow: workflow(), nodeId, exceptRunId: runId, exceptBy: BY_AUTO_APPROVE };
      this.#past.set(key, await store.pastDecisions({ ...query, limit: auto?.after ?? 0 }));
    }
    return leaves;
  }

  /** Whoever decides in this moment may still be first. */
  async #timeOut(key: string, on: WaitOn): Promise<void> {
    const { store, runId, clock } = this.#in;
    const decision = { verdict: "deny", note: "nobody decided in time" } as const;
    const ref = askedRef(parseStateKey(key), on);
    await store.decide({ runId, ...ref, decision, by: BY_TIMEOUT, atMs: clock.now() });
    this.#decided.set(stateKey(ref), ref);
  }

  /** True when something was settled. A wait whose leaf has left the tree is settled when it comes back. */
  settle({ leaves }: Plan): boolean {
    const { clock, state } = this.#in;
    const nowMs = clock.now();
    this.#shown = leaves;
    if (!this.#stirred && (this.dueMs() ?? Infinity) > nowMs) return false;
    this.#stirred = false;
    const settled = [...state.waiting].map(([key, on]) => {
      const leaf = leaves.get(key);
      if (!leaf || !state.waiting.has(key)) return false; // a failure before it may have ended it
      if (this.#unasked.delete(key)) {
        this.open(leaf);
        return true;
      }
      return this.#perform(
        leaf,
        settleWait(leaf, on, { rows: { approvals: this.#approvals, readyRuns: this.#readyRuns }, state, nowMs }),
      );
    });
    return settled.includes(true);
  }

  /** False: nothing happened. */
  #perform(leaf: PlanLeaf, { also = [], approvals = [], ...outcome }: Settled): boolean {
    const { nodeId, iteration } = leaf;
    for (const approval of approvals) this.#ask(approval);
    for (const event of also) this.#to.emit(event);
    switch (outcome.kind) {
      case "waiting":
        return also.length > 0;
      case "row":
        this.#to.finish(leaf, { row: outcome.row, table: outcome.table });
        return true;
      case "go":
        this.#to.emit({ type: "wait.over", nodeId, iteration });
        return true;
      case "done":
        this.#to.emit({ type: "node.finished", nodeId, iteration, output: null });
        return true;
      case "skip":
        this.#to.emit({ type: "node.skipped", nodeId, iteration, reason: outcome.reason, cascades: outcome.cascades });
        return true;
      case "fail":
        this.#to.emit({ type: "node.failed", nodeId, iteration, attempt: 1, error: outcome.error, retryAtMs: null });
        if (!leaf.continueOnFail) this.#to.contain(leaf, outcome.error);
        return true;
    }
  }

  /** The earliest time that settles one of them. */
  dueMs(): number | null {
    if (this.#in.state.waiting.size === 0) return null;
    const dues = this.#shownReasons().flatMap(({ dueMs }) => dueMs ?? []);
    return dues.length > 0 ? Math.min(...dues) : null;
  }

  /** How the run suspends when nothing but these waits is left; undefined when it is better sat out. */
  suspension(keys: readonly string[]): Suspension | undefined {
    const wakeAtMs = this.dueMs();
    if (wakeAtMs !== null && wakeAtMs - this.#in.clock.now() <= SIT_OUT_MS) return undefined;
    const reasons = keys.flatMap((key) => this.#in.state.waiting.get(key) ?? []);
    return { status: waitStatus(reasons), waiting: keys.map(parseStateKey), wakeAtMs };
  }

  /** The time of a wait that has left the tree settles nothing: to wake for it would be to wake for ever. */
  #shownReasons(): readonly WaitOn[] {
    const { waiting } = this.#in.state;
    if (waiting.size === 0) return NONE; // asked several times a tick
    return [...waiting].flatMap(([key, on]) => (this.#shown && !this.#shown.has(key) ? [] : on));
  }

  #reasons(): readonly WaitOn[] {
    return [...this.#in.state.waiting.values()];
  }
}
