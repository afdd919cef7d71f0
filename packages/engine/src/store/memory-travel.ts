/** Time travel over the memory store's runs: see `travel-port.ts` for what must hold. */
import { stateKey } from "../graph/identity.ts";
import { OVER } from "../run/events.ts";
import type { OutputCells } from "./port.ts";
import { appendTo, newRun, type MemoryRun } from "./memory-run.ts";
import type { ArchivedOutput, NewFork, ResetRun, TravelRow, TravelStore } from "./travel-port.ts";

export function memoryTravel(runs: Map<string, MemoryRun>, notify: (runId: string) => void): TravelStore {
  const travels: TravelRow[] = [];
  return {
    async reset(reset) {
      const run = runs.get(reset.runId);
      if (run?.row.epoch !== reset.epoch) return "stale";
      resetRun(run, reset);
      notify(reset.runId);
      return "reset";
    },
    async note({ runId, atMs, events, at }) {
      const run = runs.get(runId);
      if (!run || (at && at.epoch !== run.row.epoch)) return false;
      appendTo(run, events, atMs);
      if (at) run.row.error = at.error;
      return true;
    },
    async fork(fork) {
      if (runs.has(fork.runId)) return "exists";
      runs.set(fork.runId, forkOf(fork));
      return "created";
    },
    archived: async (runId) => [...(runs.get(runId)?.archive ?? [])],
    async beginTravel(row) {
      const busy = travels.find((other) => other.runId === row.runId && other.result === "in-progress");
      if (busy && row.result === "in-progress") return busy;
      travels.unshift(row);
      return null;
    },
    async updateTravel(travelId, change) {
      const at = travels.findIndex((row) => row.travelId === travelId);
      const row = travels[at];
      if (row) travels[at] = { ...row, ...change };
    },
    async forget(runIds) {
      for (const runId of runIds) if (OVER.has(runs.get(runId)?.row.status ?? "running")) runs.delete(runId);
    },
    travels: async (runId) => travels.filter((row) => row.runId === runId),
  };
}

function resetRun(run: MemoryRun, { atMs, events, nodes, archive, status }: ResetRun): void {
  const untilSeq = run.row.lastSeq + 1;
  run.archive.push(...archive.map((output) => archivedOutput(output, untilSeq)));
  for (const output of archive) run.outputs.delete(stateKey(output));
  for (const node of nodes) for (const rows of [run.approvals, run.heartbeats]) rows.delete(stateKey(node));
  const back = { epoch: run.row.epoch + 1, owner: null, status, error: null, cancelRequestedBy: null, wakeAtMs: null };
  Object.assign(run.row, back);
  appendTo(run, events, atMs);
}

const archivedOutput = ({ table, nodeId, iteration, cells }: OutputCells, untilSeq: number): ArchivedOutput => ({
  nodeId,
  iteration,
  untilSeq,
  table: table.name,
  cells: Object.fromEntries(table.columns.map((column, at) => [column.name, cells[at] ?? null])),
});

function forkOf({ copied, events, outputs, frames, from, atMs, ...rest }: NewFork): MemoryRun {
  const run = newRun({ ...rest, atMs, owner: null, status: "paused", forkedFrom: from });
  run.events.push(...copied.map((event) => ({ ...event, runId: rest.runId })));
  run.row.lastSeq = copied.length;
  for (const output of outputs) run.outputs.set(stateKey(output), output);
  run.frames.push(...frames);
  appendTo(run, events, atMs);
  return run;
}
