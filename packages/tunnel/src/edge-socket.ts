import type { EdgeErrorCode } from "@smooth/protocol/thp";
import { HeadPayload, WsClosePayload } from "@smooth/protocol/thp";
import {
  type Bytes,
  concat,
  decodeJson,
  decodeU32,
  encodeJson,
  encodeText,
  FLAG,
  type Frame,
  FRAME,
  NO_BYTES,
} from "./codec.ts";
import { Credit, Intake, type Message, sendMessage } from "./credit.ts";
import { errorAnswer } from "./edge-answers.ts";
import type { EdgeStream, StreamSeat } from "./edge-http.ts";
import type { EdgeSocket } from "./edge-ports.ts";

/** One viewer WebSocket, at the edge: first a request for an upgrade, then a socket that may outlive this memory.
 *  W1. A viewer cannot be paused, so what it sends beyond 1 MiB of queue closes it (1013).
 *  W2. The host is granted credit only while the viewer drains what it gets.
 *  W3. Close codes and reasons pass both ways; the codes no peer may send (1005, 1006) become their sendable kin. */

const QUEUE_BYTES = 1024 * 1024;
const MESSAGE_BYTES = 16 * 1024 * 1024;
const DRAIN_POLL_MS = 50;

type Phase =
  | { readonly kind: "opening"; readonly answer: (response: Response) => void }
  | { readonly kind: "open"; readonly socket: EdgeSocket }
  | { readonly kind: "closed" };

/** W3. Never throws: a socket that is closed already stays closed. */
export function closeWith(socket: Pick<EdgeSocket, "close">, { code, reason }: WsClosePayload): void {
  const sendable = code === 1005 ? 1000 : code === 1006 || code === 1015 ? 1011 : code;
  for (const attempt of [sendable, 1011]) {
    try {
      return attempt === sendable ? socket.close(sendable, reason) : socket.close(attempt);
    } catch {
      continue; // a code that may not be sent, or closed already
    }
  }
}

export class EdgeViewer implements EdgeStream {
  readonly #seat: StreamSeat;
  readonly #credit = new Credit();
  readonly #intake: Intake;
  #phase: Phase;
  #queue: Message[] = [];
  #queuedBytes = 0;
  #parts: Bytes[] = [];
  #partBytes = 0;
  #closing: WsClosePayload | undefined;
  #pumping = false;

  /** `start` is the waiting upgrade, or the socket found after a sleep. */
  constructor(start: Phase, seat: StreamSeat) {
    this.#seat = seat;
    this.#intake = new Intake(seat.id, seat.line);
    this.#phase = start;
  }

  get heldBytes(): number {
    return this.#queuedBytes + this.#partBytes;
  }

  get busy(): boolean {
    return this.heldBytes > 0 || this.#pumping || this.#phase.kind === "opening";
  }

  get waitsForHead(): boolean {
    return this.#phase.kind === "opening";
  }

  frame(frame: Frame): void {
    if (frame.type === FRAME.window) this.#credit.add(decodeU32(frame.payload) ?? 0);
    else if (frame.type === FRAME.reset) this.fail("host_lost");
    else if (this.#phase.kind === "opening" && frame.type === FRAME.head) this.#upgrade(frame.payload);
    else if (this.#phase.kind === "open") this.#deliver(frame, this.#phase.socket);
  }

  fail(code: EdgeErrorCode): void {
    this.#finish(code, { code: 1012, reason: code });
  }

  /** The viewer gave up while the upgrade was pending. */
  cancel(): void {
    if (this.#phase.kind !== "opening") return;
    this.#reset();
    this.fail("host_lost");
  }

  /** W1. */
  fromViewer(data: string | ArrayBuffer): void {
    const text = typeof data === "string";
    const bytes = text ? encodeText(data) : new Uint8Array(data);
    if (this.#queuedBytes > QUEUE_BYTES || bytes.byteLength > MESSAGE_BYTES) {
      this.#sendClose({ code: 1013, reason: "too fast" });
      return this.#finish("overloaded", { code: 1013, reason: "the host does not keep up" });
    }
    this.#queue.push({ text, bytes });
    this.#queuedBytes += bytes.byteLength;
    void this.#pump();
  }

  /** The viewer closed; what it sent before still goes first. */
  viewerClosed(close: WsClosePayload): void {
    if (this.#phase.kind === "closed") return;
    this.#closing = close;
    void this.#pump();
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return;
    this.#pumping = true;
    for (let message = this.#queue.shift(); message; message = this.#queue.shift()) {
      await sendMessage({ stream: this.#seat.id, line: this.#seat.line, credit: this.#credit }, message);
      this.#queuedBytes -= message.bytes.byteLength;
    }
    this.#pumping = false;
    if (!this.#closing || this.#phase.kind === "closed") return;
    this.#sendClose(this.#closing);
    this.#finish("host_lost", this.#closing);
  }

  #upgrade(payload: Bytes): void {
    if (this.#phase.kind !== "opening") return;
    const head = decodeJson(HeadPayload, payload);
    if (head?.status === 101) {
      const role = { kind: "viewer", stream: this.#seat.id } as const;
      const { socket, response } = this.#seat.ports.accept(role, head.protocol);
      this.#phase.answer(response);
      this.#phase = { kind: "open", socket };
      return;
    }
    if (head && !head.error && head.status >= 200 && head.status !== 204 && head.status !== 304) {
      this.#phase.answer(new Response(null, { status: head.status }));
      return this.#finish("host_lost", { code: 1000, reason: "" });
    }
    this.fail(head?.error ?? "origin_unreachable");
  }

  #deliver({ type, flags, payload }: Frame, socket: EdgeSocket): void {
    if (type === FRAME.wsClose) {
      const close = decodeJson(WsClosePayload, payload) ?? { code: 1006, reason: "" };
      return this.#finish("host_lost", close);
    }
    if (type !== FRAME.wsMessage) return;
    this.#partBytes += payload.byteLength;
    if (!this.#intake.accept(payload.byteLength) || this.#partBytes > MESSAGE_BYTES) {
      this.#sendClose({ code: 1009, reason: "message too big" });
      return this.#finish("host_lost", { code: 1009, reason: "message too big" });
    }
    this.#parts.push(payload);
    void this.#grant(payload.byteLength, socket);
    if ((flags & FLAG.more) !== 0) return;
    const bytes = concat(this.#parts.splice(0));
    this.#partBytes = 0;
    socket.send((flags & FLAG.text) === 0 ? bytes : new TextDecoder().decode(bytes));
  }

  /** W2. */
  async #grant(bytes: number, socket: EdgeSocket): Promise<void> {
    while ((socket.bufferedAmount ?? 0) > QUEUE_BYTES && this.#phase.kind === "open") {
      await this.#seat.ports.clock.sleep(DRAIN_POLL_MS);
    }
    if (this.#phase.kind === "open") this.#intake.consume(bytes);
  }

  #sendClose(close: WsClosePayload): void {
    const { id, line } = this.#seat;
    line.send({ type: FRAME.wsClose, flags: 0, stream: id, payload: encodeJson(close) });
  }

  #reset(): void {
    this.#seat.line.send({ type: FRAME.reset, flags: 0, stream: this.#seat.id, payload: NO_BYTES });
  }

  #finish(code: EdgeErrorCode, close: WsClosePayload): void {
    const phase = this.#phase;
    if (phase.kind === "closed") return;
    this.#phase = { kind: "closed" };
    this.#credit.close();
    this.#seat.leave();
    if (phase.kind === "open") closeWith(phase.socket, close);
    else phase.answer(errorAnswer(code, { html: false }));
  }
}
