/** The store for tests and previews: nothing survives the process. */
import { stateKey, type NodeRef } from "../graph/identity.ts";
import type { RunEventBody, StoredEvent } from "../run/events.ts";
import type {
  ApprovalRow,
  Batch,
  CommitResult,
  DecideResult,
  Heartbeat,
  OutputCells,
  RunRow,
  RunStore,
} from "./port.ts";
import { watchers } from "./watchers.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Run {
  readonly row: Mutable<RunRow>;
  readonly events: StoredEvent[];
  readonly outputs: Map<string, OutputCells>;
  readonly approvals: Map<string, Mutable<ApprovalRow>>;
  readonly heartbeats: Map<string, Heartbeat>;
}

const SETTLED = new Set(["finished", "failed", "cancelled", "continued"]);

export function openMemoryStore(): RunStore {
  const runs = new Map<string, Run>();
  const { watch, notify } = watchers();
  const owned = (runId: string, epoch: number): Run | undefined => {
    const run = runs.get(runId);
    return run && run.row.epoch === epoch && run.row.owner ? run : undefined;
  };

  return {
    watch,
    defineOutputs: async () => {},
    async create({ atMs, ...run }) {
      if (runs.has(run.runId)) return "exists";
      const row: RunRow = {
        ...run,
        status: "running",
        error: null,
        epoch: 1,
        heartbeatAtMs: atMs,
        lastSeq: 0,
        cancelRequestedBy: null,
        createdAtMs: atMs,
        updatedAtMs: atMs,
      };
      const created: Run = {
        row: { ...row },
        events: [],
        outputs: new Map(),
        approvals: new Map(),
        heartbeats: new Map(),
      };
      runs.set(run.runId, created);
      append(created, [{ type: "run.started", workflow: run.workflow }], atMs);
      return "created";
    },
    async claim({ runId, epoch, owner, atMs }) {
      const run = runs.get(runId);
      if (!run || run.row.epoch !== epoch) return null;
      Object.assign(run.row, { epoch: epoch + 1, owner, heartbeatAtMs: atMs, status: "running", updatedAtMs: atMs });
      append(run, [{ type: "run.claimed", epoch: epoch + 1 }], atMs);
      notify(runId);
      return epoch + 1;
    },
    async commit(batch) {
      const run = owned(batch.runId, batch.epoch);
      if (!run) return { kind: "stale" };
      return write(run, batch);
    },
    async beat({ runId, epoch, atMs }) {
      const run = owned(runId, epoch);
      if (run) run.row.heartbeatAtMs = atMs;
      return run !== undefined;
    },
    run: async (runId) => ({ ...runs.get(runId)?.row }).runId ? { ...(runs.get(runId) as Run).row } : null,
    runs: async ({ status, limit = Infinity }) =>
      [...runs.values()]
        .map(({ row }) => ({ ...row }))
        .filter((row) => !status || status.includes(row.status))
        .toReversed()
        .slice(0, limit),
    events: async (runId, afterSeq, limit = Infinity) =>
      runs.get(runId)?.events.slice(afterSeq, afterSeq + limit) ?? [],
    outputs: async (runId, table) =>
      [...(runs.get(runId)?.outputs.values() ?? [])].filter((cells) => cells.table.name === table.name),
    heartbeats: async (runId) => [...(runs.get(runId)?.heartbeats.values() ?? [])],
    async approvals({ runId, only }) {
      const rows = [...runs.values()]
        .filter(({ row }) => runId === undefined || row.runId === runId)
        .flatMap((run) => [...run.approvals.values()]);
      return rows
        .map((row) => ({ ...row }))
        .filter((row) => !only || (only === "open" ? !row.decided : row.decided && !row.applied));
    },
    async decide({ runId, decision, by, atMs, ...ref }) {
      const run = runs.get(runId);
      const row = run?.approvals.get(stateKey(ref));
      if (!run || !row) return { kind: "not-found" };
      const result = settle(run, row, { decision, by, atMs });
      if (result.kind === "decided") notify(runId);
      return result;
    },
    async requestCancel({ runId, by, atMs }) {
      const run = runs.get(runId);
      if (!run || SETTLED.has(run.row.status)) return "not-running";
      notify(runId);
      run.row.cancelRequestedBy = by;
      if (run.row.owner) return "requested";
      Object.assign(run.row, { status: "cancelled", epoch: run.row.epoch + 1 });
      append(run, [{ type: "run.status", status: "cancelled" }], atMs);
      return "cancelled";
    },
  };
}

function settle(run: Run, row: Mutable<ApprovalRow>, decided: NonNullable<ApprovalRow["decided"]>): DecideResult {
  if (row.decided) return { kind: "already-decided", by: row.decided.by, atMs: row.decided.atMs };
  row.decided = decided;
  append(
    run,
    [{ type: "approval.decided", ...refOf(row), verdict: decided.decision.verdict, by: decided.by }],
    decided.atMs,
  );
  return { kind: "decided" };
}

const copyOf = (row: RunRow | undefined): RunRow | null => (row ? { ...row } : null);
const refOf = ({ nodeId, iteration }: NodeRef): NodeRef => ({ nodeId, iteration });

function write(run: Run, batch: Batch): CommitResult {
  const firstSeq = run.row.lastSeq + 1;
  append(run, batch.events, batch.atMs);
  run.row.heartbeatAtMs = batch.atMs;
  for (const cells of batch.outputs) if (!run.outputs.has(stateKey(cells))) run.outputs.set(stateKey(cells), cells);
  for (const approval of batch.approvals)
    run.approvals.set(stateKey(approval), {
      ...approval,
      runId: batch.runId,
      openedAtMs: batch.atMs,
      decided: null,
      applied: false,
    });
  for (const ref of batch.applied) Object.assign(run.approvals.get(stateKey(ref)) ?? {}, { applied: true });
  for (const beat of batch.heartbeats) run.heartbeats.set(stateKey(beat), beat);
  if (batch.status) Object.assign(run.row, { status: batch.status.status, error: batch.status.error });
  if (batch.status?.release) run.row.owner = null;
  return { kind: "committed", firstSeq };
}

function append(run: Run, events: readonly RunEventBody[], atMs: number): void {
  for (const event of events) run.events.push({ ...event, runId: run.row.runId, seq: (run.row.lastSeq += 1), atMs });
  run.row.updatedAtMs = atMs;
}
