/** From what is recorded back to what a run holds in memory: the log and the rows, folded. */
import { stateKey } from "../graph/identity.ts";
import type { JsonValue } from "../outputs/json.ts";
import { OutputRows } from "../outputs/rows.ts";
import { decodeRow } from "../outputs/table.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { OutputCells, RunStore } from "../store/port.ts";
import type { StoredEvent } from "./events.ts";
import { foldEvents, type RunState } from "./state.ts";

export interface Replayed {
  readonly state: RunState;
  readonly rows: OutputRows;
  readonly heartbeats: Map<string, JsonValue>;
  /** The newest event that was read. */
  readonly seenSeq: number;
}

export async function replay(store: RunStore, workflow: WorkflowDefinition, runId: string): Promise<Replayed> {
  const events = await store.events(runId, 0);
  const cells = await allOutputs(store, workflow, runId);
  const heartbeats = new Map((await store.heartbeats(runId)).map((beat) => [stateKey(beat), beat.payload]));
  return { state: foldEvents(events), rows: rowsOf(cells, events), heartbeats, seenSeq: events.at(-1)?.seq ?? 0 };
}

export const allOutputs = async (
  store: RunStore,
  { registry }: WorkflowDefinition,
  runId: string,
): Promise<readonly OutputCells[]> =>
  (await Promise.all(registry.tables.map((table) => store.outputs(runId, table)))).flat();

/** In the order in which they were recorded. */
export function rowsOf(cells: readonly OutputCells[], events: readonly StoredEvent[]): OutputRows {
  const finishedAt = new Map(
    events.flatMap((event) => (event.type === "node.finished" ? [[stateKey(event), event.seq] as const] : [])),
  );
  const seqOf = (output: OutputCells): number => finishedAt.get(stateKey(output)) ?? 0;
  const rows = new OutputRows();
  for (const output of cells.toSorted((a, b) => seqOf(a) - seqOf(b))) {
    const row = decodeRow(output.table, output.cells); // at once: a row that cannot be read is said before anything runs
    rows.add(output.table.name, output, () => row);
  }
  return rows;
}
