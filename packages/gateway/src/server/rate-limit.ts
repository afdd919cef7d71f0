import type { Clock } from "@smooth/platform/ports";

/** One token bucket per key. A full bucket is forgotten, so memory follows the callers of the last seconds. */
export interface RateLimit {
  /** 0 when the call may go on, else the milliseconds to wait. */
  take(key: string): number;
}

export function createRateLimit(
  clock: Pick<Clock, "now">,
  { burst, perSecond }: { readonly burst: number; readonly perSecond: number },
): RateLimit {
  const buckets = new Map<string, { tokens: number; atMs: number }>();
  const tokensAt = (bucket: { tokens: number; atMs: number }, nowMs: number): number =>
    Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond);

  return {
    take(key) {
      const nowMs = clock.now();
      const bucket = buckets.get(key) ?? { tokens: burst, atMs: nowMs };
      const tokens = tokensAt(bucket, nowMs);
      if (buckets.size > 1_000) {
        for (const [other, state] of buckets) if (tokensAt(state, nowMs) >= burst) buckets.delete(other);
      }
      buckets.set(key, { tokens: tokens < 1 ? tokens : tokens - 1, atMs: nowMs });
      return tokens < 1 ? Math.ceil(((1 - tokens) / perSecond) * 1_000) : 0;
    },
  };
}
