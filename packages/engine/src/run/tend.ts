/** Keeps a run alive while its process drives it: renews the lease, and looks now and then for what other processes wrote. */
import type { Clock, Log } from "@smooth/platform/ports";
import type { RunStore } from "../store/port.ts";

export interface TendInput {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly runId: string;
  readonly epoch: number;
}

const POLL_MS = 1_000;
const LEASE_RENEWAL_MS = 5_000;

/** Until `over` aborts. `onLost`: the run belongs to somebody else now. Never rejects. */
export async function tend(
  { store, clock, log, runId, epoch }: TendInput,
  { onPoll, onLost }: { readonly onPoll: () => void; readonly onLost: () => void },
  over: AbortSignal,
): Promise<void> {
  let renewedAtMs = clock.now();
  try {
    for (;;) {
      await clock.sleep(POLL_MS, over);
      onPoll();
      if (clock.now() - renewedAtMs < LEASE_RENEWAL_MS) continue;
      renewedAtMs = clock.now();
      if (!(await store.beat({ runId, epoch, atMs: renewedAtMs }))) onLost();
    }
  } catch (error) {
    if (!over.aborted) log.warn("run.tend.failed", { runId, error: String(error) });
  }
}
