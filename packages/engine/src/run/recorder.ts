/** Collects what one tick wants to record and writes it in one transaction.
 *  R1. Once a commit was refused as stale nothing is written any more.
 *  R2. Events are delivered after their commit, in order, without a gap: what others wrote in between is fetched.
 *  R3. What others wrote is folded into the state once, in order: when it is noticed, or at the latest after the next commit.
 *  R4. A commit that was refused as behind (store S9) is as if it had never been tried: its draft goes with the next one. */
import type { Clock } from "@smooth/platform/ports";
import type { FrameLog } from "../frames/frame-log.ts";
import type { Plan } from "../graph/plan.ts";
import type { Batch, RunStore, StatusChange, Successor } from "../store/port.ts";
import { askedRow } from "./waits/ask.ts";
import type { RunEventBody, StoredEvent } from "./events.ts";
import { patiently, type Patience } from "./patience.ts";

export type Draft = {
  -readonly [K in "events" | "outputs" | "approvals" | "voided" | "heartbeats" | "cached"]: Batch[K][number][];
};
const emptyDraft = (): Draft => ({ events: [], outputs: [], approvals: [], voided: [], heartbeats: [], cached: [] });

export interface RecorderInput {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly runId: string;
  readonly epoch: number;
  readonly deliveredSeq: number;
  /** Committed, up to `deliveredSeq`, and not delivered yet: they go before the next one. */
  readonly untold: readonly StoredEvent[];
  readonly frameLog: FrameLog;
  /** The last event that is folded into the state already. */
  readonly seenSeq: number;
}

export interface RecorderPorts {
  readonly onEvent: (event: StoredEvent) => void;
  /** Hears each event that somebody else wrote (R3). */
  readonly onForeign: (event: StoredEvent) => void;
  readonly patience: Patience;
}

/** How this owner leaves the run. */
export interface End {
  readonly change: Omit<StatusChange, "seenSeq">;
  /** After those of the draft. */
  readonly events: readonly RunEventBody[];
  readonly successor?: Successor | undefined;
}

export class Recorder {
  readonly #in: RecorderInput;
  readonly #to: RecorderPorts;
  readonly #untold: StoredEvent[];
  #deliveredSeq: number;
  #seenSeq: number;
  draft = emptyDraft();

  constructor(input: RecorderInput, to: RecorderPorts) {
    this.#in = input;
    this.#to = to;
    this.#untold = [...input.untold];
    this.#deliveredSeq = input.deliveredSeq;
    this.#seenSeq = input.seenSeq;
  }

  /** Fetches what others wrote up to `lastSeq`. */
  async catchUp(lastSeq: number): Promise<void> {
    if (lastSeq > this.#seenSeq) await this.#fetch({ from: Infinity, to: Infinity });
  }

  /** What comes before it in the draft has led to this plan. */
  rendered(plan: Plan): void {
    this.#in.frameLog.rendered(plan, this.draft.events.length);
  }

  /** One transaction, or none when there is nothing to say. Rejects when the store fails. */
  async flush(end: End | null): Promise<"recorded" | "stale" | "behind"> {
    const { store, runId, epoch, clock } = this.#in;
    const putBack = end && this.#mark();
    const draft = this.draft;
    this.draft = emptyDraft();
    if (end === null && draft.events.length + draft.heartbeats.length === 0) return "recorded";
    const atMs = clock.now();
    if (end) draft.events.push(...end.events);
    for (const event of draft.events) if (event.type === "human.asked") draft.approvals.push(askedRow(event));
    const frames = draft.events.length > 0 ? this.#in.frameLog.take() : [];
    const status = end && { ...end.change, seenSeq: this.#seenSeq };
    const batch = { runId, epoch, atMs, ...draft, frames, successor: end?.successor, status };
    const result = await patiently(() => store.commit(batch), this.#to.patience);
    if (result.kind === "behind") putBack?.(); // R4
    if (result.kind !== "committed") return result.kind;
    await this.#deliver(result.firstSeq, draft.events, atMs);
    return "recorded";
  }

  /** R4 */
  #mark(): () => void {
    const { events, approvals, ...rest } = this.draft;
    const before = { ...rest, events: [...events], approvals: [...approvals] };
    const takeBack = this.#in.frameLog.mark();
    return () => {
      this.draft = before;
      takeBack();
    };
  }

  /** R2 */
  async #deliver(firstSeq: number, events: readonly RunEventBody[], atMs: number): Promise<void> {
    const own = { from: firstSeq, to: firstSeq + events.length - 1 };
    if (firstSeq !== this.#deliveredSeq + 1 || firstSeq !== this.#seenSeq + 1) return this.#fetch(own);
    this.#seenSeq = own.to;
    let seq = firstSeq;
    for (const event of events) this.#tell({ ...event, runId: this.#in.runId, atMs, seq: seq++ });
  }

  async #fetch(own: { readonly from: number; readonly to: number }): Promise<void> {
    const { store, runId } = this.#in;
    for (const event of await store.events(runId, Math.min(this.#deliveredSeq, this.#seenSeq))) {
      if (event.seq > this.#seenSeq) {
        this.#seenSeq = event.seq;
        if (event.seq < own.from || event.seq > own.to) this.#to.onForeign(event); // R3
      }
      if (event.seq > this.#deliveredSeq) this.#tell(event);
    }
  }

  #tell(event: StoredEvent): void {
    if (this.#untold.length > 0) for (const first of this.#untold.splice(0)) this.#to.onEvent(first);
    this.#deliveredSeq = event.seq;
    this.#to.onEvent(event);
  }
}
