/** Holds a run's tasks to the budgets of the Aspects around them: before a body starts, and whenever one reports what it used.
 *  A3. A task that breaks a budget with `fail` fails with ASPECT_BUDGET_EXCEEDED, is not tried again, and can be caught.
 *  A4. With `skip-remaining` what runs may end, and nothing below that Aspects starts any more. */
import type { Clock, Log } from "@smooth/platform/ports";
import type { TaskLeaf } from "../graph/plan.ts";
import {
  budgetError,
  describeExceeded,
  exceededBudgets,
  ofNode,
  type Exceeded,
  type Spent,
} from "../schedule/budget.ts";
import type { Failure } from "../task/failure.ts";
import type { ErrorInfo, RunEventBody } from "./events.ts";
import { LateMap } from "./late-map.ts";
import type { RunState } from "./state.ts";

export interface BudgetsInput {
  readonly runId: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly state: RunState;
  readonly startedAtMs: number;
}

export type Refusal = Extract<RunEventBody, { type: "node.failed" | "node.skipped" }>;

export class Budgets {
  readonly #in: BudgetsInput;
  /** Why running bodies were stopped, by state key. */
  readonly #broken = new LateMap<string, ErrorInfo>();
  readonly #said = new Set<string>();

  constructor(input: BudgetsInput) {
    this.#in = input;
  }

  /** Undefined: it may start. */
  before(leaf: TaskLeaf, attempt: number): Refusal | undefined {
    if (!leaf.aspects) return undefined;
    const over = exceededBudgets(leaf.aspects, this.#spent()).filter(
      ({ perTask, onExceeded }) => !perTask || onExceeded === "skip-remaining", // a node's own excess is its own failure
    );
    for (const each of over) if (each.onExceeded === "warn") this.#warn(each);
    const [worst] = over;
    if (!worst || worst.onExceeded === "warn") return undefined;
    const { nodeId, iteration } = leaf;
    if (worst.onExceeded === "skip-remaining")
      return { type: "node.skipped", nodeId, iteration, reason: describeExceeded(worst), cascades: true };
    return { type: "node.failed", nodeId, iteration, attempt, error: budgetError(worst, nodeId), retryAtMs: null };
  }

  /** Whether this body must stop. */
  breaks(leaf: TaskLeaf): boolean {
    if (!leaf.aspects) return false;
    if (this.#broken.has(leaf.key)) return true;
    const spent = this.#spent();
    const totals = exceededBudgets(leaf.aspects, spent).filter(({ perTask }) => !perTask);
    const own = exceededBudgets(leaf.aspects, ofNode(leaf.key, spent)).filter(({ perTask }) => perTask);
    for (const each of [...totals, ...own]) {
      if (each.onExceeded === "warn") this.#warn(each);
      if (each.onExceeded === "fail") this.#broken.set(leaf.key, budgetError(each, leaf.nodeId));
    }
    return this.#broken.has(leaf.key);
  }

  /** What a stopped body failed of. */
  failureOf(leaf: TaskLeaf, failure: Failure): Failure {
    const error = this.#broken.get(leaf.key);
    return error ? { kind: "failed", error, retryable: false, agentUnusable: false, quotaUntilMs: null } : failure;
  }

  /** Tells what a task that ended has spent. */
  after({ aspects, key, nodeId }: TaskLeaf, latencyMs: number): void {
    if (!aspects) return;
    const { latency, tracking } = aspects;
    if (latency?.perTask && latency.onExceeded === "warn" && latencyMs > latency.perTask)
      this.#warn({ kind: "latency", limit: latency.perTask, current: latencyMs, perTask: true, onExceeded: "warn" });
    const usage = this.#in.state.usage.get(key);
    this.#in.log.info("aspects.spent", {
      runId: this.#in.runId,
      nodeId,
      ...(tracking.latency ? { latencyMs } : {}),
      ...(tracking.tokens && usage ? { tokens: usage.inputTokens + usage.outputTokens } : {}),
      ...(tracking.cost && usage ? { costUsd: usage.costUsd } : {}),
    });
  }

  #spent(): Spent {
    const { state, clock, startedAtMs } = this.#in;
    const { usage: before, elapsedMs } = state.spentBefore;
    return { usage: state.usage, before, elapsedMs: elapsedMs + clock.now() - startedAtMs };
  }

  /** Once per budget. */
  #warn(over: Exceeded): void {
    const said = `${over.kind} ${over.limit} ${over.perTask}`;
    if (this.#said.has(said)) return;
    this.#said.add(said);
    this.#in.log.warn("aspects.exceeded", { runId: this.#in.runId, ...over, message: describeExceeded(over) });
  }
}
