/** Results kept across runs. Part of every RunStore, so that an entry is written in the transaction that records its node.
 *  K1. An entry is there exactly when the result it holds was recorded; a refused commit leaves none.
 *  K2. The newest entry of a key stays; its age counts from then. */

export interface NewCacheEntry {
  readonly key: string;
  /** The output row as tagged JSON. */
  readonly row: string;
}

export interface CacheEntry extends NewCacheEntry {
  readonly runId: string;
  readonly atMs: number;
}

export interface CacheStore {
  cached(key: string): Promise<CacheEntry | null>;
}
