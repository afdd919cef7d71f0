/** What a failure, or the end of the run, takes with it.
 *  L4. A failure outside continueOnFail stops the innermost scope that contains it, else the run, at once: siblings are aborted,
 *      drained, and their results kept. */
import { SmoothError } from "@smooth/protocol/errors";
import { refOf } from "../graph/identity.ts";
import { leavesBelow, type PlanLeaf, type PlanLoop, type PlanScope, type ScopePart } from "../graph/plan.ts";
import { contain, isGivenUp } from "../schedule/contain.ts";
import type { Bodies } from "./bodies.ts";
import type { CurrentFrame } from "./current-frame.ts";
import type { ErrorInfo, RunEventBody } from "./events.ts";
import type { Journal } from "./journal.ts";
import type { LoopInput } from "./loop-input.ts";
import { idleLeaves } from "./state.ts";
import type { Stopping } from "./stopping.ts";
import { askedRef } from "./waits/wait.ts";

export interface ContainmentParts {
  readonly frame: CurrentFrame;
  readonly journal: Journal;
  readonly bodies: Bodies;
  readonly stopping: Stopping;
}

interface AtWork {
  readonly leaf: PlanLeaf;
  readonly attempt: number;
}

export class Containment {
  readonly #in: Pick<LoopInput, "state" | "subflows">;
  readonly #parts: ContainmentParts;

  constructor(input: Pick<LoopInput, "state" | "subflows">, parts: ContainmentParts) {
    this.#in = input;
    this.#parts = parts;
  }

  /** L4 */
  fail(within: ScopePart | null, error: ErrorInfo): void {
    const { state } = this.#in;
    const { frame, journal, bodies, stopping } = this.#parts;
    const containment = contain(within, error);
    if (!containment) return stopping.stop({ status: "failed", error });
    const { scopeId, next } = containment;
    const completed = [...(state.scopes.get(scopeId)?.completed ?? frame.schedule?.completed(scopeId) ?? [])];
    journal.emit({ type: "scope.failed", scopeId, error, next, completed });
    frame.outdate();
    const given = ({ within: at }: PlanLeaf): boolean => isGivenUp(at, state.scopes);
    bodies.giveUp(given, () => new SmoothError("TASK_ABORTED", `${scopeId} handles a failure: ${error.message}`));
    this.withdraw(given);
  }

  failedIn = ({ within }: PlanLeaf, error: ErrorInfo): void => this.fail(within, error);

  /** A scope has done what it does about its failure; now the failure goes on outward. */
  rethrow({ scopeId, within }: PlanScope): void {
    const failed = this.#in.state.scopes.get(scopeId);
    if (failed) this.fail(within, failed.error);
  }

  isGivenUp({ within }: PlanLeaf): boolean {
    return isGivenUp(within, this.#in.state.scopes);
  }

  /** What waits, or was about to start, will not in a run that goes on as another: said with its last commit, and not before it. */
  allWithdrawn(): readonly RunEventBody[] {
    return this.#idle().map(({ leaf, attempt }) => ({ type: "node.cancelled", ...refOf(leaf), attempt }));
  }

  /** What waits, or was about to start, does so no more. */
  withdraw(given: (leaf: PlanLeaf) => boolean): void {
    const { journal } = this.#parts;
    for (const { leaf, attempt } of this.#idle()) {
      if (!given(leaf)) continue;
      const on = this.#in.state.waiting.get(leaf.key);
      if (on) journal.draft.voided.push(askedRef(leaf, on)); // nobody is asked any more
      this.cancel({ leaf, attempt });
    }
  }

  /** What still waits in a pass that is over. */
  withdrawPass({ body }: PlanLoop): void {
    const { waiting } = this.#in.state;
    if (waiting.size === 0) return; // the ordinary pass
    const left = new Set(leavesBelow(body).map(({ key }) => key));
    this.withdraw(({ key }) => left.has(key) && waiting.has(key));
  }

  #idle(): ReturnType<typeof idleLeaves> {
    const { frame, bodies } = this.#parts;
    const launched = new Set(bodies.live.map((body) => body.leaf.key));
    return idleLeaves(frame.plan, this.#in.state, launched);
  }

  /** With the run that its wait waits for. */
  cancel({ leaf, attempt }: AtWork): void {
    this.#cancelChild(leaf.key);
    this.#parts.journal.emit({ type: "node.cancelled", ...refOf(leaf), attempt });
  }

  /** The run is over: what did not drain, and every child that is waited for. */
  cancelAll(): void {
    for (const body of this.#parts.bodies.live) this.cancel(body);
    this.cancelChildren();
  }

  cancelChildren(): void {
    for (const key of this.#in.state.waiting.keys()) this.#cancelChild(key);
  }

  #cancelChild(key: string): void {
    const on = this.#in.state.waiting.get(key);
    if (on?.kind === "run") void this.#in.subflows.cancel(on.runId);
  }
}
