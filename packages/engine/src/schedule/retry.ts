/** When a failed attempt is tried again: the one function that computes delays (Y1). */
import type { Random } from "@smooth/platform/ports";

export interface RetryPolicy {
  /** Attempts after the first, per agent. Infinity by default. */
  readonly retries: number;
  readonly backoff: "fixed" | "linear" | "exponential";
  readonly initialDelayMs: number;
  readonly maxDelayMs: number;
  readonly multiplier: number;
  /** Full jitter: uniform between 0 and the delay, so that many runs do not retry in step. */
  readonly jitter: boolean;
}

export const DEFAULT_RETRY: RetryPolicy = {
  retries: Infinity,
  backoff: "exponential",
  initialDelayMs: 1_000,
  maxDelayMs: 300_000,
  multiplier: 2,
  jitter: true,
};

/** Y1. Delay before round `round + 1`, where `round` ≥ 1 counts the rounds that failed. */
export function nextDelayMs(policy: RetryPolicy, round: number, random: Random): number {
  const grown = { fixed: 1, linear: round, exponential: policy.multiplier ** (round - 1) }[policy.backoff];
  // Infinity after a thousand rounds, and no delay times Infinity is no number.
  const delayMs = policy.initialDelayMs === 0 ? 0 : Math.min(policy.initialDelayMs * grown, policy.maxDelayMs);
  return Math.round(policy.jitter ? delayMs * random() : delayMs);
}
