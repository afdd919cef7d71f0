/** The store for tests and previews: nothing survives the process. */
import type { FrameRow } from "../frames/frame-log.ts";
import type { CacheEntry } from "../cache/port.ts";
import { refOf, stateKey } from "../graph/identity.ts";
import type { OutputTable } from "../outputs/table.ts";
import { OVER, type RunEventBody, type StoredEvent } from "../run/events.ts";
import type {
  ApprovalFilter,
  ApprovalRow,
  Batch,
  CommitResult,
  DecideResult,
  Heartbeat,
  NewRun,
  OutputCells,
  PastDecision,
  RunEpoch,
  RunFilter,
  RunRow,
  RunSize,
  RunStore,
  Successor,
} from "./port.ts";
import { claimEvents, pauseEvents, unheard } from "./port.ts";
import { appendTo, newRun, sizeOfRun, type MemoryRun, type Mutable } from "./memory-run.ts";
import { memoryTravel } from "./memory-travel.ts";
import type { TravelStore } from "./travel-port.ts";
import { watchers, type Watchers } from "./watchers.ts";

export function openMemoryStore(): RunStore {
  const runs = new Map<string, MemoryRun>();
  const listeners = watchers();
  return Object.assign(new MemoryStore(runs, listeners), memoryTravel(runs, listeners.notify));
}

class MemoryStore implements Omit<RunStore, keyof TravelStore> {
  readonly #runs: Map<string, MemoryRun>;
  readonly #cache = new Map<string, CacheEntry>();
  readonly #watchers: Watchers;
  readonly watch: Watchers["watch"];

  constructor(runs: Map<string, MemoryRun>, listeners: Watchers) {
    this.#runs = runs;
    this.#watchers = listeners;
    this.watch = listeners.watch;
  }

  async defineOutputs(): Promise<void> {}

  async create(run: NewRun): Promise<"created" | "exists"> {
    return this.#create(run) ? "created" : "exists";
  }

  #create(run: NewRun): MemoryRun | undefined {
    if (this.#runs.has(run.runId)) return undefined;
    const created = newRun({ ...run, status: "running", forkedFrom: null });
    this.#runs.set(run.runId, created);
    appendTo(created, [{ type: "run.started", workflow: run.workflow }], run.atMs);
    return created;
  }

  async claim({ runId, epoch, owner, atMs, accepted }: Parameters<RunStore["claim"]>[0]): Promise<number | null> {
    const run = this.#runs.get(runId);
    if (!run || run.row.epoch !== epoch) return null;
    Object.assign(run.row, {
      epoch: epoch + 1,
      owner,
      heartbeatAtMs: atMs,
      status: "running",
      wakeAtMs: null,
      error: null,
    });
    if (accepted) run.row.metadata = accepted.metadata;
    appendTo(run, claimEvents(epoch + 1, accepted), atMs);
    this.#watchers.notify(runId);
    return epoch + 1;
  }

  async claimSome({ runs, owner, atMs, limit }: Parameters<RunStore["claimSome"]>[0]): Promise<readonly RunEpoch[]> {
    const claimed: RunEpoch[] = [];
    for (const { runId, epoch } of runs) {
      if (claimed.length >= limit) break;
      const taken = await this.claim({ runId, epoch, owner, atMs });
      if (taken !== null) claimed.push({ runId, epoch: taken });
    }
    return claimed;
  }

  async commit(batch: Batch): Promise<CommitResult> {
    const run = this.#owned(batch.runId, batch.epoch);
    if (!run) return { kind: "stale" };
    if (newsFor(run, batch) === "behind") return { kind: "behind" }; // S9
    for (const entry of batch.cached) this.#cache.set(entry.key, { ...entry, runId: batch.runId, atMs: batch.atMs });
    if (batch.successor) this.#createSuccessor(batch.successor);
    return write(run, batch);
  }

  /** S8 */
  #createSuccessor({ run, events, outputs }: Successor): void {
    const created = this.#create(run);
    if (!created) return;
    appendTo(created, events, run.atMs);
    for (const cells of outputs) created.outputs.set(stateKey(cells), cells);
  }

  async beat({ runId, epoch, atMs }: Parameters<RunStore["beat"]>[0]): Promise<boolean> {
    const run = this.#owned(runId, epoch);
    if (run) run.row.heartbeatAtMs = atMs;
    return run !== undefined;
  }

  async run(runId: string): Promise<RunRow | null> {
    const run = this.#runs.get(runId);
    return run ? { ...run.row } : null;
  }

  async runs({
    status,
    dueAtMs,
    forkedFrom,
    parentRunId,
    orphaned,
    limit = Infinity,
  }: RunFilter): Promise<readonly RunRow[]> {
    const rows = [...this.#runs.values()].map(({ row }) => ({ ...row }));
    return rows
      .filter((row) => !status || status.includes(row.status))
      .filter((row) => parentRunId === undefined || row.parent?.runId === parentRunId)
      .filter((row) => !orphaned || this.#isOrphan(row))
      .filter(({ wakeAtMs }) => dueAtMs === undefined || (wakeAtMs !== null && wakeAtMs <= dueAtMs))
      .filter((row) => forkedFrom === undefined || row.forkedFrom?.runId === forkedFrom)
      .toReversed()
      .slice(0, limit);
  }

  #isOrphan({ parent }: RunRow): boolean {
    const of = parent?.as === "subflow" ? this.#runs.get(parent.runId) : undefined;
    return of !== undefined && OVER.has(of.row.status);
  }

  async events(runId: string, afterSeq: number, limit = Infinity): Promise<readonly StoredEvent[]> {
    return this.#runs.get(runId)?.events.slice(afterSeq, afterSeq + limit) ?? [];
  }

  async outputs(runId: string, table: OutputTable): Promise<readonly OutputCells[]> {
    return [...(this.#runs.get(runId)?.outputs.values() ?? [])].filter((cells) => cells.table.name === table.name);
  }

  async blobRefs(): Promise<ReadonlySet<string>> {
    return new Set([...this.#runs.values()].flatMap((run) => sizeOfRun(run).blobs));
  }

  async sizes(): Promise<readonly RunSize[]> {
    return [...this.#runs.values()].map(sizeOfRun);
  }

  async heartbeats(runId: string): Promise<readonly Heartbeat[]> {
    return [...(this.#runs.get(runId)?.heartbeats.values() ?? [])];
  }

  async frames(runId: string, untilSeq = Infinity): Promise<readonly FrameRow[]> {
    const rows = this.#runs.get(runId)?.frames.filter(({ seq }) => seq <= untilSeq) ?? [];
    return rows.slice(
      Math.max(
        0,
        rows.findLastIndex(({ full }) => full),
      ),
    );
  }

  async approvals({ runId, ref, only }: ApprovalFilter): Promise<readonly ApprovalRow[]> {
    const runs = [...this.#runs.values()].filter(({ row }) => runId === undefined || row.runId === runId);
    const rows = runs.flatMap((run) => [...run.approvals.values()]).map((row) => ({ ...row }));
    return rows
      .filter((row) => !ref || stateKey(row) === stateKey(ref))
      .filter((row) => !only || (!row.decided && !row.voided));
  }

  async pastDecisions(query: Parameters<RunStore["pastDecisions"]>[0]): Promise<readonly PastDecision[]> {
    return (await this.approvals({}))
      .filter(
        (row) => row.workflow === query.workflow && row.nodeId === query.nodeId && row.runId !== query.exceptRunId,
      )
      .flatMap(({ decided }) => decided ?? [])
      .filter(({ by }) => by !== query.exceptBy)
      .toSorted((a, b) => b.atMs - a.atMs)
      .map(({ decision, by }) => ({ verdict: decision.verdict, by }))
      .slice(0, query.limit);
  }

  async cached(key: string): Promise<CacheEntry | null> {
    return this.#cache.get(key) ?? null;
  }

  async decide({ runId, decision, by, atMs, ...ref }: Parameters<RunStore["decide"]>[0]): Promise<DecideResult> {
    const run = this.#runs.get(runId);
    const row = run?.approvals.get(stateKey(ref));
    if (!run || !row) return { kind: "not-found" };
    const result = settle(run, row, { decision, by, atMs });
    if (result.kind === "decided") this.#watchers.notify(runId);
    return result;
  }

  async post({ runId, event, atMs }: Parameters<RunStore["post"]>[0]): ReturnType<RunStore["post"]> {
    const run = this.#runs.get(runId);
    if (!run) return "not-found";
    if (OVER.has(run.row.status)) return "over";
    appendOutside(run, event, atMs);
    this.#watchers.notify(runId);
    return "posted";
  }

  async pause({ runId, wanted, by, atMs }: Parameters<RunStore["pause"]>[0]): ReturnType<RunStore["pause"]> {
    const run = this.#runs.get(runId);
    if (!run) return "not-found";
    if (OVER.has(run.row.status)) return "over";
    const owned = run.row.owner !== null;
    if (!owned && wanted === (run.row.status === "paused")) return "done";
    for (const event of pauseEvents({ wanted, by, owned })) appendOutside(run, event, atMs);
    this.#watchers.notify(runId);
    if (owned) return "requested";
    Object.assign(run.row, { status: wanted ? "paused" : "running", wakeAtMs: null });
    return "done";
  }

  async requestCancel({
    runId,
    by,
    atMs,
  }: Parameters<RunStore["requestCancel"]>[0]): Promise<"requested" | "cancelled" | "not-running"> {
    const run = this.#runs.get(runId);
    if (!run || OVER.has(run.row.status)) return "not-running";
    this.#watchers.notify(runId);
    run.row.cancelRequestedBy = by;
    if (run.row.owner) return "requested";
    Object.assign(run.row, { status: "cancelled", epoch: run.row.epoch + 1 });
    appendTo(run, [{ type: "run.status", status: "cancelled" }], atMs);
    run.row.wakeAtMs = null;
    voidApprovals(run, () => true);
    return "cancelled";
  }

  #owned(runId: string, epoch: number): MemoryRun | undefined {
    const run = this.#runs.get(runId);
    return run?.row.epoch === epoch && run.row.owner ? run : undefined;
  }
}

function settle(run: MemoryRun, row: Mutable<ApprovalRow>, decided: NonNullable<ApprovalRow["decided"]>): DecideResult {
  if (row.voided) return { kind: "void" };
  if (row.decided) return { kind: "already-decided", by: row.decided.by, atMs: row.decided.atMs };
  row.decided = decided;
  const { decision, by, atMs } = decided;
  appendOutside(run, { type: "approval.decided", ...refOf(row), verdict: decision.verdict, by }, atMs);
  return { kind: "decided" };
}

const newsFor = ({ row }: MemoryRun, { status }: Batch): ReturnType<typeof unheard> =>
  status ? unheard(status, row.lastSeq, () => row.cancelRequestedBy !== null) : "nothing";

function write(run: MemoryRun, batch: Batch): CommitResult {
  const firstSeq = run.row.lastSeq + 1;
  const news = newsFor(run, batch);
  appendTo(run, batch.events, batch.atMs);
  run.row.heartbeatAtMs = batch.atMs;
  for (const cells of batch.outputs) if (!run.outputs.has(stateKey(cells))) run.outputs.set(stateKey(cells), cells);
  for (const approval of batch.approvals)
    run.approvals.set(stateKey(approval), {
      ...approval,
      runId: batch.runId,
      openedAtMs: batch.atMs,
      voided: false,
    });
  voidApprovals(run, (row) => batch.voided.some((ref) => stateKey(ref) === stateKey(row)));
  for (const beat of batch.heartbeats) run.heartbeats.set(stateKey(beat), beat);
  for (const { offset, ...frame } of batch.frames) run.frames.push({ ...frame, seq: firstSeq - 1 + offset });
  if (batch.status) {
    const { status, error, wakeAtMs } = batch.status;
    Object.assign(run.row, { status, error, owner: null, wakeAtMs: news === "wakes" ? batch.atMs : wakeAtMs }); // S6
    if (OVER.has(status)) voidApprovals(run, () => true);
  }
  return { kind: "committed", firstSeq };
}

function voidApprovals(run: MemoryRun, which: (row: ApprovalRow) => boolean): void {
  for (const row of run.approvals.values()) if (!row.decided && which(row)) row.voided = true;
}

/** S6 */
function appendOutside(run: MemoryRun, event: RunEventBody, atMs: number): void {
  appendTo(run, [event], atMs);
  if (!run.row.owner) run.row.wakeAtMs = atMs;
}
