/** Keeps runs alive while their process drives them: renews their leases, and looks now and then for what other processes wrote.
 *  All runs of a clock are looked after in one round: a timer and a signal of its own cost a run as much as a small step. */
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

interface Tended {
  readonly run: TendInput;
  readonly onPoll: () => Promise<void>;
  polls: number;
  /** Its last look is not over yet. */
  busy: boolean;
}

interface Round {
  readonly runs: Set<Tended>;
  readonly empty: AbortController;
}
const rounds = new WeakMap<Clock, Round>();

/** Until the answer is called. That the run belongs to somebody else now is seen by who looks at its row. */
export function tend(run: TendInput, onPoll: () => Promise<void>): () => void {
  const tended: Tended = { run, onPoll, polls: 0, busy: false };
  const round = rounds.get(run.clock) ?? begin(run.clock);
  round.runs.add(tended);
  return () => {
    round.runs.delete(tended);
    if (round.runs.size > 0 || round.empty.signal.aborted) return;
    rounds.delete(run.clock);
    round.empty.abort();
  };
}

function begin(clock: Clock): Round {
  const round: Round = { runs: new Set(), empty: new AbortController() };
  rounds.set(clock, round);
  void go(clock, round);
  return round;
}

async function go(clock: Clock, { runs, empty }: Round): Promise<void> {
  while (!empty.signal.aborted) {
    await clock.sleep(POLL_MS, empty.signal).catch(() => {});
    for (const tended of runs) if (!tended.busy) void look(tended, runs);
  }
}

/** Never rejects. */
async function look(tended: Tended, runs: ReadonlySet<Tended>): Promise<void> {
  const { store, clock, log, runId, epoch } = tended.run;
  tended.polls += 1;
  tended.busy = true;
  try {
    await tended.onPoll();
    if (tended.polls % POLLS_PER_RENEWAL !== 0) return;
    await store.beat({ runId, epoch, atMs: clock.now() });
  } catch (error) {
    if (runs.has(tended)) log.warn("run.tend.failed", { runId, error: String(error) }); // the next beat may succeed
  } finally {
    tended.busy = false;
  }
}
