/** One run of the memory store. */
import { blobOf, toHex } from "../blobs/ref.ts";
import type { FrameRow } from "../frames/frame-log.ts";
import { sizeOf } from "../outputs/json.ts";
import type { RunEventBody, StoredEvent } from "../run/events.ts";
import { NO_METADATA } from "../run/metadata.ts";
import type { ApprovalRow, Heartbeat, NewRun, OutputCells, RunRow, RunSize } from "./port.ts";
import type { ArchivedOutput } from "./travel-port.ts";

export type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export interface MemoryRun {
  readonly row: Mutable<RunRow>;
  readonly events: StoredEvent[];
  readonly outputs: Map<string, OutputCells>;
  readonly approvals: Map<string, Mutable<ApprovalRow>>;
  readonly heartbeats: Map<string, Heartbeat>;
  readonly frames: FrameRow[];
  readonly archive: ArchivedOutput[];
}

export const newRun = ({
  atMs,
  metadata = NO_METADATA,
  parent = null,
  ...run
}: Omit<NewRun, "owner"> & Pick<RunRow, "owner" | "status" | "forkedFrom">): MemoryRun => ({
  row: {
    ...run,
    metadata,
    parent,
    error: null,
    epoch: 1,
    heartbeatAtMs: atMs,
    lastSeq: 0,
    cancelRequestedBy: null,
    wakeAtMs: null,
    createdAtMs: atMs,
    updatedAtMs: atMs,
  },
  events: [],
  outputs: new Map(),
  approvals: new Map(),
  heartbeats: new Map(),
  frames: [],
  archive: [],
});

export function appendTo(run: MemoryRun, events: readonly RunEventBody[], atMs: number): void {
  for (const event of events) run.events.push({ ...event, runId: run.row.runId, seq: (run.row.lastSeq += 1), atMs });
  run.row.updatedAtMs = atMs;
}

/** Of its rows as JSON. */
export function sizeOfRun({ row, events, outputs, approvals, heartbeats, frames, archive }: MemoryRun): RunSize {
  const cells = [...outputs.values()].flatMap((output) => output.cells);
  const named = cells.map((cell) => (cell instanceof Uint8Array ? toHex(cell) : null));
  const beats = [...heartbeats.values()].map(({ payload }) => blobOf(payload));
  const all = [row, events, cells, [...approvals.values()], [...heartbeats.values()], frames, archive];
  return {
    runId: row.runId,
    bytes: sizeOf(JSON.stringify(all)),
    blobs: [...new Set([...named, ...beats].filter((ref) => ref !== null))],
  };
}
