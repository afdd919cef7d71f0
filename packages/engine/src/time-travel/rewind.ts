/** The destructive way back: the run and its files as they were at a frame.
 *  R1. Every call leaves an audit row, refused ones too; the row of one that goes on stands before anything moves.
 *  R2. One rewind of a run at a time, in any process: the row in progress is the lock.
 *  R3. Ten an hour per run and caller.
 *  R4. All or nothing, also across a crash: the row knows the way back, and whoever comes next takes it when the process died:
 *      on this host at once, on another when it has said nothing for a lease; however long it takes, it renews that. Sent back by then, the run takes no late write (B2). */
import { SmoothError } from "@smooth/protocol/errors";
import type { TravelRow } from "../store/travel-port.ts";
import { filesAtSeq, putBack } from "./files.ts";
import { checkFrame, runOf } from "./history.ts";
import { resetToFrame } from "./reset.ts";
import { sendBack, type SentBack, type TravelDeps, type TravelRequest } from "./send-back.ts";

export interface Rewind extends TravelRequest {
  /** The frame to go back to. */
  readonly toSeq: number;
  /** Literally `true`. */
  readonly confirm: true;
}

const LEASE_MS = 60_000;
const BEAT_MS = 10_000;
const QUOTA = 10;
const QUOTA_WINDOW_MS = 60 * 60 * 1_000;

/** Throws INVALID_INPUT, RUN_NOT_FOUND, SNAPSHOT_NOT_FOUND, RATE_LIMITED, BUSY, REWIND_FAILED, and what `sendBack` throws. */
export async function rewind(deps: TravelDeps, request: Rewind): Promise<SentBack> {
  const { store, clock, ids, owner } = deps;
  const { runId, by, toSeq } = request;
  const row = {
    travelId: ids.next("travel"),
    runId,
    verb: "rewind",
    by,
    toSeq,
    atMs: clock.now(),
    owner,
    beatAtMs: clock.now(),
    detail: null,
    undo: [],
  } as const;
  await recoverRewinds(deps, runId);
  const refusal = await refusalOf(deps, request);
  if (refusal) return refuse(deps, row, refusal);
  const busy = await store.beginTravel({ ...row, result: "in-progress" }); // R1, R2
  if (busy)
    return refuse(
      deps,
      row,
      new SmoothError("BUSY", `${busy.by} is rewinding run ${runId} right now`, { details: { runId } }),
    );
  return attempt(deps, request, row.travelId);
}

async function refuse(deps: TravelDeps, row: Omit<TravelRow, "result">, refusal: SmoothError): Promise<never> {
  await deps.store.beginTravel({ ...row, result: "refused", detail: `${refusal.code}: ${refusal.message}` });
  throw refusal;
}

async function refusalOf(
  { store, clock }: TravelDeps,
  { runId, by, toSeq, confirm }: Rewind,
): Promise<SmoothError | null> {
  if ((confirm as unknown) !== true)
    return new SmoothError("INVALID_INPUT", "a rewind destroys what came after the frame: say confirm: true");
  const spent = (await store.travels(runId)).filter(
    (travel) => travel.by === by && travel.result !== "refused" && clock.now() - travel.atMs < QUOTA_WINDOW_MS,
  );
  if (spent.length >= QUOTA)
    // R3
    return new SmoothError("RATE_LIMITED", `${by} has rewound run ${runId} ${QUOTA} times within the hour`, {
      details: { runId },
    });
  try {
    checkFrame(await runOf(store, runId), toSeq);
    return null;
  } catch (error) {
    if (error instanceof SmoothError) return error;
    throw error;
  }
}

async function attempt(deps: TravelDeps, request: Rewind, travelId: string): Promise<SentBack> {
  const { store } = deps;
  const over = new AbortController();
  void renew(deps, travelId, over.signal);
  try {
    const done = await sendBack(deps, request, {
      verb: "rewind",
      travelId,
      onUndo: (undo) => store.updateTravel(travelId, { undo }),
      decide: async (history, at) => ({
        reset: resetToFrame(history, await at(request.toSeq)),
        files: filesAtSeq(history.events, request.toSeq),
      }),
    });
    await store.updateTravel(travelId, { result: "success", undo: [] });
    return done;
  } catch (error) {
    const partial = error instanceof SmoothError && error.code === "REWIND_FAILED";
    await store.updateTravel(travelId, { result: partial ? "partial" : "failed", detail: String(error), undo: [] });
    throw error;
  } finally {
    over.abort();
  }
}

/** R4. Never rejects: the next beat may succeed. */
async function renew({ store, clock }: TravelDeps, travelId: string, over: AbortSignal): Promise<void> {
  while (!over.aborted)
    await clock
      .sleep(BEAT_MS, over)
      .then(() => store.updateTravel(travelId, { beatAtMs: clock.now() }))
      .catch(() => undefined);
}

/** R4 */
const isGone = ({ owner, beatAtMs }: TravelRow, deps: TravelDeps): boolean =>
  owner.host === deps.owner.host ? !deps.isAlive(owner) : deps.clock.now() - beatAtMs > LEASE_MS;

/** R4. Ends what a process that died left in progress: it happened when its reset is in the log, else its files are put back. */
export async function recoverRewinds(deps: TravelDeps, runId: string): Promise<void> {
  const { store, vcs } = deps;
  const left = (await store.travels(runId)).find((travel) => travel.result === "in-progress");
  if (!left || !isGone(left, deps)) return;
  const events = await store.events(runId, 0);
  if (events.some((event) => event.type === "nodes.reset" && event.travelId === left.travelId))
    return store.updateTravel(left.travelId, { result: "success", undo: [] });
  try {
    if (vcs) await putBack(vcs, left.undo, "the process died");
    await store.updateTravel(left.travelId, {
      result: "failed",
      detail: "its process died; the files are put back",
      undo: [],
    });
  } catch (error) {
    await store.updateTravel(left.travelId, { result: "partial", detail: String(error) });
  }
}
