/** What a process does when its store failed in the middle: it does not know what was recorded last, so it goes on no more and gives
 *  the run back. Whoever takes it up next reads what there is. Without this, a run would belong for ever to a process that lives and
 *  does nothing for it.
 *  P3. Only what is still this owner's is given back: a run that ended, or that somebody else has, stays as it is. Of one that
 *      continued with the write that failed, that is its successor.
 *  P4. A store that is away for a moment, because its server restarts, is asked again; not for ever. */
import type { Clock, Log } from "@smooth/platform/ports";
import { NOTHING, type Owner, type RunRow, type RunStore } from "../store/port.ts";
import { lineage } from "./lineage.ts";

export interface GiveBack {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  /** This process, and what it may hold. */
  readonly owner: Owner;
  readonly runId: string;
  readonly epoch: number;
}

/** P4 */
const WAITS_MS = [0, 1_000, 2_000, 4_000, 8_000];

/** Never rejects. */
export async function giveBack(held: GiveBack): Promise<void> {
  const { store, clock, log, runId } = held;
  const status = { status: "running", error: null, wakeAtMs: null, seenSeq: 0 } as const;
  for (const waitMs of WAITS_MS)
    try {
      await clock.sleep(waitMs);
      const left = await leftOf(held);
      if (left) await store.commit({ ...left, atMs: clock.now(), ...NOTHING, status });
      return;
    } catch (error) {
      log.warn("run.give-back.failed", { runId, error: String(error) });
    }
}

/** P3 */
async function leftOf({ store, owner, runId, epoch }: GiveBack): Promise<Pick<RunRow, "runId" | "epoch"> | null> {
  const row = await store.run(runId);
  if (row?.epoch !== epoch) return null;
  const next = row.status === "continued" ? (await lineage(store, runId)).at(-1) : null;
  const last = next?.epoch === 1 ? next : row;
  const isOwn = last.owner?.pid === owner.pid && last.owner.host === owner.host && last.owner.boot === owner.boot;
  return isOwn ? { runId: last.runId, epoch: last.epoch } : null;
}
