import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";

/** Token buckets in this process: a brake for runaway callers, not a quota.
 *  L1. A bucket that is full again is forgotten, so strangers cannot fill the memory. */

export interface Rate {
  readonly burst: number;
  readonly perMinute: number;
}

export interface RateLimits {
  /** Throws RATE_LIMITED with details.retryAfterMs when the bucket is empty. */
  spend(key: string, rate: Rate): void;
}

const SWEEP_ABOVE = 10_000;

export function memoryRateLimits(clock: Pick<Clock, "now">): RateLimits {
  const buckets = new Map<string, { tokens: number; atMs: number; fullAtMs: number }>();
  return {
    spend(key, { burst, perMinute }) {
      const nowMs = clock.now();
      const perMs = perMinute / 60_000;
      const before = buckets.get(key) ?? { tokens: burst, atMs: nowMs };
      const tokens = Math.min(burst, before.tokens + (nowMs - before.atMs) * perMs);
      if (tokens < 1) {
        const retryAfterMs = Math.ceil((1 - tokens) / perMs);
        throw new SmoothError("RATE_LIMITED", "too many requests; slow down", { details: { retryAfterMs } });
      }
      buckets.set(key, { tokens: tokens - 1, atMs: nowMs, fullAtMs: nowMs + (burst - tokens + 1) / perMs });
      if (buckets.size < SWEEP_ABOVE) return;
      for (const [other, { fullAtMs }] of buckets) if (fullAtMs <= nowMs) buckets.delete(other); // L1
    },
  };
}
