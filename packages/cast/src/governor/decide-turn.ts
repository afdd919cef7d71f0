import type { StopReason } from "@smooth/protocol/run-events";

/** The governor: after each turn of an operator, go on or stop, from evidence alone.
 *  V1. Green comes from the verify command, never from what the model says.
 *  V2. Every stop names its reason; a stop that is not green names the turn whose state to restore when a better one existed.
 *  V3. Unpriced turns are not free: a budget is checked against what is known, and the cap holds anyway. */

export interface Turn {
  readonly green: boolean;
  /** Null: the output told no number. */
  readonly failing: number | null;
  /** Null: unpriced. */
  readonly costUsd: number | null;
}

export interface TurnInput {
  readonly history: readonly Turn[];
  readonly budgetUsd: number | null;
  readonly cap?: number;
  readonly cancelled?: boolean;
}

export type TurnDecision =
  | { readonly kind: "continue"; readonly turn: number }
  | {
      readonly kind: "stop";
      readonly reason: StopReason;
      readonly detail: string;
      /** 1-based. */ readonly restoreTurn?: number;
    };

const DEFAULT_CAP = 5;
/** So few failures, and no progress: more turns rarely help. */
const PLATEAU_FAILING = 3;
/** Sums of cents are not exact in binary. */
const ROUNDING_USD = 1e-9;

export function decideTurn({ history, budgetUsd, cap = DEFAULT_CAP, cancelled = false }: TurnInput): TurnDecision {
  const last = history.at(-1);
  if (last?.green)
    return { kind: "stop", reason: "green", detail: `the verify command passed on turn ${history.length}` };
  const stop = (reason: StopReason, detail: string): TurnDecision => ({
    kind: "stop",
    reason,
    detail,
    ...restoring(history),
  });
  if (cancelled) return stop("cancelled", "a person cancelled the run");
  const stuck = plateau(history);
  if (stuck !== null) return stop("plateau", `no improvement on ${stuck} failing`);
  const short = overBudget(history, budgetUsd);
  if (short !== null) return stop("budget", short);
  if (history.length >= cap) return stop("cap", `${cap} turns are used up`);
  return { kind: "continue", turn: history.length + 1 };
}

function plateau(history: readonly Turn[]): number | null {
  const last = history.at(-1);
  const best = bestFailing(history.slice(0, -1));
  if (!last || best === null || best > PLATEAU_FAILING) return null;
  return last.failing === null || last.failing >= best ? best : null;
}

function overBudget(history: readonly Turn[], budgetUsd: number | null): string | null {
  if (budgetUsd === null) return null;
  const costs = history.flatMap(({ costUsd }) => (costUsd === null ? [] : [costUsd]));
  const spent = costs.reduce((sum, cost) => sum + cost, 0);
  const next = costs.length === 0 ? 0 : spent / costs.length;
  const unpriced = history.length - costs.length;
  if (spent + next <= budgetUsd + ROUNDING_USD) return null;
  return `$${spent.toFixed(4)} spent${unpriced > 0 ? ` and ${unpriced} turn(s) unpriced` : ""}; one more turn (about $${next.toFixed(4)}) would pass the budget of $${budgetUsd.toFixed(2)}`;
}

/** V2. The first best turn, when the end is worse or unknown. */
function restoring(history: readonly Turn[]): { restoreTurn?: number } {
  const best = bestFailing(history);
  const at = history.findIndex(({ failing }) => failing !== null && failing === best);
  const last = history.at(-1)?.failing ?? null;
  return best !== null && at < history.length - 1 && (last === null || last > best) ? { restoreTurn: at + 1 } : {};
}

function bestFailing(history: readonly Turn[]): number | null {
  const known = history.flatMap(({ failing }) => (failing === null ? [] : [failing]));
  return known.length === 0 ? null : Math.min(...known);
}
