/** A run as the store has it, and as it was at any frame.
 *  H1. A row that was reset later is taken from the archive: the present never leaks into the past. */
import { SmoothError } from "@smooth/protocol/errors";
import { stateKey } from "../graph/identity.ts";
import type { Plan } from "../graph/plan.ts";
import type { StoredEvent } from "../run/events.ts";
import { Frames } from "../run/frames.ts";
import { parseInput } from "../run/input.ts";
import { allOutputs, rowsOf } from "../run/replay.ts";
import { foldEvents } from "../run/state.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { OutputCells, RunRow, RunStore } from "../store/port.ts";

export interface Recorded {
  readonly events: readonly StoredEvent[];
  readonly cells: readonly OutputCells[];
}

export async function runOf(store: RunStore, runId: string): Promise<RunRow> {
  const run = await store.run(runId);
  if (run) return run;
  throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
}

export async function recordedNow(store: RunStore, workflow: WorkflowDefinition, runId: string): Promise<Recorded> {
  await store.defineOutputs(workflow.registry.tables);
  return { events: await store.events(runId, 0), cells: await allOutputs(store, workflow, runId) };
}

/** H1. Throws SNAPSHOT_NOT_FOUND. */
export async function recordedAt(
  { store, workflow }: { readonly store: RunStore; readonly workflow: WorkflowDefinition },
  run: RunRow,
  seq: number,
): Promise<Recorded> {
  checkFrame(run, seq);
  const now = await recordedNow(store, workflow, run.runId);
  const events = now.events.filter((event) => event.seq <= seq);
  const finished = new Set(
    [...foldEvents(events).nodes].flatMap(([key, node]) => (node.kind === "finished" ? [key] : [])),
  );
  const cells = new Map(now.cells.map((output) => [stateKey(output), output]));
  for (const { untilSeq, table: name, ...old } of (await store.archived(run.runId)).toReversed()) {
    const table = workflow.registry.tables.find((candidate) => candidate.name === name);
    if (!table || untilSeq <= seq) continue;
    const { nodeId, iteration } = old;
    cells.set(stateKey(old), {
      nodeId,
      iteration,
      table,
      cells: table.columns.map((column) => old.cells[column.name] ?? null),
    });
  }
  return { events, cells: [...cells].flatMap(([key, output]) => (finished.has(key) ? [output] : [])) };
}

export function checkFrame({ runId, lastSeq }: RunRow, seq: number): void {
  if (Number.isInteger(seq) && seq >= 1 && seq <= lastSeq) return;
  throw new SmoothError("SNAPSHOT_NOT_FOUND", `run ${runId} has the frames 1 to ${lastSeq}, not ${seq}`, {
    details: { runId, frame: seq },
  });
}

/** The plan that this record renders to. */
export function planOf(
  workflow: WorkflowDefinition,
  { runId, input, auth }: Pick<RunRow, "runId" | "input" | "auth">,
  { events, cells }: Recorded,
): Plan {
  const { loops, scopes } = foldEvents(events);
  const parsed = parseInput(workflow.inputSchema, input);
  const frames = new Frames({ workflow, runId, input: parsed, auth, rows: rowsOf(cells, events), loops, scopes });
  try {
    return frames.render();
  } finally {
    frames.close();
  }
}
