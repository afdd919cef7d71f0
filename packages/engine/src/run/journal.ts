/** What one tick records. An event counts from the moment it is drafted, and all of a tick's are written in one transaction.
 *  L2. An outcome is recorded once; when the epoch has moved on, nothing more is recorded. */
import type { Plan, PlanLeaf, TaskLeaf } from "../graph/plan.ts";
import { decodeRow, encodeRow, type Recorded, type Row } from "../outputs/table.ts";
import type { NewApproval, Successor } from "../store/port.ts";
import { aftermathOf, type Origin } from "./aftermath.ts";
import type { CurrentFrame } from "./current-frame.ts";
import type { RunEventBody } from "./events.ts";
import type { LoopInput } from "./loop-input.ts";
import { Recorder, type Draft, type RecorderPorts } from "./recorder.ts";
import { lastChange, type RunResult, type Stop } from "./result.ts";
import { applyEvent } from "./state.ts";

interface Continuation {
  readonly successor: Successor;
  /** What still waited in this run. */
  readonly withdrawn: readonly RunEventBody[];
}

export class Journal {
  readonly #in: LoopInput;
  readonly #frame: CurrentFrame;
  readonly #recorder: Recorder;
  #continuation: Continuation | undefined;

  constructor(input: LoopInput, frame: CurrentFrame, to: RecorderPorts) {
    this.#in = input;
    this.#frame = frame;
    this.#recorder = new Recorder(input, to);
  }

  /** What goes with the events into the same transaction. */
  get draft(): Omit<Draft, "events"> {
    return this.#recorder.draft;
  }

  emit = (event: RunEventBody): void => {
    this.#recorder.draft.events.push(event);
    const changed = applyEvent(this.#in.state, event);
    if (changed !== undefined && event.type !== "node.started") this.#frame.schedule?.changed(changed);
  };

  ask = (approval: NewApproval): void => void this.#recorder.draft.approvals.push(approval);

  finish = (leaf: PlanLeaf, { row, table, cached }: Recorded): void => {
    const { nodeId, iteration } = leaf;
    const cells = encodeRow(table, row);
    this.#in.rows.add(table.name, leaf, () => decodeRow(table, cells));
    this.#recorder.draft.outputs.push({ nodeId, iteration, table, cells });
    const finished = { type: "node.finished", nodeId, iteration, output: table.name } as const;
    this.emit(cached ? { ...finished, cached } : finished);
    this.#frame.recorded(table.name, leaf);
  };

  finishTask(leaf: TaskLeaf, row: Row, { cached, prompt, latencyMs }: Origin & { readonly cached?: true }): void {
    const table = leaf.output;
    this.finish(leaf, cached ? { row, table, cached } : { row, table });
    const due = aftermathOf(leaf, { prompt, latencyMs }, { runId: this.#in.runId, workflow: this.#frame.name });
    if (due) this.emit(due);
  }

  /** What comes before it has led to this plan. */
  rendered(plan: Plan): void {
    this.#recorder.rendered(plan);
  }

  /** For the next flush, which ends this run: or not, and then it is all forgotten. */
  succeededBy(continuation: Continuation): void {
    this.#continuation = continuation;
  }

  /** Hears what others wrote up to `lastSeq`. */
  async catchUp(lastSeq: number): Promise<void> {
    await this.#recorder.catchUp(lastSeq);
  }

  /** `end`: what this owner's work comes to with it. Rejects when the store fails. */
  async flush(end: RunResult | undefined, stop: Stop | undefined): Promise<"recorded" | "stale" | "behind"> {
    if (stop?.status === "lost") return "stale"; // L2
    if (!end) return this.#recorder.flush(null);
    const { change, event } = lastChange(end, stop?.status === "failed" ? stop.error : null);
    const { successor, withdrawn = [] } = this.#continuation ?? {};
    this.#continuation = undefined;
    return this.#recorder.flush({ change, events: [...withdrawn, ...(event ? [event] : [])], successor });
  }
}
