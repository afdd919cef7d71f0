/** One run, driven by one owner: collect what ended, decide, record in one transaction, start what may start.
 *  L1. A body starts only after the transaction that holds its `node.started` is committed.
 *  L2. An outcome is recorded once; when the epoch has moved on, nothing more is recorded and every body is aborted.
 *  L3. A frame is rendered when something the last frames read has changed, and the run ends only on such a stable frame.
 *  L4. A failure outside continueOnFail stops the innermost scope that contains it, else the run, at once: siblings are aborted,
 *      drained, and their results kept.
 *  L5. A run for which only waits are left is a row, not a process: it suspends, and its row says when it is due.
 *  L6. A run that continues as new starts nothing more, lets what runs end, and creates its successor with its own last commit. */
import { SmoothError } from "@smooth/protocol/errors";
import { refOf, stateKey } from "../graph/identity.ts";
import type { Plan, PlanContinue, PlanLeaf, PlanLoop, PlanScope, ScopePart, TaskLeaf } from "../graph/plan.ts";
import { decodeRow, encodeRow, rowToJson, type Recorded, type Row } from "../outputs/table.ts";
import type { WorkflowContext } from "../render/ctx.ts";
import { contain, isGivenUp } from "../schedule/contain.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import { Schedule, type StartStep, type Step } from "../schedule/schedule.ts";
import { staticRow, unwritable, type Failure, type Success } from "../task/attempt.ts";
import { alertsOf, type AlertedRun, type Alerts } from "../alerts/alerts.ts";
import { Aftermath, aftermathOf, type Origin } from "./aftermath.ts";
import { Bodies, DRAIN_MS, type Body } from "./bodies.ts";
import { Budgets, type Refusal } from "./budgets.ts";
import { successorOf } from "./continuation.ts";
import { Doorbell } from "./doorbell.ts";
import type { Unavailable } from "../store/unavailable.ts";
import { StoreHealth } from "./store-health.ts";
import type { ErrorInfo, RunEventBody, StoredEvent, WaitOn } from "./events.ts";
import { deadlock, errorInfo, exhausted } from "./failure.ts";
import { Frames } from "./frames.ts";
import { Recorder } from "./recorder.ts";
import type { LoopInput } from "./loop-input.ts";
import { lastChange, stopped, whyStopped, type RunResult, type Stop } from "./result.ts";
import { applyEvent, idleLeaves } from "./state.ts";
import { warnOnce } from "./warn-once.ts";
import { tend } from "./tend.ts";
import { askedRef } from "./waits/wait.ts";
import { Waits } from "./waits/waits.ts";

export class RunLoop {
  readonly #in: LoopInput;
  readonly #frames: Frames;
  readonly #recorder: Recorder;
  readonly #bell: Doorbell;
  readonly #over = new AbortController();
  readonly #bodies: Bodies;
  readonly #aftermath: Aftermath;
  readonly #alerts: Alerts | null;
  readonly #givenUp = new AbortController();
  readonly #waits: Waits;
  readonly #budgets: Budgets;
  readonly #warn: (warning: string) => void;
  #plan: Plan | undefined;
  #schedule: Schedule | undefined;
  #dirty = true;
  #lookAtStore = true;
  #stop: Stop | undefined;
  #drained = false;
  readonly #health: StoreHealth;
  /** L6 */
  #continuing: PlanContinue | PlanLoop | undefined;

  constructor(input: LoopInput) {
    this.#in = input;
    this.#frames = new Frames({ ...input, loops: input.state.loops, scopes: input.state.scopes });
    this.#health = new StoreHealth(input);
    this.#alerts = alertsOf(input, this, this.#over.signal);
    const onEvent = (event: StoredEvent): void => (this.#alerts?.hear(event), input.onEvent(event));
    const hearing = { ...input, onEvent, patience: this.#health.patience };
    this.#recorder = new Recorder(hearing, (event) => this.#foreign(event));
    this.#bell = new Doorbell(input.clock);
    const { store, clock, runId } = input;
    const ctxOf = (leaf: TaskLeaf): WorkflowContext => this.#frames.contextIn(leaf.chain);
    const workflow = (): string => this.#name();
    this.#warn = warnOnce(input.log, runId);
    this.#budgets = new Budgets(input);
    const cache = { store, clock, runId, workflow, ctxOf };
    this.#bodies = new Bodies({ ...input, cache }, this.#bell, this.#over.signal);
    this.#waits = new Waits(
      { ...input, workflow },
      {
        emit: (event) => this.#emit(event),
        ask: (approval) => void this.#recorder.draft.approvals.push(approval),
        finish: (leaf, recorded) => this.#finish(leaf, recorded),
        contain: (leaf, error) => this.#contain(leaf.within, error),
      },
    );
    this.#aftermath = new Aftermath(input, this.#bell, AbortSignal.any([this.#over.signal, this.#givenUp.signal]));
  }

  /** Ask the run to end; the first reason stays. */
  stop(stop: Stop): void {
    if (this.#stop) return;
    this.#stop = stop;
    if (stop.status === "released") this.#health.leave();
    const reason = whyStopped(stop);
    this.#bodies.abort(reason);
    if (stop.status !== "failed") this.#givenUp.abort(reason);
    this.#bell.after(DRAIN_MS, this.#over.signal, () => (this.#drained = true));
    this.#bell.ring();
  }

  isOver = (): boolean => this.#stop !== undefined || this.#over.signal.aborted;

  /** The next frame is this workflow's (hot/reload.ts). Throws what it throws, and then nothing has changed. */
  exchange(workflow: WorkflowDefinition): void {
    this.#frames.exchange(workflow);
    this.#dirty = true;
  }

  /** An event from outside the loop, written with the next flush, and what people are asked with it. */
  record(...[event, asks = []]: Parameters<AlertedRun["record"]>): void {
    this.#recorder.draft.approvals.push(...asks);
    this.#emit(event);
    this.#bell.ring();
  }

  /** Resolves when this owner is done with the run. Rejects only when the store fails. */
  async drive(): Promise<RunResult> {
    const unwatch = this.#in.store.watch(this.#in.runId, () => this.#look());
    await this.#health.look();
    const onPoll = (): Promise<void> => this.#health.look().then(() => this.#look());
    const heard = { onPoll, onLost: () => this.stop({ status: "lost" }) };
    void tend(this.#in, heard, this.#over.signal);
    this.#alerts?.resume();
    try {
      for (;;) {
        const result = await this.#tick();
        if (result) return result;
        await this.#bell.wait(this.#isStill() ? null : this.#dueMs());
      }
    } finally {
      unwatch();
      this.#over.abort(new SmoothError("TASK_ABORTED", "the run is over"));
      this.#bodies.abort(this.#over.signal.reason);
      this.#frames.close();
    }
  }

  async #tick(): Promise<RunResult | undefined> {
    if (!this.#plan) this.#firstFrame();
    if (this.#lookAtStore || this.#waits.wantsLook) await this.#readStore();
    this.#collect();
    const change = this.#health.change();
    if (change) this.#emit(change);
    const starts = await this.#goOn();
    const result = this.#isIdle(starts) || this.#drained ? this.#conclude() : undefined;
    if (!(await this.#flush(result))) return { status: "lost", runId: this.#in.runId }; // L2
    if (result) return result;
    if (this.#stop) this.#undoStarts(starts);
    else for (const { leaf, attempt } of starts) this.#bodies.launch(leaf, attempt, this.#name()); // L1
    if (this.#plan) this.#aftermath.start(this.#plan);
    return undefined;
  }

  #isIdle(starts: readonly unknown[]): boolean {
    return this.#bodies.size + starts.length === 0 && !this.#aftermath.pending;
  }

  #name(): string {
    return this.#plan?.name ?? this.#in.workflow.name;
  }

  waitsForStore(): Unavailable | null {
    return this.#health.waitsFor();
  }

  /** No time that comes makes a difference. */
  #isStill(): boolean {
    const held = this.#stop !== undefined || this.#continuing !== undefined;
    return held || this.#in.state.pause.by !== null || this.#health.isParked;
  }

  // ---- waking ----

  #look(): void {
    this.#lookAtStore = true;
    this.#bell.ring();
  }

  async #readStore(): Promise<void> {
    this.#lookAtStore = false;
    const { store, runId, epoch } = this.#in;
    const row = await store.run(runId);
    if (row?.epoch !== epoch) return this.stop({ status: "lost" });
    if (row.cancelRequestedBy !== null) this.stop({ status: "cancelled" });
    await this.#recorder.catchUp(row.lastSeq);
    await this.#waits.look();
  }

  /** What other processes recorded. */
  #foreign(event: StoredEvent): void {
    applyEvent(this.#in.state, event);
    this.#lookAtStore = true;
    if (event.type === "hijack.requested") this.#bodies.handOver(stateKey(event));
  }

  // ---- what ended ----

  #collect(): void {
    for (const event of [...this.#bodies.takeNotes(), ...this.#aftermath.takeDone()]) this.#emit(event);
    const broken = (leaf: TaskLeaf): boolean => this.#budgets.breaks(leaf);
    this.#bodies.giveUp(broken, new SmoothError("ASPECT_BUDGET_EXCEEDED", "a budget of this task is spent"));
    for (const { body, outcome, handedOver } of this.#bodies.takeEnded()) {
      if (outcome.kind === "suspended") {
        this.#suspended(body, outcome.on);
        continue;
      }
      const failure = outcome.kind === "ok" ? this.#recordRow(body, outcome) : outcome;
      if (!failure || this.#stop?.status === "released") continue;
      if (this.#stop || isGivenUp(body.leaf.within, this.#in.state.scopes)) this.#cancelled(body);
      else if (handedOver) this.#waits.open(body.leaf);
      else this.#failed(body, this.#budgets.failureOf(body.leaf, failure));
    }
    this.#recorder.draft.heartbeats.push(...this.#bodies.takeBeats());
  }

  /** Its child waits, and so does it. */
  #suspended({ leaf, attempt }: Body, on: WaitOn): void {
    if (this.#stop?.status === "released") return;
    this.#emit({ type: "wait.opened", ...refOf(leaf), on });
    if (this.#stop || isGivenUp(leaf.within, this.#in.state.scopes)) this.#cancelled({ leaf, attempt });
  }

  /** A row that cannot be written (a circle, depth without end) is its attempt's failure, never the loop's. */
  #recordRow({ leaf, startedAtMs }: Body, { row, prompt, cached }: Success): Failure | undefined {
    try {
      const latencyMs = this.#in.clock.now() - startedAtMs;
      this.#budgets.after(leaf, latencyMs);
      this.#finishTask(leaf, row, { prompt, latencyMs, ...(cached === "hit" ? { cached: true } : {}) });
      if (cached !== null && cached !== "hit" && !this.#in.state.tools.get(leaf.key)?.sideEffect)
        this.#recorder.draft.cached.push({ key: cached.key, row: rowToJson(row) });
      return undefined;
    } catch (error) {
      return unwritable(leaf, error);
    }
  }

  #finish(leaf: PlanLeaf, { row, table, ...how }: Recorded): void {
    const cells = encodeRow(table, row);
    this.#in.rows.add(table.name, refOf(leaf), decodeRow(table, cells));
    this.#recorder.draft.outputs.push({ ...refOf(leaf), table, cells });
    this.#emit({ type: "node.finished", ...refOf(leaf), output: table.name, ...how });
    if (this.#frames.hasRead(table.name, leaf.id)) this.#dirty = true; // L3
  }

  #finishTask(leaf: TaskLeaf, row: Row, { cached, ...origin }: Origin & { readonly cached?: true }): void {
    this.#finish(leaf, { row, table: leaf.output, ...(cached ? { cached } : {}) });
    const due = aftermathOf(leaf, origin, { runId: this.#in.runId, workflow: this.#name() });
    if (due) this.#emit(due);
  }

  #failed(body: Body, outcome: Failure): void {
    const { leaf, attempt } = body;
    if (outcome.quotaUntilMs !== null) {
      this.#emit(this.#bodies.quotaUsedUp(body, outcome.quotaUntilMs, outcome.error.message));
      return this.#waits.stir();
    }
    const retryAtMs = this.#bodies.retryAtMs(leaf, outcome);
    this.#emit({ type: "node.failed", ...refOf(leaf), attempt, error: outcome.error, retryAtMs });
    if (retryAtMs === null && !leaf.continueOnFail) this.#contain(leaf.within, outcome.error);
  }

  /** L4 */
  #contain(within: ScopePart | null, error: ErrorInfo): void {
    const { state } = this.#in;
    const containment = contain(within, error);
    if (!containment) return this.stop({ status: "failed", error });
    const { scopeId, next } = containment;
    const completed = [...(state.scopes.get(scopeId)?.completed ?? this.#schedule?.completed(scopeId) ?? [])];
    this.#emit({ type: "scope.failed", scopeId, error, next, completed });
    this.#dirty = true;
    const given = (leaf: PlanLeaf): boolean => isGivenUp(leaf.within, state.scopes);
    this.#bodies.giveUp(given, new SmoothError("TASK_ABORTED", `${scopeId} handles a failure: ${error.message}`));
    this.#withdraw(given);
  }

  /** What waits, or was about to start, does so no more. */
  #withdraw(given: (leaf: PlanLeaf) => boolean): void {
    const launched = new Set(this.#bodies.live.map((body) => body.leaf.key));
    for (const { leaf, attempt } of idleLeaves(this.#plan, this.#in.state, launched)) {
      if (!given(leaf)) continue;
      const on = this.#in.state.waiting.get(leaf.key);
      if (on) this.#recorder.draft.voided.push(askedRef(leaf, on)); // nobody is asked any more
      this.#cancelled({ leaf, attempt });
    }
  }

  #cancelled({ leaf, attempt }: { readonly leaf: PlanLeaf; readonly attempt: number }): void {
    this.#cancelChild(leaf.key);
    this.#emit({ type: "node.cancelled", ...refOf(leaf), attempt });
  }

  /** When the loop must look again although nobody rings. */
  #dueMs(): number | null {
    const due = [this.#schedule?.dueMs() ?? null, this.#waits.dueMs()].filter((ms) => ms !== null);
    return due.length > 0 ? Math.min(...due) : null;
  }

  // ---- what comes next ----

  /** Approvals that depend on what was decided in other runs are opened with the rest of their frame. */
  async #goOn(): Promise<StartStep[]> {
    const starts = this.#isStill() ? [] : this.#advance();
    while (!this.#isStill() && this.#waits.isUnsure) {
      for (const leaf of await this.#waits.learn()) this.#perform({ kind: "wait", leaf }, starts);
      starts.push(...this.#advance());
    }
    return starts;
  }

  /** Renders when needed and performs every step that needs no body; answers the bodies to start. */
  #advance(): StartStep[] {
    const starts: StartStep[] = [];
    if (this.#in.render === "always") this.#dirty = true;
    try {
      for (;;) {
        const schedule = this.#frame();
        if (this.#plan && this.#waits.settle(this.#plan)) continue;
        const steps = schedule.next(this.#in.clock.now());
        if (this.#continuing || (steps.length === 0 && !this.#dirty))
          return starts.filter(({ leaf }) => this.#isRunning(leaf));
        for (const step of steps) this.#perform(step, starts);
        if (this.#stop) return this.#undoStarts(starts);
      }
    } catch (error) {
      this.stop({ status: "failed", error: errorInfo(error) });
      return this.#undoStarts(starts);
    }
  }

  /** A failure in the same tick may have cancelled it. */
  #isRunning = ({ key }: PlanLeaf): boolean => this.#in.state.nodes.get(key)?.kind === "running";

  /** A decision can be applied only when the frame shows what it decides. */
  #firstFrame(): void {
    try {
      this.#frame();
    } catch (error) {
      this.stop({ status: "failed", error: errorInfo(error) });
    }
  }

  /** A run that stops in the middle of a tick starts nothing of that tick. Let go, it may start them elsewhere. */
  #undoStarts(starts: readonly StartStep[]): [] {
    const over = this.#stop?.status === "failed" || this.#stop?.status === "cancelled";
    if (over) for (const start of starts) if (this.#isRunning(start.leaf)) this.#cancelled(start);
    return [];
  }

  /** The schedule of the current frame; a new frame when something it read has changed. */
  #frame(): Schedule {
    const { state, maxConcurrency } = this.#in;
    if (this.#schedule && !this.#dirty) return this.#schedule;
    this.#dirty = false;
    this.#plan = this.#frames.render();
    this.#recorder.rendered(this.#plan);
    for (const warning of this.#plan.warnings) this.#warn(warning);
    this.#waits.stir();
    return (this.#schedule = new Schedule({
      plan: this.#plan,
      states: state.nodes,
      running: state.running,
      scopes: state.scopes,
      maxConcurrency,
    }));
  }

  #perform(step: Step, starts: StartStep[]): void {
    if ("leaf" in step && isGivenUp(step.leaf.within, this.#in.state.scopes)) return; // by a failure earlier in this tick
    switch (step.kind) {
      case "start":
        return this.#start(step, starts);
      case "skip":
        return this.#emit({ type: "node.skipped", ...refOf(step.leaf), reason: step.reason, cascades: step.cascades });
      case "wait":
        return this.#waits.open(step.leaf);
      case "advance":
        this.#emit({ type: "loop.advanced", loopId: step.loop.loopId, iteration: step.loop.iteration + 1 });
        this.#dirty = true;
        return;
      case "exhausted":
        return this.#contain(step.loop.within, exhausted(step.loop));
      case "continue":
        this.#continuing ??= step.from;
        return;
      case "rethrow":
        return this.#rethrow(step.scope);
    }
  }

  #rethrow({ scopeId, within }: PlanScope): void {
    const failed = this.#in.state.scopes.get(scopeId);
    if (failed) this.#contain(within, failed.error);
  }

  #start(step: StartStep, starts: StartStep[]): void {
    const { leaf, attempt } = step;
    if (this.#in.state.hijacks.get(leaf.key)?.requestedBy) return this.#waits.open(leaf); // asked for while it was cut off
    const refused = this.#budgets.before(leaf, attempt);
    if (refused) return this.#refuse(leaf, refused);
    const meta = Object.keys(leaf.meta).length > 0 ? { meta: { ...leaf.meta } } : {};
    this.#emit({ type: "node.started", ...refOf(leaf), attempt, label: leaf.label, ...meta });
    const row = leaf.body.mode === "static" ? staticRow(leaf, leaf.body.value) : undefined;
    if (row) this.#finishTask(leaf, row, { prompt: null, latencyMs: 0 });
    else starts.push(step);
  }

  #refuse(leaf: TaskLeaf, refused: Refusal): void {
    this.#emit(refused);
    if (refused.type === "node.failed" && !leaf.continueOnFail) this.#contain(leaf.within, refused.error);
  }

  // ---- recording ----

  #emit(event: RunEventBody): void {
    const { nodes } = this.#in.state;
    const key = "nodeId" in event ? stateKey(event) : "";
    const before = nodes.get(key);
    this.#recorder.draft.events.push(event);
    applyEvent(this.#in.state, event);
    if (nodes.get(key) !== before && event.type !== "node.started") this.#schedule?.changed(key);
  }

  /** False when the run is not ours any more. */
  async #flush(end: RunResult | undefined): Promise<boolean> {
    if (this.#stop?.status === "lost") return false;
    const last = end && lastChange(end, this.#stop?.status === "failed" ? this.#stop.error : null);
    if (last?.event) this.#recorder.draft.events.push(last.event);
    const recorded = await this.#recorder.flush(last?.change ?? null);
    if (recorded === "stale") this.stop({ status: "lost" });
    else this.#bodies.recorded();
    return recorded === "recorded";
  }

  // ---- ending ----

  /** Nothing runs and nothing starts: the run ends, suspends, or waits for a backoff. */
  #conclude(): RunResult | undefined {
    const { runId, rows } = this.#in;
    if (this.#stop) return this.#stopped(this.#stop);
    if (this.#health.isParked) return undefined;
    if (this.#in.state.pause.by !== null) return { status: "paused", runId };
    if (this.#continuing) return this.#continue(this.#continuing);
    if (this.#schedule?.dueMs() !== null) return undefined;
    const rest = this.#schedule.rest();
    if (rest.waiting.length > 0) {
      const suspension = this.#waits.suspension(rest.waiting); // L5
      return suspension && { runId, ...suspension };
    }
    if (rest.done) return { status: "finished", runId, output: rows.all("output").at(-1) };
    this.stop({ status: "failed", error: deadlock(rest.blocked, this.#in.state) });
    return this.#stop === undefined ? undefined : this.#stopped(this.#stop);
  }

  /** L6 */
  #continue(from: PlanContinue | PlanLoop): RunResult {
    try {
      const successor = successorOf(from, { ...this.#in, atMs: this.#in.clock.now() });
      this.#withdraw(() => true);
      this.#recorder.successor = successor;
      return { status: "continued", runId: this.#in.runId, nextRunId: successor.run.runId };
    } catch (error) {
      const failed = { status: "failed", error: errorInfo(error) } as const;
      this.stop(failed);
      return this.#stopped(failed);
    }
  }

  #cancelChild(key: string): void {
    const on = this.#in.state.waiting.get(key);
    if (on?.kind === "run") void this.#in.subflows.cancel(on.runId);
  }

  #stopped(stop: Stop): RunResult {
    const { runId, state } = this.#in;
    const over = stop.status !== "released" && stop.status !== "lost";
    if (over) for (const body of this.#bodies.live) this.#cancelled(body);
    if (over) for (const key of state.waiting.keys()) this.#cancelChild(key);
    return stopped(runId, stop, state);
  }
}
