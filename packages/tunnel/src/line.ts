import type { Clock } from "@smooth/platform/ports";
import {
  type Bytes,
  decodeBatch,
  decodeU32,
  encodeBatch,
  encodeU32,
  type Frame,
  FRAME,
  FRAME_HEADER_BYTES,
} from "./codec.ts";

/** One end of a line: frames go out in numbered batches and survive the loss of the socket below.
 *  L1. A batch is kept until the peer acknowledged it, and sent again after a resume: nothing is lost.
 *  L2. A batch is taken in exactly once and in order: a repeated one is ignored, a gap is malformed.
 *  L3. Frames of one event-loop turn share a batch; a batch is about 128 KiB at most.
 *  L4. `ready()` holds senders back while 8 MiB wait for acknowledgement. */

const BATCH_BYTES = 128 * 1024;
const REPLAY_BYTES = 8 * 1024 * 1024;
const ACK_EVERY_BYTES = 512 * 1024;
const ACK_AFTER_MS = 50;

export interface LinePorts {
  readonly clock: Pick<Clock, "sleep">;
  /** Runs the flush at the end of this turn. `setImmediate` on Node, `queueMicrotask` at the edge. */
  readonly defer: (run: () => void) => void;
}

export interface LineOptions extends LinePorts {
  readonly onFrame: (frame: Frame) => void;
  /** Woken from sleep: the first batch that arrives sets the count. */
  readonly adopt?: boolean;
  readonly firstSeq?: number;
}

export type Received = { readonly kind: "taken" } | { readonly kind: "malformed"; readonly reason: string };
type Transmit = (bytes: Bytes) => void;

/** Sequence numbers run 1 … 2³²−1 and around; 0 stays free (codec C2). */
const after = (seq: number): number => (seq % 0xffffffff) + 1;
const isUpTo = (seq: number, mark: number): boolean => ((mark - seq) | 0) >= 0;

export class Line {
  readonly #options: LineOptions;
  #transmit: Transmit | undefined;
  #queue: Frame[] = [];
  #queuedBytes = 0;
  #flushPlanned = false;
  #sent: number;
  #acked: number;
  #received: number;
  #adopting: boolean;
  #unacked: { readonly seq: number; readonly bytes: Bytes }[] = [];
  #unackedBytes = 0;
  #unansweredBytes = 0;
  #ackPlanned = false;
  #alive = true;
  #waiting: (() => void)[] = [];

  constructor(options: LineOptions) {
    this.#options = options;
    this.#adopting = options.adopt ?? false;
    this.#sent = this.#acked = this.#received = (options.firstSeq ?? 1) - 1;
  }

  /** The last batch taken in. */
  get received(): number {
    return this.#received;
  }

  /** Bytes this end still holds for the peer. */
  get heldBytes(): number {
    return this.#unackedBytes + this.#queuedBytes;
  }

  /** A mark that `isAcked` understands: everything sent until now. */
  mark(): number {
    return this.#queue.length > 0 ? after(this.#sent) : this.#sent;
  }

  isAcked(mark: number): boolean {
    return isUpTo(mark, this.#acked);
  }

  send(frame: Frame): void {
    if (!this.#alive) return;
    this.#queue.push(frame);
    this.#queuedBytes += FRAME_HEADER_BYTES + frame.payload.byteLength;
    if (this.#queuedBytes >= BATCH_BYTES) return this.#flush(); // L3
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    this.#options.defer(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  /** Resolves when there is room to send (L4); false when the line is closed. */
  async ready(): Promise<boolean> {
    while (this.#alive && this.heldBytes >= REPLAY_BYTES) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return this.#alive;
  }

  /** True when everything after the peer's last batch is still here to be sent again. */
  canResume(peerReceived: number): boolean {
    return this.#alive && isUpTo(this.#acked, peerReceived) && isUpTo(peerReceived, this.#sent);
  }

  /** A socket is there. After a resume, `peerReceived` says where to send on from (L1). */
  attach(transmit: Transmit, peerReceived?: number): void {
    this.#transmit = transmit;
    if (peerReceived !== undefined) {
      this.#forget(peerReceived);
      for (const { bytes } of this.#unacked) transmit(bytes);
    }
    this.#flush();
  }

  detach(): void {
    this.#transmit = undefined;
  }

  /** The peer slept and counts from one again. */
  restartCount(): void {
    this.#received = 0;
  }

  receive(bytes: Bytes): Received {
    const batch = decodeBatch(bytes);
    if (batch.kind === "malformed") return batch;
    if (batch.seq !== 0) {
      if (this.#adopting) this.#received = batch.seq - 1;
      this.#adopting = false;
      if (isUpTo(batch.seq, this.#received)) return { kind: "taken" }; // L2
      if (batch.seq !== after(this.#received)) return { kind: "malformed", reason: "a batch is missing" };
      this.#received = batch.seq;
    }
    for (const frame of batch.frames) this.#take(frame);
    if (batch.seq !== 0) this.#planAck(bytes.byteLength);
    return { kind: "taken" };
  }

  close(): void {
    this.#alive = false;
    this.#transmit = undefined;
    this.#unacked = [];
    this.#queue = [];
    this.#unackedBytes = this.#queuedBytes = 0;
    this.#wake();
  }

  #take(frame: Frame): void {
    if (frame.type !== FRAME.ack) return this.#options.onFrame(frame);
    const seq = decodeU32(frame.payload);
    if (seq !== undefined) this.#forget(seq);
  }

  #flush(): void {
    if (this.#queue.length === 0) return;
    this.#sent = after(this.#sent);
    const bytes = encodeBatch(this.#sent, this.#queue);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#unacked.push({ seq: this.#sent, bytes });
    this.#unackedBytes += bytes.byteLength;
    this.#transmit?.(bytes);
  }

  #forget(seq: number): void {
    if (!isUpTo(seq, this.#sent) || isUpTo(seq, this.#acked)) return; // an acknowledgement from before a sleep
    this.#acked = seq;
    const keepFrom = this.#unacked.findIndex((batch) => !isUpTo(batch.seq, seq));
    const gone = this.#unacked.splice(0, keepFrom === -1 ? this.#unacked.length : keepFrom);
    for (const { bytes } of gone) this.#unackedBytes -= bytes.byteLength;
    if (this.heldBytes < REPLAY_BYTES) this.#wake();
  }

  #planAck(bytes: number): void {
    this.#unansweredBytes += bytes;
    if (this.#unansweredBytes >= ACK_EVERY_BYTES) return this.#ack();
    if (this.#ackPlanned) return;
    this.#ackPlanned = true;
    void this.#options.clock.sleep(ACK_AFTER_MS).then(() => {
      this.#ackPlanned = false;
      if (this.#unansweredBytes > 0) this.#ack();
    });
  }

  #ack(): void {
    this.#unansweredBytes = 0;
    this.#transmit?.(encodeBatch(0, [{ type: FRAME.ack, flags: 0, stream: 0, payload: encodeU32(this.#received) }]));
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
