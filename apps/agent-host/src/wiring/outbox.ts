import type { Log } from "@smooth/platform/ports";
import { assertNever, SmoothError } from "@smooth/protocol/errors";
import type { Dashboard } from "./dashboard.ts";
import type { OutboxRow, RunLog } from "./run-log.ts";

/** The outbox on its way up.
 *  U1. A row leaves the outbox only after the dashboard acknowledged it.
 *  U2. A record the dashboard cannot read or hold holds up no other: the batch is halved until it stands alone, then a word
 *      about it goes up in its place (run-log.ts L4). */

const BATCH = 200;

export interface OutboxDeps {
  readonly runLog: RunLog;
  readonly dashboard: Pick<Dashboard, "push">;
  readonly log: Log;
}

/** Until `signal`. Rejects with what went wrong on the way; nothing is lost then. */
export async function pushOutbox(
  { runLog, dashboard, log }: OutboxDeps,
  signal: AbortSignal,
  ok: () => void,
): Promise<void> {
  let size = BATCH;
  while (!signal.aborted) {
    const changed = runLog.changed(signal);
    const rows = runLog.outbox(size);
    if (rows.length === 0) {
      await changed;
      continue;
    }
    const outcome = await outcomeOf(dashboard.push(rows, signal), rows);
    switch (outcome.kind) {
      case "acknowledged":
        runLog.acknowledge(outcome.throughSeq); // U1
        size = Math.min(BATCH, 2 * size);
        break;
      case "too-much":
        size = Math.ceil(rows.length / 2);
        break;
      case "refused":
        log.error("sync.refused", { seq: outcome.seq, kind: outcome.record.kind, code: outcome.code });
        runLog.refuse(outcome); // U2
        break;
      default:
        return assertNever(outcome);
    }
    ok();
  }
}

type Outcome =
  | { readonly kind: "acknowledged"; readonly throughSeq: number }
  | { readonly kind: "too-much" }
  | ({ readonly kind: "refused"; readonly code: string; readonly message: string } & OutboxRow);

async function outcomeOf(pushed: Promise<number>, rows: readonly OutboxRow[]): Promise<Outcome> {
  try {
    return { kind: "acknowledged", throughSeq: await pushed };
  } catch (error) {
    if (!(error instanceof SmoothError)) throw error;
    return judge(error, rows);
  }
}

/** A dashboard that is ahead (its answer to an earlier push was lost) names the seq it wants; what lies before is stored there. */
function judge(error: SmoothError, rows: readonly OutboxRow[]): Outcome {
  const [first] = rows;
  const expected = error.code === "CONFLICT" ? error.details["expectedSeq"] : undefined;
  if (first && typeof expected === "number" && expected > first.seq)
    return { kind: "acknowledged", throughSeq: expected - 1 };
  const unreadable = error.code === "PAYLOAD_TOO_LARGE" || error.code === "INVALID_INPUT";
  if (!first || !unreadable) throw error;
  return rows.length > 1
    ? { kind: "too-much" }
    : { kind: "refused", ...first, code: error.code, message: error.message };
}
