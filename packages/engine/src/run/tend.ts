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
/** Counted in polls, not on the wall clock: a clock that is set back must not let the lease run out. */
const POLLS_PER_RENEWAL = 5;

/** Until `over` aborts. That the run belongs to somebody else now is seen by who looks at its row. Never rejects. */
export async function tend(
  { store, clock, log, runId, epoch }: TendInput,
  onPoll: () => Promise<void>,
  over: AbortSignal,
): Promise<void> {
  for (let polls = 1; ; polls += 1) {
    try {
      await clock.sleep(POLL_MS, over);
      await onPoll();
      if (polls % POLLS_PER_RENEWAL !== 0) continue;
      await store.beat({ runId, epoch, atMs: clock.now() });
    } catch (error) {
      if (over.aborted) return;
      log.warn("run.tend.failed", { runId, error: String(error) }); // the next beat may succeed
    }
  }
}
