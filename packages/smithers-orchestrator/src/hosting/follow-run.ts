/** A run's documented events as a stream that can be taken up again.
 *  F1. `seq` counts a run's events from 0 in the order of its log, so it is the same for every reader and after every restart.
 *  F2. A reader that comes back with the last `seq` it has seen misses nothing and gets nothing twice.
 *  F3. The stream ends after the last event of a run that is over. */
import { OVER } from "@smooth/engine/events";
import type { RunStore } from "@smooth/engine/store";
import { SmithersEvents, type SmithersEvent } from "@smooth/workflow/smithers-events";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";

export interface SeqEvent {
  readonly seq: number;
  readonly event: SmithersEvent;
}

export interface Follow {
  readonly runId: string;
  readonly afterSeq: number;
  readonly signal: AbortSignal;
}

const BATCH = 1_000;
const POLL_MS = 250;

/** Throws RUN_NOT_FOUND. An aborted signal ends it. */
export async function* followRun(
  { store, clock }: { readonly store: RunStore; readonly clock: Clock },
  { runId, afterSeq, signal }: Follow,
): AsyncGenerator<SeqEvent> {
  const names = new SmithersEvents();
  let stored = 0;
  let next = 0; // F1
  while (!signal.aborted) {
    const run = await store.run(runId);
    if (!run) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
    const batch = await store.events(runId, stored, BATCH);
    for (const event of batch.flatMap((one) => names.translate(one))) {
      const seq = next;
      next += 1;
      if (seq > afterSeq) yield { seq, event }; // F2
    }
    stored = batch.at(-1)?.seq ?? stored;
    if (batch.length === BATCH) continue;
    if (OVER.has(run.status) && stored >= run.lastSeq) return; // F3
    await clock.sleep(POLL_MS, signal).catch(() => undefined);
  }
}

/** How many there are so far. Throws RUN_NOT_FOUND. */
export async function countEvents(store: RunStore, runId: string): Promise<number> {
  const names = new SmithersEvents();
  const events = await store.events(runId, 0);
  if (events.length === 0) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  return events.reduce((count, event) => count + names.translate(event).length, 0);
}
