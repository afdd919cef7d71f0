/** What comes of bodies that ended: a row, a wait, a retry, a failure, or nothing, because nobody wants it any more. */
import { SmoothError } from "@smooth/protocol/errors";
import { retryText, type Retry } from "@smooth/protocol/retry-text";
import { refOf } from "../graph/identity.ts";
import type { TaskLeaf } from "../graph/plan.ts";
import { rowToJson } from "../outputs/table.ts";
import type { Bundled, Success } from "../task/attempt.ts";
import { unwritable, type Failure } from "../task/failure.ts";
import type { Aftermath } from "./aftermath.ts";
import type { AgentChains } from "./agent-chain.ts";
import type { Bodies, Body, EndedBody } from "./bodies.ts";
import type { Budgets } from "./budgets.ts";
import type { Containment } from "./containment.ts";
import type { WaitOn } from "./events.ts";
import type { Journal } from "./journal.ts";
import type { LoopInput } from "./loop-input.ts";
import { openReview } from "./sandbox.ts";
import type { CurrentFrame } from "./current-frame.ts";
import type { Stopping } from "./stopping.ts";
import type { Waits } from "./waits/waits.ts";

export interface OutcomeParts {
  readonly frame: CurrentFrame;
  readonly journal: Journal;
  readonly bodies: Bodies;
  readonly agents: AgentChains;
  readonly aftermath: Aftermath;
  readonly budgets: Budgets;
  readonly waits: Waits;
  readonly containment: Containment;
  readonly stopping: Stopping;
}

export class Outcomes {
  readonly #in: LoopInput;
  readonly #parts: OutcomeParts;

  constructor(input: LoopInput, parts: OutcomeParts) {
    this.#in = input;
    this.#parts = parts;
  }

  /** Drafts all that bodies, and what follows them, have come to since the last call. */
  collect(): void {
    const { bodies, aftermath, budgets, journal } = this.#parts;
    for (const event of bodies.takeNotes()) journal.emit(event);
    for (const event of aftermath.takeDone()) journal.emit(event);
    const broken = (leaf: TaskLeaf): boolean => budgets.breaks(leaf);
    bodies.giveUp(broken, () => new SmoothError("ASPECT_BUDGET_EXCEEDED", "a budget of this task is spent"));
    for (const ended of bodies.takeEnded()) this.#ended(ended);
    journal.draft.heartbeats.push(...bodies.takeBeats());
  }

  /** One let go may end elsewhere: that it ended here is no news. */
  #ended({ body, outcome, handedOver }: EndedBody): void {
    const { budgets, containment, stopping, waits } = this.#parts;
    if (outcome.kind === "suspended") return this.#suspended(body, outcome.on);
    if (outcome.kind === "bundled") return this.#bundled(body, outcome);
    const failure = outcome.kind === "ok" ? this.#recordRow(body, outcome) : outcome;
    if (!failure || stopping.why?.status === "released") return;
    if (stopping.why || containment.isGivenUp(body.leaf)) containment.cancel(body);
    else if (handedOver) waits.open(body.leaf);
    else this.#failed(body, budgets.failureOf(body.leaf, failure));
  }

  /** Its child waits, and so does it. */
  #suspended(body: Body, on: WaitOn): void {
    const { journal, containment, stopping } = this.#parts;
    if (stopping.why?.status === "released") return;
    journal.emit({ type: "wait.opened", ...refOf(body.leaf), on });
    if (stopping.why || containment.isGivenUp(body.leaf)) containment.cancel(body);
  }

  /** Q1, Q2 (sandbox.ts) */
  #bundled(body: Body, { bundle, review }: Bundled): void {
    const { journal, containment, stopping } = this.#parts;
    if (stopping.why?.status === "released") return;
    if (stopping.why || containment.isGivenUp(body.leaf)) return containment.cancel(body);
    const { attempt, leaf } = body;
    const { files, patch } = bundle;
    journal.emit({ type: "sandbox.bundled", ...refOf(leaf), attempt, files: files.length, patch, review });
    if (review) this.#parts.waits.record(openReview(leaf, bundle, this.#parts.frame.name));
  }

  /** A row that cannot be written (a circle, depth without end) is its attempt's failure, never the loop's. */
  #recordRow({ leaf, startedAtMs }: Body, { row, prompt, cached }: Success): Failure | undefined {
    const { budgets, journal } = this.#parts;
    try {
      const latencyMs = this.#in.clock.now() - startedAtMs;
      budgets.after(leaf, latencyMs);
      const origin = { prompt, latencyMs };
      journal.finishTask(leaf, row, cached === "hit" ? { ...origin, cached: true } : origin);
      if (cached !== null && cached !== "hit" && !this.#in.state.tools.get(leaf.key)?.sideEffect)
        journal.draft.cached.push({ key: cached.key, row: rowToJson(row) });
      return undefined;
    } catch (error) {
      return unwritable(leaf, error);
    }
  }

  #failed(body: Body, { error, quotaUntilMs, ...failure }: Failure): void {
    const { agents, containment, journal, waits } = this.#parts;
    const { leaf, attempt } = body;
    if (quotaUntilMs !== null) {
      journal.emit(agents.quotaUsedUp(body, quotaUntilMs, error.message));
      return waits.stir();
    }
    const who = agents.whoFailed(body, failure.agentUnusable);
    const retryAtMs = agents.retryAtMs(body, failure);
    journal.emit({ type: "node.failed", ...refOf(leaf), attempt, error, retryAtMs, ...who });
    if (retryAtMs !== null)
      this.#tellRetry(body, { attempt, error: error.message, delayMs: retryAtMs - this.#in.clock.now() });
    if (retryAtMs === null && !leaf.continueOnFail) containment.fail(leaf.within, error);
  }

  /** A task that throws is tried again without end: who looks on must not take that for a run that hangs. */
  #tellRetry({ leaf: { nodeId, iteration } }: Body, retry: Retry): void {
    const message = `task ${nodeId}: ${retryText(retry)}`;
    this.#in.log.warn("task.retried", { runId: this.#in.runId, nodeId, iteration, message });
  }
}
