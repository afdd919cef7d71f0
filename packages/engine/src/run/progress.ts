/** What comes next: settles waits, takes the schedule's steps, and names the bodies to start; frame after frame, until nothing moves.
 *  L6. A run that continues as new starts nothing more, lets what runs end, and creates its successor with its own last commit.
 *  L8. What a pass of a loop asked without waiting for it (`async`) is asked no more when the pass is over: its leaf never comes back. */
import { refOf } from "../graph/identity.ts";
import type { PlanContinue, PlanLeaf, PlanLoop, TaskLeaf } from "../graph/plan.ts";
import type { StartStep, Step } from "../schedule/schedule.ts";
import { staticRow } from "../task/attempt.ts";
import type { Budgets, Refusal } from "./budgets.ts";
import type { Containment } from "./containment.ts";
import type { CurrentFrame } from "./current-frame.ts";
import { errorInfo, exhausted } from "./failure.ts";
import type { Journal } from "./journal.ts";
import type { LoopInput } from "./loop-input.ts";
import type { Stopping } from "./stopping.ts";
import type { StoreHealth } from "./store-health.ts";
import type { Waits } from "./waits/waits.ts";

export interface ProgressParts {
  readonly frame: CurrentFrame;
  readonly journal: Journal;
  readonly budgets: Budgets;
  readonly waits: Waits;
  readonly containment: Containment;
  readonly stopping: Stopping;
  readonly health: StoreHealth;
}

/** What goes on and on without a body is recorded in parts of about so many steps, and can be stopped between them. */
const PART_STEPS = 1_000;

export class Progress {
  readonly #in: LoopInput;
  readonly #parts: ProgressParts;
  #continuing: PlanContinue | PlanLoop | undefined;

  constructor(input: LoopInput, parts: ProgressParts) {
    this.#in = input;
    this.#parts = parts;
  }

  /** L6. Where the run that comes after this one begins. */
  get continuing(): PlanContinue | PlanLoop | undefined {
    return this.#continuing;
  }

  /** No time that comes makes a difference. */
  get isHeld(): boolean {
    const { stopping, health } = this.#parts;
    const ends = stopping.why !== undefined || this.#continuing !== undefined;
    return ends || this.#in.state.pause.by !== null || health.isParked;
  }

  /** A decision can be applied only when the frame shows what it decides. */
  firstFrame(): void {
    const { frame, stopping } = this.#parts;
    if (frame.plan) return;
    try {
      frame.current();
    } catch (error) {
      stopping.stop({ status: "failed", error: errorInfo(error) });
    }
  }

  /** More can be done at once: this was one part of it. */
  hasMore = false;

  /** The bodies to start. Approvals that depend on what was decided in other runs are opened with the rest of their frame. */
  async goOn(): Promise<StartStep[]> {
    const { waits } = this.#parts;
    this.hasMore = false;
    const starts = this.isHeld ? [] : this.#advance();
    while (!this.isHeld && waits.isUnsure) {
      for (const leaf of await waits.learn()) this.#perform({ kind: "wait", leaf }, starts);
      starts.push(...this.#advance());
    }
    return starts;
  }

  /** A run that stops in the middle of a tick starts nothing of that tick. Let go, it may start them elsewhere. */
  undo(starts: readonly StartStep[]): [] {
    const { containment, stopping } = this.#parts;
    const over = stopping.why?.status === "failed" || stopping.why?.status === "cancelled";
    if (over) for (const start of starts) if (this.#isRunning(start.leaf)) containment.cancel(start);
    return [];
  }

  /** Renders when needed and performs every step that needs no body; answers the bodies to start. */
  #advance(): StartStep[] {
    const { frame, stopping, waits } = this.#parts;
    const starts: StartStep[] = [];
    let performed = 0;
    if (this.#in.render === "always") frame.outdate();
    try {
      for (;;) {
        const schedule = frame.current();
        if (frame.plan && waits.settle(frame.plan)) continue;
        const steps = schedule.next(this.#in.clock.now());
        performed += steps.length;
        this.hasMore = performed > PART_STEPS && steps.length > 0;
        if (this.#continuing || steps.length === 0) return starts.filter(({ leaf }) => this.#isRunning(leaf));
        for (const step of steps) this.#perform(step, starts);
        if (stopping.why) return this.undo(starts);
        if (this.hasMore) return starts.filter(({ leaf }) => this.#isRunning(leaf));
      }
    } catch (error) {
      stopping.stop({ status: "failed", error: errorInfo(error) });
      return this.undo(starts);
    }
  }

  /** A failure in the same tick may have cancelled it. */
  #isRunning({ key }: PlanLeaf): boolean {
    return this.#in.state.nodes.get(key)?.kind === "running";
  }

  #perform(step: Step, starts: StartStep[]): void {
    const { containment, frame, journal, waits } = this.#parts;
    if ("leaf" in step && containment.isGivenUp(step.leaf)) return; // by a failure earlier in this tick
    switch (step.kind) {
      case "start":
        return this.#start(step, starts);
      case "skip": {
        const { leaf, reason, cascades } = step;
        return journal.emit({ type: "node.skipped", ...refOf(leaf), reason, cascades });
      }
      case "wait":
        return waits.open(step.leaf);
      case "advance":
        containment.withdrawPass(step.loop); // L8
        journal.emit({ type: "loop.advanced", loopId: step.loop.loopId, iteration: step.loop.iteration + 1 });
        return frame.turned();
      case "exhausted":
        return containment.fail(step.loop.within, exhausted(step.loop));
      case "continue":
        this.#continuing ??= step.from; // L6
        return;
      case "rethrow":
        return containment.rethrow(step.scope);
    }
  }

  #start(step: StartStep, starts: StartStep[]): void {
    const { budgets, journal, waits } = this.#parts;
    const { leaf, attempt } = step;
    if (this.#in.state.hijacks.get(leaf.key)?.requestedBy) return waits.open(leaf); // asked for while it was cut off
    const refused = budgets.before(leaf, attempt);
    if (refused) return this.#refuse(leaf, refused);
    const { nodeId, iteration, label, meta } = leaf;
    const started = { type: "node.started", nodeId, iteration, attempt, label } as const;
    journal.emit(Object.keys(meta).length > 0 ? { ...started, meta: { ...meta } } : started);
    const row = leaf.body.mode === "static" ? staticRow(leaf, leaf.body.value) : undefined;
    if (row) journal.finishTask(leaf, row, { prompt: null, latencyMs: 0 });
    else starts.push(step);
  }

  #refuse(leaf: TaskLeaf, refused: Refusal): void {
    this.#parts.journal.emit(refused);
    if (refused.type === "node.failed" && !leaf.continueOnFail)
      this.#parts.containment.fail(leaf.within, refused.error);
  }
}
