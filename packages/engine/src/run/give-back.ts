/** What an owner does whose store failed in the middle: it does not know what was recorded last, so it goes on no more and gives the
 *  run back. Whoever takes it up next reads what there is. Without this, a run would belong for ever to a process that lives and does
 *  nothing for it.
 *  P3. Only what is still this owner's is given back: a run that ended, or that somebody else has, stays as it is.
 *  P4. A store that is away for a moment, because its server restarts, is asked again; not for ever. */
import type { Clock, Log } from "@smooth/platform/ports";
import { NOTHING, type RunStore } from "../store/port.ts";

export interface GiveBack {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly runId: string;
  readonly epoch: number;
}

/** P4 */
const WAITS_MS = [0, 1_000, 2_000, 4_000, 8_000];

/** Never rejects. */
export async function giveBack({ store, clock, log, runId, epoch }: GiveBack): Promise<void> {
  const status = { status: "running", error: null, wakeAtMs: null, seenSeq: 0 } as const;
  for (const waitMs of WAITS_MS)
    try {
      await clock.sleep(waitMs);
      await store.commit({ runId, epoch, atMs: clock.now(), ...NOTHING, status }); // P3: stale when it is not ours any more
      return;
    } catch (error) {
      log.warn("run.give-back.failed", { runId, error: String(error) });
    }
}
