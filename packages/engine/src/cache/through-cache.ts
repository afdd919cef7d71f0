/** A task's body behind its cache: a kept row, or the body and the key to keep its row under.
 *  C3. A hit must fit the schema still; what does not, or is too old, counts as a miss. The kept row itself is the result: a
 *      schema that changes what it reads has done so already. */
import type { Clock } from "@smooth/platform/ports";
import type { TaskLeaf } from "../graph/plan.ts";
import { rowFromJson, type Row } from "../outputs/table.ts";
import { cacheKey, type CachePolicy, type CacheSubject } from "./policy.ts";
import type { CacheStore } from "./port.ts";

export interface CacheAccess {
  readonly runId: string;
  readonly workflow: () => string;
  readonly store: CacheStore;
  readonly clock: Clock;
  readonly ctxOf: (leaf: TaskLeaf) => CacheSubject["ctx"];
}

export type CachedRow =
  | { readonly kind: "hit"; readonly row: Row }
  /** Keep the row under this key once it is recorded. */
  | { readonly kind: "miss"; readonly key: string };

export async function lookUp(
  leaf: TaskLeaf,
  policy: CachePolicy,
  { store, clock, ctxOf, workflow, ...subject }: CacheAccess & Pick<CacheSubject, "deps" | "prompt">,
): Promise<CachedRow> {
  const key = cacheKey(leaf, policy, { ...subject, workflow: workflow(), ctx: ctxOf(leaf) });
  const entry = await store.cached(key);
  if (!entry || (policy.ttlMs !== null && clock.now() - entry.atMs >= policy.ttlMs)) return { kind: "miss", key };
  const row = rowFromJson(entry.row);
  const { success } = await leaf.output.schema.safeParseAsync(row);
  return success ? { kind: "hit", row } : { kind: "miss", key }; // C3
}
