/** Sending a run back: the one way that retry-task, timetravel and rewind share.
 *  B1. A run that a live process owns is refused unless forced; forced, the owner loses its epoch and records nothing more.
 *  B2. What was decided on is what is changed: the reset carries the epoch it was decided at.
 *  B3. Files and rows move together or not at all.
 *  B4. A subflow is sent back only while its parent waits for it: later nobody reads what it comes to. */
import type { Clock, Ids } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { stateKey } from "../graph/identity.ts";
import { mayClaim, type OwnerCheck } from "../run/ownership.ts";
import { OVER, type RunEventBody } from "../run/events.ts";
import { lineage } from "../run/lineage.ts";
import { foldEvents } from "../run/state.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { Owner, RunRow, RunStore } from "../store/port.ts";
import type { FilesAt } from "../store/travel-port.ts";
import { withFiles, type Move, type WorkspaceVcs } from "./files.ts";
import { planOf, recordedAt, recordedNow, runOf, type Recorded } from "./history.ts";
import { resetEvent, type History, type Reset } from "./reset.ts";
import { refuseSideEffects, sideEffectsOf, type SideEffect } from "./side-effects.ts";

export interface TravelDeps extends Pick<OwnerCheck, "isAlive"> {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** This process. */
  readonly owner: Owner;
  readonly workflow: WorkflowDefinition;
  /** Null: files stay as they are. */
  readonly vcs: WorkspaceVcs | null;
}

export interface TravelRequest {
  readonly runId: string;
  /** Who asks. */
  readonly by: string;
  /** Go on although a live process owns the run, or calls that cannot be undone are in the way. */
  readonly force?: boolean | undefined;
  /** Leave the run for a supervisor to take up; otherwise it stays paused until somebody resumes it. */
  readonly resume?: boolean | undefined;
}

export interface SentBack {
  readonly runId: string;
  readonly reset: Reset;
  readonly files: readonly FilesAt[];
  /** Forced past. */
  readonly sideEffects: readonly SideEffect[];
}

export interface Way {
  readonly verb: "retry-task" | "timetravel" | "rewind";
  /** `at`: the history as it was at a frame. */
  readonly decide: (
    history: History,
    at: (seq: number) => Promise<History>,
  ) => Promise<{ readonly reset: Reset; readonly files: readonly FilesAt[] }>;
  readonly travelId?: string;
  readonly onUndo?: NonNullable<Move["onUndo"]>;
}

/** Throws RUN_NOT_FOUND, RUN_OWNER_ALIVE, RUN_NOT_RESUMABLE, CONFLICT, and what deciding and version control throw. */
export async function sendBack(deps: TravelDeps, request: TravelRequest, way: Way): Promise<SentBack> {
  const run = await runOf(deps.store, request.runId);
  checkFree(deps, run, request.force ?? false);
  await checkAwaited(deps.store, run);
  const recorded = await recordedNow(deps.store, deps.workflow, run.runId);
  const historyOf = (record: Recorded): History => ({
    events: record.events,
    plan: planOf(deps.workflow, run, record),
  });
  const at = async (seq: number): Promise<History> => historyOf(await recordedAt(deps, run, seq));
  const { reset, files } = await way.decide(historyOf(recorded), at);
  const sideEffects = sideEffectsOf(recorded.events, reset.nodes);
  refuseSideEffects(sideEffects, request.force ?? false);
  const write = (): Promise<void> => writeReset(deps, { run, request, way, reset, recorded, files });
  const { runId } = run;
  if (deps.vcs && files.length > 0) await withFiles({ vcs: deps.vcs, runId, to: files, ...undoOf(way) }, write); // B3
  else await write();
  return { runId, reset, files: deps.vcs ? files : [], sideEffects };
}

const undoOf = ({ onUndo }: Way): Pick<Move, "onUndo"> => (onUndo ? { onUndo } : {});

/** B1 */
function checkFree({ clock, owner, isAlive }: TravelDeps, run: RunRow, force: boolean): void {
  const details = { runId: run.runId };
  if (run.status === "continued")
    throw new SmoothError("RUN_NOT_RESUMABLE", `run ${run.runId} is continued by another run; go back in that one`, {
      details,
    });
  if (force || mayClaim(run, { isAlive, host: owner.host, nowMs: clock.now() }) !== "owner-alive") return;
  throw new SmoothError(
    "RUN_OWNER_ALIVE",
    `run ${run.runId} is being worked on; cancel or pause it first, or use force`,
    { details },
  );
}

/** B4 */
async function checkAwaited(store: RunStore, run: RunRow): Promise<void> {
  const first = (await lineage(store, run.runId))[0];
  const parent = first?.parent?.as === "subflow" ? await store.run(first.parent.runId) : null;
  if (!first?.parent || !parent) return;
  const node = foldEvents(await store.events(parent.runId, 0)).nodes.get(first.parent.key ?? "");
  const waits =
    node?.kind === "running" || node?.kind === "interrupted" || (node?.kind === "waiting" && node.on.kind === "run");
  if (waits && !OVER.has(parent.status)) return;
  const { runId } = run;
  const message = `run ${runId} is the body of ${first.parent.key} in run ${parent.runId}, which does not wait for it any more; go back in that one`;
  throw new SmoothError("RUN_NOT_RESUMABLE", message, { details: { runId, parentRunId: parent.runId } });
}

interface Write {
  readonly run: RunRow;
  readonly request: TravelRequest;
  readonly way: Way;
  readonly reset: Reset;
  readonly recorded: Recorded;
  readonly files: readonly FilesAt[];
}

/** B2 */
async function writeReset(
  { store, clock, vcs }: TravelDeps,
  { run, request, way, reset, recorded, files }: Write,
): Promise<void> {
  const gone = new Set(reset.nodes.map(stateKey));
  const { by } = request;
  const back = resetEvent(reset, { verb: way.verb, by });
  const restored = (vcs ? files : []).map((at): RunEventBody => ({ type: "vcs.restored", ...at, by }));
  const result = await store.reset({
    runId: run.runId,
    epoch: run.epoch,
    atMs: clock.now(),
    events: [way.travelId === undefined ? back : { ...back, travelId: way.travelId }, ...restored],
    nodes: reset.nodes,
    archive: recorded.cells.filter((output) => gone.has(stateKey(output))),
    status: request.resume ? "running" : "paused",
  });
  if (result === "stale")
    throw new SmoothError("CONFLICT", `run ${run.runId} moved on in the meantime; nothing was changed`, {
      details: { runId: run.runId },
    });
}
