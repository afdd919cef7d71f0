/** What tasks below an <Aspects> may spend, and what happens when it is spent. Pure.
 *  A1. What was spent is folded from the run's own log, so that a resume does not forget it.
 *      Nor does a run that continues another: what was spent before it counts too.
 *  A2. Tokens, cost and time are the run's; `perTask` is one node's, over all its attempts (for latency: one attempt's). */
import type { ErrorInfo } from "../run/events.ts";
import { NO_USAGE, type UsageTotals } from "../task/usage.ts";

export type OnExceeded = "fail" | "warn" | "skip-remaining";

interface Budget {
  readonly max: number;
  readonly perTask: number | null;
  readonly onExceeded: OnExceeded;
}

export interface Aspects {
  readonly tokens: Budget | null;
  /** Milliseconds since the run started, or the first of those it continues. */
  readonly latency: Budget | null;
  /** US dollars. */
  readonly cost: Budget | null;
  /** What is told of every task that ends; budgets hold regardless. */
  readonly tracking: { readonly tokens: boolean; readonly latency: boolean; readonly cost: boolean };
}

export type BudgetKind = "tokens" | "latency" | "cost";

export interface Spent {
  readonly usage: ReadonlyMap<string, UsageTotals>;
  /** By no node of this run. */
  readonly before: UsageTotals;
  readonly elapsedMs: number;
}

export interface Exceeded {
  readonly kind: BudgetKind;
  readonly limit: number;
  readonly current: number;
  readonly perTask: boolean;
  readonly onExceeded: OnExceeded;
}

const KINDS: readonly BudgetKind[] = ["tokens", "cost", "latency"];

/** Every budget that is exceeded, the ones that stop the most first. */
export function exceededBudgets(aspects: Aspects, spent: Spent): readonly Exceeded[] {
  return KINDS.flatMap((kind) => {
    const budget = aspects[kind];
    return budget ? exceeded(kind, budget, spent) : [];
  }).toSorted((a, b) => WEIGHT[a.onExceeded] - WEIGHT[b.onExceeded]);
}

const WEIGHT: Readonly<Record<OnExceeded, number>> = { fail: 0, "skip-remaining": 1, warn: 2 };

function exceeded(kind: BudgetKind, { max, perTask, onExceeded }: Budget, spent: Spent): readonly Exceeded[] {
  const perNode = kind === "latency" ? [] : [...spent.usage.values()].map((usage) => amountOf(kind, usage));
  const total =
    kind === "latency" ? spent.elapsedMs : perNode.reduce((sum, amount) => sum + amount, amountOf(kind, spent.before));
  const most = Math.max(0, ...perNode);
  return [
    ...(total > max ? [{ kind, limit: max, current: total, perTask: false, onExceeded }] : []),
    ...(perTask !== null && most > perTask ? [{ kind, limit: perTask, current: most, perTask: true, onExceeded }] : []),
  ];
}

const amountOf = (kind: "tokens" | "cost", usage: UsageTotals): number =>
  kind === "cost" ? (usage.costUsd ?? 0) : usage.inputTokens + usage.outputTokens;

/** What one node spent alone. */
export const ofNode = (key: string, { usage, elapsedMs }: Spent): Spent => {
  const own = usage.get(key);
  return { usage: new Map(own ? [[key, own]] : []), before: NO_USAGE, elapsedMs };
};

const UNIT: Readonly<Record<BudgetKind, string>> = { tokens: "tokens", latency: "ms", cost: "USD" };

export function describeExceeded({ kind, limit, current, perTask }: Exceeded): string {
  return `the ${kind} budget of ${limit} ${UNIT[kind]}${perTask ? " per task" : ""} is exceeded: ${current} ${UNIT[kind]}`;
}

export const budgetError = (over: Exceeded, nodeId: string): ErrorInfo => ({
  code: "ASPECT_BUDGET_EXCEEDED",
  message: describeExceeded(over),
  nodeId,
});
