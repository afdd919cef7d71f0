/** Nothing runs and nothing starts: whether the run ends, suspends, goes on as another, or waits for a backoff.
 *  L5. A run for which only waits are left is a row, not a process: it suspends, and its row says when it is due. */
import type { PlanContinue, PlanLoop } from "../graph/plan.ts";
import type { Containment } from "./containment.ts";
import { successorOf } from "./continuation.ts";
import type { CurrentFrame } from "./current-frame.ts";
import type { ErrorInfo } from "./events.ts";
import { deadlock, errorInfo } from "./failure.ts";
import type { Journal } from "./journal.ts";
import type { LoopInput } from "./loop-input.ts";
import type { Progress } from "./progress.ts";
import { stopped, type RunResult, type Stop } from "./result.ts";
import type { Stopping } from "./stopping.ts";
import type { StoreHealth } from "./store-health.ts";
import type { Waits } from "./waits/waits.ts";

export interface EndingParts {
  readonly frame: CurrentFrame;
  readonly journal: Journal;
  readonly waits: Waits;
  readonly containment: Containment;
  readonly stopping: Stopping;
  readonly health: StoreHealth;
  readonly progress: Progress;
}

export class Ending {
  readonly #in: LoopInput;
  readonly #parts: EndingParts;

  constructor(input: LoopInput, parts: EndingParts) {
    this.#in = input;
    this.#parts = parts;
  }

  /** Undefined: it only waits for its time. */
  conclude(): RunResult | undefined {
    const { runId, rows, state } = this.#in;
    const { frame, waits, stopping, health, progress } = this.#parts;
    if (stopping.why) return this.#stopped(stopping.why);
    if (health.isParked) return undefined;
    if (state.pause.by !== null) return { status: "paused", runId };
    if (progress.continuing) return this.#continue(progress.continuing);
    if (frame.schedule?.dueMs() !== null) return undefined;
    const rest = frame.schedule.rest();
    if (rest.waiting.length > 0) {
      const suspension = waits.suspension(rest.waiting); // L5
      return suspension && { runId, ...suspension };
    }
    if (rest.done) return { status: "finished", runId, output: rows.all("output").at(-1) };
    return this.#fail(deadlock(rest.blocked, state, frame.plan));
  }

  /** L6 (progress.ts) */
  #continue(from: PlanContinue | PlanLoop): RunResult {
    const { containment, journal } = this.#parts;
    try {
      const successor = successorOf(from, { ...this.#in, atMs: this.#in.clock.now() });
      journal.succeededBy({ successor, withdrawn: containment.allWithdrawn() });
      return { status: "continued", runId: this.#in.runId, nextRunId: successor.run.runId };
    } catch (error) {
      return this.#fail(errorInfo(error));
    }
  }

  /** It is written. */
  over(result: RunResult): RunResult {
    if (result.status === "continued") this.#parts.containment.cancelChildren();
    return result;
  }

  #fail(error: ErrorInfo): RunResult {
    const failed = { status: "failed", error } as const;
    this.#parts.stopping.stop(failed);
    return this.#stopped(failed);
  }

  #stopped(why: Stop): RunResult {
    if (why.status !== "released" && why.status !== "lost") this.#parts.containment.cancelAll();
    return stopped(this.#in.runId, why, this.#in.state);
  }
}
