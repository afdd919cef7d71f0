/** What time travel needs of a store, beside what runs need; `travel.contract.ts` holds every implementation to this text.
 *  Y1. A reset is one transaction under a new epoch: rows gone, archived, events written, owner gone; or nothing at all.
 *  Y2. An output row that is reset is not lost: the archive keeps it with the seq of the reset.
 *  Y3. At most one travel of a run is under way, across processes. */
import type { SqlValue } from "@smooth/platform/ports";
import type { FrameRow } from "../frames/frame-log.ts";
import type { NodeRef } from "../graph/identity.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { ErrorInfo, RunEventBody, StoredEvent } from "../run/events.ts";
import type { RunMetadata } from "../run/metadata.ts";
import type { OutputCells, Owner } from "./port.ts";

export interface ResetRun {
  readonly runId: string;
  /** The epoch the decision was made at. */
  readonly epoch: number;
  readonly atMs: number;
  /** Written in this order; the first is the `nodes.reset`, whose seq the archive names. */
  readonly events: readonly RunEventBody[];
  readonly nodes: readonly NodeRef[];
  /** The output rows of those nodes, as they are now. */
  readonly archive: readonly OutputCells[];
  /** `running`: a supervisor goes on with it; `paused`: whoever asked for the reset does. */
  readonly status: "running" | "paused";
}

export interface NewNote {
  readonly runId: string;
  readonly atMs: number;
  readonly events: readonly RunEventBody[];
  readonly at?: { readonly epoch: number; readonly error: ErrorInfo | null } | undefined;
}

export interface ArchivedOutput extends NodeRef {
  readonly table: string;
  /** By column name. */
  readonly cells: Readonly<Record<string, SqlValue>>;
  /** The row held until this event. */
  readonly untilSeq: number;
}

export interface ForkedFrom {
  readonly runId: string;
  readonly atSeq: number;
  readonly label: string | null;
}

export interface NewFork {
  readonly runId: string;
  readonly workflow: string;
  readonly input: JsonValue;
  readonly auth: JsonValue;
  readonly metadata: RunMetadata;
  readonly from: ForkedFrom;
  readonly atMs: number;
  /** From the source, in order, from its first on: they keep seq and time. */
  readonly copied: readonly StoredEvent[];
  /** What the fork adds. */
  readonly events: readonly RunEventBody[];
  readonly outputs: readonly OutputCells[];
  readonly frames: readonly FrameRow[];
}

export type TravelResult = "in-progress" | "success" | "refused" | "failed" | "partial";

/** The audit of one travel, written before anything moves. */
export interface TravelRow {
  readonly travelId: string;
  readonly runId: string;
  readonly verb: "rewind";
  readonly by: string;
  /** The frame asked for. */
  readonly toSeq: number;
  readonly atMs: number;
  /** Who holds the lock while it is in progress, and when it last said so. */
  readonly owner: Owner;
  readonly beatAtMs: number;
  readonly result: TravelResult;
  /** Why, in words. */
  readonly detail: string | null;
  /** While in progress: the files to put back when it does not succeed. */
  readonly undo: readonly FilesAt[];
}

/** The files of a folder under version control, by the name that version control gave them. */
export interface FilesAt {
  readonly root: string;
  readonly pointer: string;
}

export interface TravelStore {
  /** Y1. `stale`: the run moved on, nothing is changed. */
  reset(reset: ResetRun): Promise<"reset" | "stale">;
  /** Events about a run that its owner does not write; they wake nobody. With `at`, only while the run has that epoch, and then its
   *  error becomes the given one. False: nothing was written. */
  note(note: NewNote): Promise<boolean>;
  /** A run without an owner, paused, at epoch 1. */
  fork(fork: NewFork): Promise<"created" | "exists">;
  /** Oldest reset first. */
  archived(runId: string): Promise<readonly ArchivedOutput[]>;
  /** Writes the audit row. Y3: `busy` with the row that is in progress when this one would be, too. */
  beginTravel(row: TravelRow): Promise<TravelRow | null>;
  updateTravel(
    travelId: string,
    change: Partial<Pick<TravelRow, "result" | "detail" | "undo" | "beatAtMs">>,
  ): Promise<void>;
  /** Everything of these runs, their output rows too, in one transaction; a run that is not over is left alone. */
  forget(runIds: readonly string[]): Promise<void>;
  /** Newest first. */
  travels(runId: string): Promise<readonly TravelRow[]>;
}
