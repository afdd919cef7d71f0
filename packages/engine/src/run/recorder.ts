/** Collects what one tick wants to record and writes it in one transaction.
 *  R1. Once a commit was refused as stale nothing is written any more.
 *  R2. Events are delivered after their commit, in order, without a gap: what others wrote in between is fetched. */
import type { Clock } from "@smooth/platform/ports";
import type { FrameLog } from "../frames/frame-log.ts";
import type { Plan } from "../graph/plan.ts";
import type { Batch, RunStore } from "../store/port.ts";
import type { RunEventBody, StoredEvent } from "./events.ts";

type Draft = {
  -readonly [K in "events" | "outputs" | "approvals" | "applied" | "heartbeats" | "cached"]: Batch[K][number][];
};
const emptyDraft = (): Draft => ({ events: [], outputs: [], approvals: [], applied: [], heartbeats: [], cached: [] });

export interface RecorderInput {
  readonly store: RunStore;
  readonly clock: Clock;
  readonly runId: string;
  readonly epoch: number;
  readonly deliveredSeq: number;
  readonly frameLog: FrameLog;
  readonly onEvent: (event: StoredEvent) => void;
}

export class Recorder {
  readonly #in: RecorderInput;
  #deliveredSeq: number;
  draft = emptyDraft();

  constructor(input: RecorderInput) {
    this.#in = input;
    this.#deliveredSeq = input.deliveredSeq;
  }

  /** What comes before it in the draft has led to this plan. */
  rendered(plan: Plan): void {
    this.#in.frameLog.rendered(plan, this.draft.events.length);
  }

  /** One transaction, or none when there is nothing to say. Rejects when the store fails. */
  async flush(status: Batch["status"]): Promise<"recorded" | "stale"> {
    const { store, runId, epoch, clock } = this.#in;
    const draft = this.draft;
    this.draft = emptyDraft();
    if (status === null && draft.events.length + draft.heartbeats.length + draft.applied.length === 0)
      return "recorded";
    const atMs = clock.now();
    const frames = draft.events.length > 0 ? this.#in.frameLog.take() : [];
    const result = await store.commit({ runId, epoch, atMs, ...draft, frames, status });
    if (result.kind === "stale") return "stale";
    await this.#deliver(result.firstSeq, draft.events, atMs);
    return "recorded";
  }

  /** R2 */
  async #deliver(firstSeq: number, events: readonly RunEventBody[], atMs: number): Promise<void> {
    const { runId, store, onEvent } = this.#in;
    const inStep = firstSeq === this.#deliveredSeq + 1;
    const stored = inStep
      ? events.map((event, at) => ({ ...event, runId, atMs, seq: firstSeq + at }))
      : await store.events(runId, this.#deliveredSeq);
    for (const event of stored) {
      this.#deliveredSeq = event.seq;
      onEvent(event);
    }
  }
}
