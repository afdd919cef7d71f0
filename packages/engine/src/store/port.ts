/** Where runs live. Memory, SQLite and (for teams) Postgres implement it; `store.contract.ts` holds every implementation to this text.
 *  S1. One commit is one transaction: its events, output rows, approvals and status are all there after it, or none.
 *  S2. Every owner's write carries the epoch; after a claim by another owner it is refused and changes nothing.
 *  S3. `(run, node, iteration)` has at most one output row, and the first one stays.
 *  S4. An approval is decided at most once, by whoever comes first.
 *  S5. When a commit's promise resolves as committed, it survives what the implementation promises to survive (power loss, for SQLite with FULL).
 *  S6. No wake-up is lost: whoever changes a suspended run from outside makes it due at once, and an owner that suspends it without
 *      having seen all its events (`seenSeq`), or that it is to be cancelled, leaves it due at once.
 *  S7. When a run is over, nobody is asked anything about it any more.
 *  S8. A successor is created in the transaction that ends its predecessor.
 *  S9. An owner that continues a run as new, or pauses it, has seen all that others wrote: else nothing is written and it hears
 *      `behind`, for in the old run, or in one that nothing wakes, it would be lost. */
import type { SqlValue } from "@smooth/platform/ports";
import type { FrameRow, NewFrame } from "../frames/frame-log.ts";
import type { CacheStore, NewCacheEntry } from "../cache/port.ts";
import type { ApprovalRequest } from "../graph/plan.ts";
import type { NodeRef } from "../graph/identity.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { OutputTable } from "../outputs/table.ts";
import type { Acceptance, RunMetadata } from "../run/metadata.ts";
import { OVER, type ErrorInfo, type RunEventBody, type RunStatus, type StoredEvent } from "../run/events.ts";
import type { ForkedFrom, TravelStore } from "./travel-port.ts";

/** Which process owns a run. */
export interface Owner {
  readonly host: string;
  /** Changes when the machine starts anew, so that pids are comparable. */
  readonly boot: string;
  readonly pid: number;
  /** Tells a reused pid from the old process. */
  readonly pidStartedAt: string;
}

export interface RunRow {
  readonly runId: string;
  readonly workflow: string;
  readonly status: RunStatus;
  /** JSON, as given. */
  readonly input: JsonValue;
  readonly auth: JsonValue;
  readonly metadata: RunMetadata;
  readonly parent: RunParent | null;
  readonly error: ErrorInfo | null;
  readonly owner: Owner | null;
  readonly epoch: number;
  readonly heartbeatAtMs: number;
  readonly lastSeq: number;
  readonly cancelRequestedBy: string | null;
  /** A suspended run that should be taken up when this time comes; null: not by time alone. */
  readonly wakeAtMs: number | null;
  readonly forkedFrom: ForkedFrom | null;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

export type RunEpoch = Pick<RunRow, "runId" | "epoch">;

/** Where a run comes from: it goes on for one that continued as new, or it is a subflow, of the node with this state key. */
export interface RunParent {
  readonly runId: string;
  readonly as: "continuation" | "subflow";
  readonly key: string | null;
}

export interface NewRun {
  readonly runId: string;
  readonly workflow: string;
  readonly input: JsonValue;
  readonly auth: JsonValue;
  readonly metadata?: RunMetadata | undefined;
  readonly parent?: RunParent | null | undefined;
  readonly owner: Owner;
  readonly atMs: number;
}

export interface OutputCells extends NodeRef {
  readonly table: OutputTable;
  readonly cells: readonly SqlValue[];
}

export interface NewApproval extends NodeRef {
  readonly request: ApprovalRequest;
  /** `answer`: a person is asked for JSON. */
  readonly mode: "approve" | "select" | "rank" | "answer";
  /** The workflow's name. */
  readonly workflow: string;
  /** Decided in the same breath, without asking anybody. */
  readonly decided: ApprovalRow["decided"];
}

/** One decision about a node, in another run. */
export interface PastDecision {
  readonly verdict: ApprovalDecision["verdict"];
  readonly by: string;
}

export type ApprovalDecision =
  | {
      readonly verdict: "approve";
      readonly note?: string | undefined;
      readonly selected?: string | undefined;
      readonly ranked?: readonly string[] | undefined;
    }
  | { readonly verdict: "answer"; readonly value: JsonValue; readonly note?: string | undefined }
  | { readonly verdict: "deny"; readonly note?: string | undefined };

export interface ApprovalRow extends NewApproval {
  readonly runId: string;
  readonly openedAtMs: number;
  readonly decided: { readonly decision: ApprovalDecision; readonly by: string; readonly atMs: number } | null;
  /** Undecided, and nobody is asked any more: the node was given up, or its run is over. */
  readonly voided: boolean;
}

export interface Heartbeat extends NodeRef {
  readonly payload: JsonValue;
}

/** A run created by another one's last flush, with what it brings along. */
export interface Successor {
  readonly run: NewRun;
  readonly events: readonly RunEventBody[];
  readonly outputs: readonly OutputCells[];
}

/** One flush of one run. */
export interface Batch {
  readonly runId: string;
  readonly epoch: number;
  readonly atMs: number;
  readonly events: readonly RunEventBody[];
  readonly outputs: readonly OutputCells[];
  /** One that is asked again replaces what is left of the first time. */
  readonly approvals: readonly NewApproval[];
  /** Waits that were given up: nobody is asked any more. */
  readonly voided: readonly NodeRef[];
  readonly heartbeats: readonly Heartbeat[];
  readonly frames: readonly NewFrame[];
  /** Rows to keep for later executions. */
  readonly cached: readonly NewCacheEntry[];
  /** S8. The run that goes on where this one ends. */
  readonly successor?: Successor | undefined;
  readonly status: StatusChange | null;
}

/** A flush that says nothing; what it does say is spread over it. */
export const NOTHING = {
  events: [],
  outputs: [],
  approvals: [],
  voided: [],
  heartbeats: [],
  frames: [],
  cached: [],
  status: null,
} as const satisfies Partial<Batch>;

/** The end of this owner's work on the run: over, suspended, or let go. The run has no owner after it. */
export interface StatusChange {
  readonly status: RunStatus;
  readonly error: ErrorInfo | null;
  /** When a suspended run is due again. */
  readonly wakeAtMs: number | null;
  /** S6, S9. The last event the owner has seen. */
  readonly seenSeq: number;
}

/** S9 */
export const MUST_HEAR: ReadonlySet<RunStatus> = new Set(["continued", "paused"]);

/** What an owner that leaves its run has not heard of. `isCancelWanted` is asked only where it matters. */
export function unheard(
  { status, seenSeq }: StatusChange,
  lastSeq: number,
  isCancelWanted: () => boolean,
): "nothing" | "wakes" | "behind" {
  const ends = OVER.has(status) && !MUST_HEAR.has(status);
  if (lastSeq <= seenSeq && (ends || !isCancelWanted())) return "nothing";
  return MUST_HEAR.has(status) ? "behind" : "wakes";
}

export type CommitResult =
  | { readonly kind: "committed"; readonly firstSeq: number }
  | { readonly kind: "stale" }
  /** S9 */
  | { readonly kind: "behind" };

export type DecideResult =
  | { readonly kind: "decided" }
  | { readonly kind: "already-decided"; readonly by: string; readonly atMs: number }
  | { readonly kind: "void" }
  | { readonly kind: "not-found" };

/** Events that somebody else than the owner writes. */
export type OutsideEvent = Extract<
  RunEventBody,
  { type: "signal.received" | "human.rejected" | "hijack.requested" | "hijack.ended" }
>;

export interface RunFilter {
  readonly status?: readonly RunStatus[] | undefined;
  /** Only runs whose `wakeAtMs` has come at this time. */
  readonly dueAtMs?: number | undefined;
  /** Only forks of this run. */
  readonly forkedFrom?: string | undefined;
  /** Only runs that come from this one. */
  readonly parentRunId?: string | undefined;
  /** Only subflows of runs that are over. */
  readonly orphaned?: true | undefined;
  readonly limit?: number | undefined;
}

export interface ApprovalFilter {
  /** Absent: of all runs. */
  readonly runId?: string | undefined;
  /** Only the one of this node. */
  readonly ref?: NodeRef | undefined;
  /** Only those that somebody may decide. */
  readonly only?: "open" | undefined;
}

export interface RunSize {
  readonly runId: string;
  /** Of its rows, about: what the database adds to them is not counted. */
  readonly bytes: number;
  /** That its rows refer to. */
  readonly blobs: readonly string[];
}

export interface RunStore extends CacheStore, TravelStore {
  /** Creates or widens the output tables. Throws DB_MISSING_COLUMNS when a table cannot hold the schema. */
  defineOutputs(tables: readonly OutputTable[]): Promise<void>;

  /** The run, its owner and `run.started`, in one step, at epoch 1. */
  create(run: NewRun): Promise<"created" | "exists">;
  /** Compare-and-swap: takes the run when its epoch is still `epoch`; answers the new epoch or null. What was accepted is
   *  recorded with it. */
  claim(claim: {
    readonly runId: string;
    readonly epoch: number;
    readonly owner: Owner;
    readonly atMs: number;
    readonly accepted?: Acceptance | null;
  }): Promise<number | null>;
  /** For workers that share a store: takes up to `limit` of these runs, in this order, and waits for none that another worker is
   *  taking. Answers with those it took, at their new epochs. */
  claimSome(claim: {
    readonly runs: readonly RunEpoch[];
    readonly owner: Owner;
    readonly atMs: number;
    readonly limit: number;
  }): Promise<readonly RunEpoch[]>;
  commit(batch: Batch): Promise<CommitResult>;
  /** Renews the lease; false when the run belongs to somebody else now. */
  beat(beat: { readonly runId: string; readonly epoch: number; readonly atMs: number }): Promise<boolean>;

  run(runId: string): Promise<RunRow | null>;
  /** Newest first. */
  runs(filter: RunFilter): Promise<readonly RunRow[]>;
  events(runId: string, afterSeq: number, limit?: number): Promise<readonly StoredEvent[]>;
  outputs(runId: string, table: OutputTable): Promise<readonly OutputCells[]>;
  heartbeats(runId: string): Promise<readonly Heartbeat[]>;
  /** From the last full tree that stands at `untilSeq` or before it, to `untilSeq`; default: the newest. */
  frames(runId: string, untilSeq?: number): Promise<readonly FrameRow[]>;
  approvals(filter: ApprovalFilter): Promise<readonly ApprovalRow[]>;

  /** What was decided about this node in other runs of a workflow, newest first. */
  pastDecisions(query: {
    readonly workflow: string;
    readonly nodeId: string;
    readonly exceptRunId: string;
    readonly exceptBy: string;
    readonly limit: number;
  }): Promise<readonly PastDecision[]>;

  /** Writes the decision and its event. */
  decide(
    decision: NodeRef & {
      readonly runId: string;
      readonly decision: ApprovalDecision;
      readonly by: string;
      readonly atMs: number;
    },
  ): Promise<DecideResult>;
  /** Records what came from outside, for the owner to act on. */
  post(post: {
    readonly runId: string;
    readonly event: OutsideEvent;
    readonly atMs: number;
  }): Promise<"posted" | "over" | "not-found">;
  /** Asks the owner to start nothing new, or to go on. A run without an owner is paused, or free to be taken up, on the spot. */
  pause(pause: {
    readonly runId: string;
    readonly wanted: boolean;
    readonly by: string;
    readonly atMs: number;
  }): Promise<"requested" | "done" | "over" | "not-found">;
  /** Asks the owner to stop. A run without an owner is cancelled on the spot. */
  requestCancel(cancel: {
    readonly runId: string;
    readonly by: string;
    readonly atMs: number;
  }): Promise<"requested" | "cancelled" | "not-running">;

  /** The blobs that rows refer to (`withBlobs`): what a sweep must keep. */
  blobRefs(): Promise<ReadonlySet<string>>;
  /** What each run takes. Reads everything: for retention, not for every day. */
  sizes(): Promise<readonly RunSize[]>;

  /** A hint: calls back soon after somebody else than the owner changed the run through this store object. Returns the unsubscribe. */
  watch(runId: string, listener: () => void): () => void;
}

/** What a pause, or its end, writes into the log. */
export const pauseEvents = ({
  wanted,
  by,
  owned,
}: {
  readonly wanted: boolean;
  readonly by: string;
  readonly owned: boolean;
}): readonly RunEventBody[] => [
  { type: wanted ? "run.pause-requested" : "run.unpaused", by },
  ...(owned ? [] : [{ type: "run.status" as const, status: wanted ? ("paused" as const) : ("running" as const) }]),
];

/** What a successful claim writes into the log. */
export const claimEvents = (epoch: number, accepted?: Acceptance | null): readonly RunEventBody[] => [
  ...(accepted ? [{ type: "run.change-accepted" as const, changed: [...accepted.changed], by: accepted.by }] : []),
  { type: "run.claimed", epoch },
];
