/** Starting and resuming runs.
 *  P1. A run has an owner from its first row.
 *  P2. A run is resumed only after its claim succeeded: compare-and-swap on the epoch, and only when the old owner is gone. */
import type { Clock, Disk, Ids, Log, Random } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { checkNumber } from "@smooth/protocol/numbers";
import { FrameLog } from "../frames/frame-log.ts";
import type { DeliverAlert } from "../alerts/alerts.ts";
import { reloadedSource, reloader, type Reload } from "../hot/reload.ts";
import type { MemoryStore } from "../memory/port.ts";
import type { JsonValue } from "../outputs/json.ts";
import { OutputRows } from "../outputs/rows.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { JudgeModel } from "../scorers/scorer.ts";
import type { Unavailable } from "../store/unavailable.ts";
import { NOTHING, type Owner, type RunRow, type RunStore } from "../store/port.ts";
import type { AgentLike } from "../task/body.ts";
import type { WorkspaceVcs } from "../time-travel/files.ts";
import type { StoredEvent } from "./events.ts";
import type { Claimed } from "./control.ts";
import { LateMap } from "./late-map.ts";
import { LOW_DISK_BYTES } from "./store-health.ts";
import { giveBack } from "./give-back.ts";
import { parseInput } from "./input.ts";
import type { RunOrigin } from "./continuation.ts";
import { openSubflows, type Subflows } from "./subflow.ts";
import { checkMetadata, metadataChanges, type RunMetadata } from "./metadata.ts";
import { mayClaim, type OwnerCheck } from "./ownership.ts";
import { replay } from "./replay.ts";
import type { RunResult } from "./result.ts";
import type { Worktrees } from "../task/worktrees.ts";
import type { Sandboxes } from "../task/sandboxes.ts";
import type { AroundBody } from "../task/tool-log.ts";
import { RunLoop } from "./run-loop.ts";
import { emptyState } from "./state.ts";

export interface EngineDeps {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Log;
  /** This process. */
  readonly owner: Owner;
  /** The folder under version control that tasks work in. */
  readonly vcsRoot?: string | null | undefined;
  /** Folders of their own for tasks inside a <Worktree>. */
  readonly worktrees?: Worktrees | null | undefined;
  /** What runs the child workflows of <Sandbox> elements. */
  readonly sandboxes?: Sandboxes | null | undefined;
  /** Names that folder's files around every attempt of an agent, for time travel. */
  readonly vcs?: WorkspaceVcs | null | undefined;
  /** What tasks with a `memory` prop recall from and remember in. */
  readonly memory?: MemoryStore | undefined;
  /** Where the store lives: while it has less than `lowDiskBytes` free (default 64 MiB), no body is started. */
  readonly disk?: Disk | undefined;
  readonly lowDiskBytes?: number | undefined;
  /** Tells a destination about an alert whose reaction is `deliver`. */
  readonly deliverAlert?: DeliverAlert | undefined;
  /** Which agent judges under a model's name, for scorers that name one. */
  readonly judges?: ((model: JudgeModel) => AgentLike | undefined) | undefined;
}

export interface RunOptions {
  /** Aborting cancels the run. To let a run go without ending it, use `handle.release()`. */
  readonly signal?: AbortSignal | undefined;
  /** Every event, in order, after its commit. */
  readonly onEvent?: ((event: StoredEvent) => void) | undefined;
  /** Bodies at once; default 4. */
  readonly maxConcurrency?: number | undefined;
  readonly render?: "tracked" | "always" | undefined;
  /** Put around every body, so that the tools it calls know their task. */
  readonly around?: AroundBody | undefined;
}

export interface StartRun extends EngineDeps, RunOptions {
  readonly workflow: WorkflowDefinition;
  readonly input: JsonValue;
  readonly runId?: string | undefined;
  readonly auth?: JsonValue | undefined;
}

export interface ResumeRun extends Omit<EngineDeps, "ids">, RunOptions, Pick<OwnerCheck, "isAlive"> {
  readonly workflow: WorkflowDefinition;
  readonly runId: string;
  /** Given only to be sure: a run keeps the input it was started with. */
  readonly input?: JsonValue | undefined;
  /** Who agrees to go on with a workflow that has changed since. */
  readonly acceptWorkflowChange?: { readonly by: string } | undefined;
  /** What `claimResumable` gave: this process holds the run already. When it cannot resume it, it lets it go again. */
  readonly claimed?: Claimed | undefined;
  /** Deliver events after this seq; default: those from the claim on. */
  readonly eventsAfterSeq?: number | undefined;
}

export interface RunHandle {
  readonly runId: string;
  /** Rejects only when the store fails for good. */
  readonly result: Promise<RunResult>;
  /** The run this one continues as, taken up by this process; null when it ends otherwise. Rejects only when the store fails. */
  readonly next: Promise<RunHandle | null>;
  /** What keeps the run from going on: too little room on the disk, or a store that somebody else has locked. */
  waitsForStore(): Unavailable | null;
  /** Ends this run and whatever it continues as. */
  cancel(): void;
  /** Stop working on the run and leave it resumable: for a process that goes down in good order. */
  release(): void;
  /** Goes on with an edited workflow, or with the old one when the edited one cannot be used. Never rejects. */
  readonly reload: Reload;
}

/** Throws INVALID_INPUT, CONFLICT (the id is taken), DB_MISSING_COLUMNS. */
export async function startRun(options: StartRun): Promise<RunHandle> {
  checkLimits(options);
  const { workflow, store, clock, owner } = options;
  const input = parseInput(workflow.inputSchema, options.input);
  const runId = options.runId ?? options.ids.next("run");
  await store.defineOutputs(workflow.registry.tables);
  const origin: RunOrigin = {
    runId,
    workflow: workflow.name,
    input: options.input,
    auth: options.auth ?? null,
    metadata: metadataOf(options),
    owner,
  };
  const atMs = clock.now();
  const created = await store.create({ ...origin, atMs }).catch((error: unknown) => {
    void giveBack({ ...options, runId, epoch: 1 }); // whether it was created is unknown
    throw error;
  });
  if (created === "exists")
    throw new SmoothError("CONFLICT", `run ${runId} exists already; resume it or take another id`, {
      details: { runId },
    });
  const loop = new RunLoop({
    ...shared(options),
    runId,
    origin,
    subflows: childrenOf(options, origin),
    startedAtMs: clock.now(),
    input,
    auth: origin.auth,
    epoch: 1,
    isNew: true,
    state: emptyState(),
    rows: new OutputRows(),
    heartbeats: new LateMap(),
    frameLog: new FrameLog([]),
    past: [],
    untold: [{ type: "run.started", workflow: workflow.name, runId, seq: 1, atMs }],
    deliveredSeq: 1,
    seenSeq: 1,
  });
  return drive(runId, loop, options);
}

/** How a run ended, however often it continued as new. */
export async function lastResult(handle: RunHandle): Promise<RunResult> {
  const result = await handle.result;
  const next = await handle.next;
  return next ? lastResult(next) : result;
}

/** Throws INVALID_INPUT, RUN_NOT_FOUND, RUN_NOT_RESUMABLE, RUN_OWNER_ALIVE, RUN_CLAIM_LOST, RESUME_METADATA_MISMATCH. */
export async function resumeRun(options: ResumeRun): Promise<RunHandle> {
  checkLimits(options);
  const { claimed, store, clock, owner, runId } = options;
  const row = await store.run(runId);
  if (!row) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  if (row.epoch !== claimed?.epoch) checkClaim(row, { isAlive: options.isAlive, host: owner.host, nowMs: clock.now() });
  let held = claimed?.epoch ?? null;
  try {
    const now = metadataOf(options);
    const accepted = checkMetadata({
      runId,
      recorded: { ...(await recordedMetadata(store, row, now)), input: row.input },
      now: { ...now, input: options.input },
      acceptedBy: options.acceptWorkflowChange?.by,
    });
    await store.defineOutputs(options.workflow.registry.tables);
    held = await store.claim({ runId, epoch: row.epoch, owner, atMs: clock.now(), accepted });
    if (held === null)
      throw new SmoothError("RUN_CLAIM_LOST", `another process claimed run ${runId} first`, { details: { runId } });
    return drive(runId, await takenUp(options, { ...row, epoch: held }), options);
  } catch (error) {
    const left = { ...options, epoch: held ?? row.epoch + 1 };
    if (held === null) void (error instanceof SmoothError || giveBack(left)); // whether it was claimed is unknown
    else
      await letGo(store, { run: claimed?.run ?? row, epoch: held, atMs: clock.now() }).catch(() => void giveBack(left));
    throw error;
  }
}

/** What the run goes on with: a hot reload counts as an accepted change. */
async function recordedMetadata(store: RunStore, row: RunRow, now: RunMetadata): Promise<RunMetadata> {
  if (metadataChanges(row.metadata, now).length === 0) return row.metadata;
  return { ...row.metadata, source: (await reloadedSource(store, row.runId)) ?? row.metadata.source };
}

/** A run that cannot be resumed here is left as it was before the claim, for another worker or a repaired workflow. */
async function letGo(
  store: RunStore,
  { run, epoch, atMs }: { readonly run: RunRow; readonly epoch: number; readonly atMs: number },
): Promise<void> {
  // Due at once when it waited: nobody has looked at what came after the claim (S6).
  const status = { status: run.status, error: null, wakeAtMs: run.wakeAtMs, seenSeq: run.lastSeq };
  await store.commit({ runId: run.runId, epoch, atMs, ...NOTHING, status });
}

type Taking = RunOptions &
  Omit<EngineDeps, "ids"> & { readonly workflow: WorkflowDefinition; readonly eventsAfterSeq?: number | undefined };

/** A run that this process holds at the row's epoch. */
async function takenUp(options: Taking, row: RunRow): Promise<RunLoop> {
  const { workflow, store, owner } = options;
  const { runId, input, auth, metadata } = row;
  return new RunLoop({
    ...shared(options),
    runId,
    origin: { runId, workflow: row.workflow, input, auth, metadata, owner },
    subflows: childrenOf(options, { runId, auth }),
    startedAtMs: row.createdAtMs,
    input: parseInput(workflow.inputSchema, input),
    auth,
    epoch: row.epoch,
    isNew: false,
    ...(await replay(store, workflow, row.runId)),
    frameLog: new FrameLog(await store.frames(row.runId)),
    untold: [],
    deliveredSeq: options.eventsAfterSeq ?? row.lastSeq,
    past: workflow.alerts?.length ? await store.events(row.runId, 0) : [],
  });
}

/** Runs of this run's subflows, driven by this process, with the workflow the node names. */
const childrenOf = (options: Taking, { runId, auth }: Pick<RunOrigin, "runId" | "auth">): Subflows =>
  openSubflows({
    store: options.store,
    owner: options.owner,
    now: () => options.clock.now(),
    parent: { runId, auth },
    async drive({ workflow, row, signal, onEvent }) {
      const heard = (event: StoredEvent): void => (onEvent(event), options.onEvent?.(event));
      const eventsAfterSeq = row.epoch > 2 ? undefined : 0;
      const own: Taking = { ...options, workflow, signal: undefined, onEvent: heard, eventsAfterSeq };
      const handle = drive(row.runId, await takenUp(own, row), own);
      const stop = (): void => (isLetGo(signal.reason) ? handle.release() : handle.cancel());
      signal.addEventListener("abort", stop, { once: true });
      if (signal.aborted) stop();
      return lastResult(handle).finally(() => signal.removeEventListener("abort", stop));
    },
  });

const isLetGo = (reason: unknown): boolean =>
  reason instanceof SmoothError && ["released", "lost"].includes(String(reason.details["status"]));

const metadataOf = ({ workflow, vcsRoot = null }: Pick<StartRun, "workflow" | "vcsRoot">): RunMetadata => ({
  source: workflow.source ?? null,
  vcsRoot,
});

function checkClaim(row: RunRow, check: OwnerCheck): void {
  const verdict = mayClaim(row, check);
  const details = { runId: row.runId, status: row.status };
  if (verdict === "over") throw new SmoothError("RUN_NOT_RESUMABLE", `run ${row.runId} is ${row.status}`, { details });
  if (verdict === "owner-alive")
    throw new SmoothError(
      "RUN_OWNER_ALIVE",
      `run ${row.runId} is owned by living process ${row.owner?.pid} on ${row.owner?.host}`,
      { details },
    );
}

/** With no room for a body a run would never go on. */
function checkLimits({ maxConcurrency, lowDiskBytes }: RunOptions & Pick<EngineDeps, "lowDiskBytes">): void {
  checkNumber("maxConcurrency of a run", maxConcurrency, { least: 1, whole: true, orInfinity: true });
  checkNumber("lowDiskBytes of a run", lowDiskBytes, { least: 0 });
}

const shared = ({
  workflow,
  store,
  clock,
  random,
  log,
  maxConcurrency = 4,
  render = "tracked",
  around = (_scope, body) => body(),
  onEvent = () => {},
  memory,
  disk,
  lowDiskBytes = LOW_DISK_BYTES,
  judges,
  worktrees,
  sandboxes,
  deliverAlert,
  vcs,
  vcsRoot,
}: RunOptions & Omit<EngineDeps, "ids"> & { workflow: WorkflowDefinition }) => ({
  workflow,
  store,
  clock,
  random,
  log,
  maxConcurrency,
  render,
  around,
  onEvent,
  memory: memory ?? null,
  disk: disk ?? null,
  lowDiskBytes,
  judges: judges ?? null,
  worktrees: worktrees ?? null,
  sandboxes: sandboxes ?? null,
  deliverAlert: deliverAlert ?? null,
  files: vcs && vcsRoot ? { vcs, root: vcsRoot } : null,
});

/** The run, and after it the one it continues as: that one belongs to this process from its first row (P1). */
function drive(runId: string, loop: RunLoop, options: Taking): RunHandle {
  const { signal, store, workflow } = options;
  const hot = reloader(loop, store, workflow);
  let asked: "cancelled" | "released" | undefined;
  let following: RunHandle | undefined;
  const cancel = (): void => {
    asked ??= "cancelled";
    loop.stop({ status: "cancelled" });
    following?.cancel();
  };
  const release = (): void => {
    asked ??= "released";
    loop.stop({ status: "released" });
    following?.release();
  };
  signal?.addEventListener("abort", cancel, { once: true });
  if (signal?.aborted) cancel();
  const result = loop.drive().finally(() => signal?.removeEventListener("abort", cancel));
  const next = result.then(async (end) => {
    if (end.status !== "continued") return null;
    following = await takeUpSuccessor({ ...options, workflow: hot.current() }, end.nextRunId);
    if (asked === "cancelled") following?.cancel();
    if (asked === "released") following?.release();
    return following ?? null;
  });
  next.catch(() => {}); // whoever waits for it hears it
  const reload: Reload = (load) => (following ?? hot).reload(load);
  const waitsForStore = (): Unavailable | null => (following ?? loop).waitsForStore();
  return { runId, result, next, waitsForStore, cancel, release, reload };
}

async function takeUpSuccessor(options: Taking, runId: string): Promise<RunHandle | undefined> {
  try {
    const row = await options.store.run(runId);
    if (row?.epoch !== 1) return undefined; // somebody else has taken it over already
    return drive(runId, await takenUp({ ...options, eventsAfterSeq: 0 }, row), options);
  } catch (error) {
    void giveBack({ ...options, runId, epoch: 1 });
    throw error;
  }
}
