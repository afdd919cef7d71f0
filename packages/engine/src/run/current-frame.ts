/** The frame that shows now: its plan, and the schedule over it.
 *  L3. A frame is rendered when something the last frames read has changed, and the run ends only on such a stable frame.
 *      A loop that goes on changes which nodes the frame's elements stand for, and is rendered for only when a frame has read it. */
import type { TaskLeaf, Plan, PlanLeaf } from "../graph/plan.ts";
import type { WorkflowContext } from "../render/ctx.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import { Schedule } from "../schedule/schedule.ts";
import { Frames } from "./frames.ts";
import type { LoopInput } from "./loop-input.ts";
import { warnOnce } from "./warn-once.ts";

/** Who is told of what this shows. */
export interface FrameListener {
  /** A new tree. */
  rendered(plan: Plan): void;
  /** A new plan, of a new tree or of the one before. */
  planned(): void;
}

export class CurrentFrame {
  readonly #in: LoopInput;
  readonly #frames: Frames;
  readonly #to: FrameListener;
  readonly #warn: (warning: string) => void;
  #plan: Plan | undefined;
  #schedule: Schedule | undefined;
  /** What a new plan is needed for: the next one comes from a render, or from the tree as it stands. */
  #stale: "tree" | "loops" | null = "tree";

  constructor(input: LoopInput, listener: FrameListener) {
    this.#in = input;
    const { workflow, runId, input: given, auth, rows, state } = input;
    this.#frames = new Frames({ workflow, runId, input: given, auth, rows, loops: state.loops, scopes: state.scopes });
    this.#to = listener;
    this.#warn = warnOnce(input.log, input.runId);
  }

  /** Undefined before the first one. */
  get plan(): Plan | undefined {
    return this.#plan;
  }

  /** Of the frame as it was rendered, stale or not. */
  get schedule(): Schedule | undefined {
    return this.#schedule;
  }

  /** The workflow's. */
  get name(): string {
    return this.#plan?.name ?? this.#in.workflow.name;
  }

  /** Whatever comes next is decided on a new frame. */
  outdate(): void {
    this.#stale = "tree";
  }

  /** L3. A loop goes on. */
  turned(): void {
    this.#stale ??= "loops";
  }

  /** L3. A row was recorded. */
  recorded(table: string, { id }: PlanLeaf): void {
    if (this.#frames.hasRead(table, id)) this.#stale = "tree";
  }

  /** L3. The schedule of the current frame; a new frame when something it read has changed. Throws what the workflow throws. */
  current(): Schedule {
    const { state, maxConcurrency } = this.#in;
    if (this.#schedule && this.#stale === null) return this.#schedule;
    const turned = this.#stale === "loops" ? this.#frames.turned() : undefined;
    this.#stale = null;
    this.#plan = turned ?? this.#render();
    this.#to.planned();
    return (this.#schedule = new Schedule({
      plan: this.#plan,
      states: state.nodes,
      running: state.running,
      scopes: state.scopes,
      maxConcurrency,
    }));
  }

  #render(): Plan {
    const plan = this.#frames.render();
    for (const warning of plan.warnings) this.#warn(warning);
    this.#to.rendered(plan);
    return plan;
  }

  /** The next frame is this workflow's (hot/reload.ts). Throws what it throws, and then nothing has changed. */
  exchange(workflow: WorkflowDefinition): void {
    this.#frames.exchange(workflow);
    this.#stale = "tree";
  }

  contextOf = ({ chain }: TaskLeaf): WorkflowContext => this.#frames.contextIn(chain);

  close(): void {
    this.#frames.close();
  }
}
