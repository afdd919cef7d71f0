import type { Duplex } from "node:stream";
import { encodeFrame, FRAME, FrameReader, type Frame, type FrameType, MAX_PAYLOAD_BYTES } from "./frames.ts";

/** Many streams over one port, each with its own credit, so that a slow reader holds up nobody else.
 *  M1. A peer that sends past its credit, opens too many streams, or breaks the order of frames is faulted; the owner of
 *      the port then ends the peer. Nothing it sends can throw here.
 *  M2. What waits in memory per stream is at most WINDOW_BYTES in each direction; while our own writes pile up, nothing is
 *      read from a guest. A host is always read: two that wait for each other's reading would wait for ever.
 *  M3. Frames for a stream that is already closed are ignored: they were under way when it closed.
 *  M4. A flood of frames is slowed to FRAMES_PER_SECOND by not reading, never by dropping. */

export const WINDOW_BYTES = 256 * 1024;
const MAX_STREAMS = 512;
const MAX_CREDIT_BYTES = 64 * 1024 * 1024;
const FRAMES_PER_SECOND = 20_000;
const EMPTY: Buffer = Buffer.alloc(0);

export type Channel = "data" | "errData";

/** What happens on one stream, in the order it happens. `closed` comes last and exactly once. */
export interface StreamEvents {
  /** The receiver calls `stream.consumed(chunk.length)` when it is done with the bytes. */
  data?(chunk: Buffer, channel: Channel): void;
  end?(): void;
  control?(payload: Buffer): void;
  closed(
    how:
      | { readonly kind: "result"; readonly payload: Buffer }
      | { readonly kind: "ended" }
      | { readonly kind: "reset" },
  ): void;
}

export interface MuxStream {
  readonly id: number;
  /** Resolves when every byte was handed to the port under credit; rejects when the stream closed first. */
  send(chunk: Uint8Array, channel?: Channel): Promise<void>;
  consumed(bytes: number): void;
  control(payload: Buffer): void;
  end(): void;
  /** Sends the last word and closes. */
  result(payload: Buffer): void;
  reset(): void;
}

export interface MuxOptions {
  readonly port: Duplex;
  /** Who is at the other end. The host's own streams have odd ids, the guest's even ones, so they never meet. */
  readonly peer: "guest" | "host";
  readonly onHello?: (payload: Buffer) => void;
  readonly onOpen?: (stream: MuxStream, payload: Buffer) => StreamEvents;
  readonly onFault: (reason: string) => void;
  readonly after: (ms: number, wake: () => void) => void;
  readonly nowMs: () => number;
}

type Phase = "open" | "local-ended" | "remote-ended" | "closed";
interface Waiting {
  readonly bytes: Buffer;
  readonly channel: Channel;
  readonly sent: () => void;
  readonly failed: (error: Error) => void;
}

export class Mux {
  readonly #options: MuxOptions;
  readonly #reader = new FrameReader();
  readonly #streams = new Map<number, Stream>();
  readonly #firstId: 1 | 2;
  #nextId: number;
  #highestPeerId = 0;
  #tokens = FRAMES_PER_SECOND;
  #refilledMs: number;
  #throttled = false;
  #ended = false;

  constructor(options: MuxOptions) {
    this.#options = options;
    this.#firstId = options.peer === "guest" ? 1 : 2;
    this.#nextId = this.#firstId;
    this.#refilledMs = options.nowMs();
    options.port.on("data", (chunk: Buffer) => this.#receive(chunk));
    options.port.on("drain", () => this.#flow());
    options.port.on("error", () => this.close());
    options.port.on("close", () => this.close());
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  hello(payload: Buffer): void {
    this.write(FRAME.hello, 0, payload);
  }

  open(payload: Buffer, events: StreamEvents): MuxStream {
    const stream = new Stream(this.#nextId, this, events);
    this.#nextId += 2;
    if (this.#ended) queueMicrotask(() => stream.dropped());
    else {
      this.#streams.set(stream.id, stream);
      this.write(FRAME.open, stream.id, payload);
    }
    return stream;
  }

  /** Every open stream ends as reset. Idempotent. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const stream of this.#streams.values()) stream.dropped();
    this.#streams.clear();
  }

  /** The peer may be replaced by one that numbers its streams from the start: a host that restored this guest. */
  expectNewPeer(): void {
    this.#highestPeerId = 0;
  }

  write(type: FrameType, stream: number, payload: Buffer): void {
    if (this.#ended || !this.#options.port.writable) return;
    const room = this.#options.port.write(encodeFrame({ type, stream, payload }));
    if (!room && this.#options.peer === "guest") this.#options.port.pause(); // M2
  }

  release(id: number): void {
    this.#streams.delete(id);
  }

  #flow(): void {
    if (!this.#throttled && !this.#options.port.writableNeedDrain) this.#options.port.resume();
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    for (const frame of this.#reader.push(chunk)) {
      if (this.#ended) return;
      this.#tokens -= 1;
      const problem = this.#accept(frame);
      if (problem !== null) return this.#fault(problem);
    }
    if (this.#reader.fault !== null) return this.#fault(this.#reader.fault);
    this.#throttle();
  }

  #throttle(): void {
    const nowMs = this.#options.nowMs();
    this.#tokens = Math.min(FRAMES_PER_SECOND, this.#tokens + ((nowMs - this.#refilledMs) * FRAMES_PER_SECOND) / 1000);
    this.#refilledMs = nowMs;
    if (this.#tokens >= 0 || this.#throttled) return;
    this.#throttled = true; // M4
    this.#options.port.pause();
    this.#options.after(Math.ceil((-this.#tokens * 1000) / FRAMES_PER_SECOND), () => {
      this.#throttled = false;
      this.#flow();
    });
  }

  #fault(reason: string): void {
    this.close();
    this.#options.onFault(reason);
  }

  /** M1. Answers what is wrong with the frame, or null. */
  #accept(frame: Frame): string | null {
    if (frame.type === FRAME.hello) {
      this.#options.onHello?.(frame.payload);
      return null;
    }
    if (frame.type === FRAME.open) return this.#acceptOpen(frame);
    const stream = this.#streams.get(frame.stream);
    if (stream) return stream.receive(frame);
    const ours = frame.stream % 2 === this.#firstId % 2;
    const known = ours ? frame.stream < this.#nextId : frame.stream <= this.#highestPeerId;
    return known ? null : `frame for stream ${frame.stream}, which was never opened`; // M3
  }

  #acceptOpen(frame: Frame): string | null {
    if (!this.#options.onOpen) return "this port opens no streams";
    if (frame.stream % 2 === this.#firstId % 2) return `stream ${frame.stream} is not the peer's to open`;
    if (frame.stream <= this.#highestPeerId) return `stream ${frame.stream} opened twice`;
    this.#highestPeerId = frame.stream;
    if (this.#streams.size >= MAX_STREAMS) {
      this.write(FRAME.reset, frame.stream, EMPTY);
      return null;
    }
    const stream = new Stream(frame.stream, this, { closed: () => {} });
    this.#streams.set(stream.id, stream);
    stream.events = this.#options.onOpen(stream, frame.payload);
    return null;
  }
}

class Stream implements MuxStream {
  readonly id: number;
  readonly #mux: Mux;
  events: StreamEvents;
  #phase: Phase = "open";
  #sendCredit = WINDOW_BYTES;
  #receiveCredit = WINDOW_BYTES;
  #owedCredit = 0;
  #waiting: Waiting[] = [];
  #endAfterWaiting = false;

  constructor(id: number, mux: Mux, events: StreamEvents) {
    this.id = id;
    this.#mux = mux;
    this.events = events;
  }

  send(chunk: Uint8Array, channel: Channel = "data"): Promise<void> {
    if (this.#phase === "closed" || this.#phase === "local-ended") return Promise.reject(new Error("stream is closed"));
    if (chunk.length === 0) return Promise.resolve();
    return new Promise((sent, failed) => {
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      this.#waiting.push({ bytes, channel, sent, failed });
      this.#pump();
    });
  }

  consumed(bytes: number): void {
    if (this.#phase === "closed") return;
    this.#owedCredit += bytes;
    if (this.#owedCredit < WINDOW_BYTES / 4) return;
    const credit = Buffer.alloc(4);
    credit.writeUInt32BE(this.#owedCredit);
    this.#receiveCredit += this.#owedCredit;
    this.#owedCredit = 0;
    this.#mux.write(FRAME.credit, this.id, credit);
  }

  control(payload: Buffer): void {
    if (this.#phase !== "closed") this.#mux.write(FRAME.control, this.id, payload);
  }

  end(): void {
    this.#endAfterWaiting = true;
    this.#pump();
  }

  result(payload: Buffer): void {
    if (this.#phase === "closed") return;
    this.#mux.write(FRAME.result, this.id, payload);
    this.#close({ kind: "ended" });
  }

  reset(): void {
    if (this.#phase === "closed") return;
    this.#mux.write(FRAME.reset, this.id, EMPTY);
    this.#close({ kind: "reset" });
  }

  dropped(): void {
    this.#close({ kind: "reset" });
  }

  receive({ type, payload }: Frame): string | null {
    switch (type) {
      case FRAME.data:
      case FRAME.errData:
        return this.#receiveData(payload, type === FRAME.data ? "data" : "errData");
      case FRAME.end:
        if (this.#phase === "remote-ended") return `stream ${this.id} ended twice`;
        this.events.end?.();
        if (this.#phase === "local-ended") this.#close({ kind: "ended" });
        else if (this.#phase === "open") this.#phase = "remote-ended";
        return null;
      case FRAME.credit:
        return this.#receiveCreditFrame(payload);
      case FRAME.control:
        this.events.control?.(payload);
        return null;
      case FRAME.result:
        this.#close({ kind: "result", payload: Buffer.from(payload) });
        return null;
      case FRAME.reset:
        this.#close({ kind: "reset" });
        return null;
      case FRAME.hello:
      case FRAME.open:
        return `frame type ${type} on stream ${this.id}`;
    }
  }

  #receiveData(payload: Buffer, channel: Channel): string | null {
    if (this.#phase === "remote-ended") return `data after the end of stream ${this.id}`;
    this.#receiveCredit -= payload.length;
    if (this.#receiveCredit < 0) return `stream ${this.id} sent past its credit`;
    if (this.events.data) this.events.data(payload, channel);
    else this.consumed(payload.length);
    return null;
  }

  #receiveCreditFrame(payload: Buffer): string | null {
    if (payload.length !== 4) return "credit frame of the wrong size";
    this.#sendCredit += payload.readUInt32BE(0);
    if (this.#sendCredit > MAX_CREDIT_BYTES) return `stream ${this.id} has too much credit`;
    this.#pump();
    return null;
  }

  #pump(): void {
    for (let next = this.#waiting[0]; next && this.#sendCredit > 0; next = this.#waiting[0]) {
      const now = next.bytes.subarray(0, Math.min(next.bytes.length, this.#sendCredit, MAX_PAYLOAD_BYTES));
      this.#sendCredit -= now.length;
      this.#mux.write(FRAME[next.channel], this.id, now);
      if (now.length < next.bytes.length) {
        this.#waiting[0] = { ...next, bytes: next.bytes.subarray(now.length) };
        continue;
      }
      this.#waiting.shift();
      next.sent();
    }
    if (this.#endAfterWaiting && this.#waiting.length === 0) this.#sendEnd();
  }

  #sendEnd(): void {
    if (this.#phase !== "open" && this.#phase !== "remote-ended") return;
    this.#mux.write(FRAME.end, this.id, EMPTY);
    if (this.#phase === "remote-ended") this.#close({ kind: "ended" });
    else this.#phase = "local-ended";
  }

  #close(how: Parameters<StreamEvents["closed"]>[0]): void {
    if (this.#phase === "closed") return;
    this.#phase = "closed";
    this.#mux.release(this.id);
    for (const { failed } of this.#waiting.splice(0)) failed(new Error("stream is closed"));
    this.events.closed(how);
  }
}
