/** Forgetting runs that are over.
 *  N1. Only what ended is forgotten, and never what a run that stays was forked from, continues, or is part of.
 *  N2. The plan is pure: a dry run shows exactly what would go, and why. */
import { OVER } from "../run/events.ts";
import type { RunRow, RunStore } from "../store/port.ts";

export interface GcPolicy {
  /** Ended longer ago than this: may go. */
  readonly maxAgeMs?: number | undefined;
  /** Of those that are over, only so many stay. */
  readonly keepNewest?: number | undefined;
}

export interface GcPlan {
  readonly remove: readonly { readonly runId: string; readonly because: "age" | "count" }[];
  /** What could go by the policy, but is needed. */
  readonly needed: readonly { readonly runId: string; readonly by: string }[];
}

type Run = Pick<RunRow, "runId" | "status" | "owner" | "updatedAtMs" | "forkedFrom" | "parent">;

/** Pure. `runs` are all runs of the store, newest first. */
export function planGc(
  runs: readonly Run[],
  { maxAgeMs = Infinity, keepNewest = Infinity }: GcPolicy,
  nowMs: number,
): GcPlan {
  const over = runs
    .filter((run) => OVER.has(run.status) && run.owner === null)
    .toSorted((a, b) => b.updatedAtMs - a.updatedAtMs);
  const reasons = new Map<string, "age" | "count">();
  for (const [at, { runId, updatedAtMs }] of over.entries()) {
    if (nowMs - updatedAtMs > maxAgeMs) reasons.set(runId, "age");
    else if (at >= keepNewest) reasons.set(runId, "count");
  }
  const needed = new Map<string, string>();
  const staying = runs.filter(({ runId }) => !reasons.has(runId));
  for (const { runId, forkedFrom, parent } of staying)
    // N1; grows while it is walked
    for (const other of [forkedFrom?.runId, parent?.runId]) {
      if (other === undefined || !reasons.delete(other)) continue;
      needed.set(other, runId);
      staying.push(...runs.filter((run) => run.runId === other));
    }
  return {
    remove: [...reasons].map(([runId, because]) => ({ runId, because })),
    needed: [...needed].map(([runId, by]) => ({ runId, by })),
  };
}

/** Throws what the store throws. With `dryRun` nothing changes. */
export async function gc(
  store: RunStore,
  policy: GcPolicy,
  { nowMs, dryRun }: { readonly nowMs: number; readonly dryRun: boolean },
): Promise<GcPlan> {
  const plan = planGc(await store.runs({}), policy, nowMs);
  if (!dryRun && plan.remove.length > 0) await store.forget(plan.remove.map(({ runId }) => runId));
  return plan;
}
