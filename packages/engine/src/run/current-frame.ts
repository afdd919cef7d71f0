/** The frame that shows now: its plan, and the schedule over it.
 *  L3. A frame is rendered when something the last frames read has changed, and the run ends only on such a stable frame. */
import type { TaskLeaf, Plan, PlanLeaf } from "../graph/plan.ts";
import type { WorkflowContext } from "../render/ctx.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import { Schedule } from "../schedule/schedule.ts";
import { Frames } from "./frames.ts";
import type { LoopInput } from "./loop-input.ts";
import { warnOnce } from "./warn-once.ts";

export class CurrentFrame {
  readonly #in: LoopInput;
  readonly #frames: Frames;
  readonly #onRender: (plan: Plan) => void;
  readonly #warn: (warning: string) => void;
  #plan: Plan | undefined;
  #schedule: Schedule | undefined;
  #stale = true;

  constructor(input: LoopInput, onRender: (plan: Plan) => void) {
    this.#in = input;
    this.#frames = new Frames({ ...input, loops: input.state.loops, scopes: input.state.scopes });
    this.#onRender = onRender;
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
    this.#stale = true;
  }

  /** L3. A row was recorded. */
  recorded(table: string, { id }: PlanLeaf): void {
    if (this.#frames.hasRead(table, id)) this.#stale = true;
  }

  /** L3. The schedule of the current frame; a new frame when something it read has changed. Throws what the workflow throws. */
  current(): Schedule {
    const { state, maxConcurrency } = this.#in;
    if (this.#schedule && !this.#stale) return this.#schedule;
    this.#stale = false;
    this.#plan = this.#frames.render();
    for (const warning of this.#plan.warnings) this.#warn(warning);
    this.#onRender(this.#plan);
    return (this.#schedule = new Schedule({
      plan: this.#plan,
      states: state.nodes,
      running: state.running,
      scopes: state.scopes,
      maxConcurrency,
    }));
  }

  /** The next frame is this workflow's (hot/reload.ts). Throws what it throws, and then nothing has changed. */
  exchange(workflow: WorkflowDefinition): void {
    this.#frames.exchange(workflow);
    this.#stale = true;
  }

  contextOf = ({ chain }: TaskLeaf): WorkflowContext => this.#frames.contextIn(chain);

  close(): void {
    this.#frames.close();
  }
}
