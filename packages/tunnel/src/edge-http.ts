import type { EdgeErrorCode, TunnelLimits } from "@smooth/protocol/thp";
import { HeadPayload } from "@smooth/protocol/thp";
import {
  type Bytes,
  concat,
  decodeJson,
  decodeU32,
  encodeText,
  FLAG,
  type Frame,
  FRAME,
  NO_BYTES,
  PIECE_BYTES,
} from "./codec.ts";
import { Credit, Intake } from "./credit.ts";
import { errorAnswer, wantsHtml } from "./edge-answers.ts";
import type { EdgePorts } from "./edge-ports.ts";
import { outbound } from "./hygiene.ts";
import type { Line } from "./line.ts";

/** One viewer request on its way through the line, at the edge.
 *  X1. Both bodies flow at the same time; an answer may end before the upload does.
 *  X2. A body that the host breaks off is broken off for the viewer too, never ended as if complete.
 *  X3. A viewer that goes away resets the stream at once; a request is never sent twice.
 *  X4. A quiet stream of events gets a comment line now and then: only a write shows that its viewer is gone. */

const QUIET_MS = 5_000;

export interface EdgeStream {
  frame(frame: Frame): void;
  /** The host or the line is gone. */
  fail(code: EdgeErrorCode): void;
  /** Bytes waiting here. */
  readonly heldBytes: number;
  /** Memory matters: the object must not fall asleep now. */
  readonly busy: boolean;
}

export interface StreamSeat {
  readonly id: number;
  readonly line: Line;
  readonly ports: EdgePorts;
  readonly limits: TunnelLimits;
  /** The stream is over; called once. */
  readonly leave: () => void;
}

const NEWLINE = 10;
const NO_BODY = new Set([204, 205, 304]);

export class EdgeHttp implements EdgeStream {
  readonly answer: Promise<Response>;
  readonly busy = true;
  readonly #seat: StreamSeat;
  readonly #request: Request;
  readonly #credit = new Credit();
  readonly #intake: Intake;
  readonly #answered = Promise.withResolvers<Response>();
  #head: HeadPayload | undefined;
  #early: Bytes[] = [];
  #ended: "open" | "finished" | "failed" = "open";
  #writer: WritableStreamDefaultWriter<Uint8Array> | undefined;
  #events: { lastMs: number; lineOpen: boolean } | undefined;

  constructor(request: Request, seat: StreamSeat) {
    this.#seat = seat;
    this.#request = request;
    this.#intake = new Intake(seat.id, seat.line);
    this.answer = this.#answered.promise;
    request.signal.addEventListener("abort", () => this.cancel()); // X3
  }

  get heldBytes(): number {
    return this.#intake.heldBytes;
  }

  get waitsForHead(): boolean {
    return this.#head === undefined && this.#ended === "open";
  }

  frame({ type, flags, payload }: Frame): void {
    if (this.#ended !== "open") return;
    if (type === FRAME.head) this.#takeHead(payload);
    else if (type === FRAME.data) this.#takeData(payload, flags);
    else if (type === FRAME.window) this.#credit.add(decodeU32(payload) ?? 0);
    else if (type === FRAME.reset) this.fail("host_lost");
  }

  fail(code: EdgeErrorCode): void {
    if (this.#ended !== "open") return;
    this.#end("failed");
    this.#answered.resolve(
      errorAnswer(code, { html: wantsHtml(this.#request), head: this.#request.method === "HEAD" }),
    );
    void this.#writer?.abort(new Error(code)).catch(() => undefined); // X2; the viewer may be gone already
  }

  /** X4. */
  nudge(nowMs: number): void {
    if (!this.#writer || !this.#events || this.#ended !== "open") return;
    if (this.#events.lineOpen || nowMs - this.#events.lastMs < QUIET_MS) return;
    this.#events.lastMs = nowMs;
    this.#writer.write(encodeText(":\n")).catch(() => this.cancel());
  }

  /** X3. */
  cancel(): void {
    if (this.#ended !== "open") return;
    this.#seat.line.send({ type: FRAME.reset, flags: 0, stream: this.#seat.id, payload: NO_BYTES });
    this.fail("host_lost");
  }

  /** Sends the request body as the host takes it. Never rejects. */
  async upload(body: ReadableStream<Uint8Array>): Promise<void> {
    const { id, line, limits } = this.#seat;
    const reader = body.getReader({ mode: "byob" });
    let sentBytes = 0;
    try {
      for (;;) {
        const size = await this.#credit.take(PIECE_BYTES);
        if (size === 0 || !(await line.ready())) return void reader.cancel().catch(() => undefined);
        const { done, value } = await reader.read(new Uint8Array(size));
        const bytes = value ?? NO_BYTES;
        this.#credit.add(size - bytes.byteLength);
        sentBytes += bytes.byteLength;
        if (sentBytes > limits.bodyBytes) return this.#refuse("body_too_large");
        if (this.#ended !== "open") return void reader.cancel().catch(() => undefined);
        if (done || bytes.byteLength > 0) {
          line.send({ type: FRAME.data, flags: done ? FLAG.fin : 0, stream: id, payload: bytes });
        }
        if (done) return;
      }
    } catch {
      this.cancel(); // the viewer broke its upload off
    }
  }

  #refuse(code: EdgeErrorCode): void {
    this.#seat.line.send({ type: FRAME.reset, flags: 0, stream: this.#seat.id, payload: NO_BYTES });
    this.fail(code);
  }

  #takeHead(payload: Bytes): void {
    if (this.#head) return;
    const head = decodeJson(HeadPayload, payload);
    if (!head || head.status === 101) return this.#refuse("origin_unreachable");
    if (head.error) return this.fail(head.error);
    if (head.status < 200) return;
    this.#head = head;
    queueMicrotask(() => this.#respond(head)); // the rest of this batch may already hold the whole body
  }

  #takeData(payload: Bytes, flags: number): void {
    if (!this.#intake.accept(payload.byteLength)) return this.#refuse("host_lost");
    if (!this.#writer) this.#early.push(payload);
    else if (payload.byteLength > 0) this.#write(this.#writer, payload);
    if ((flags & FLAG.fin) === 0) return;
    void this.#writer?.close().catch(() => undefined); // X2: too short against its length is an error of the pipe
    this.#end("finished");
  }

  #respond(head: HeadPayload): void {
    if (this.#ended === "failed") return;
    const headers = new Headers(outbound(head.headers));
    const init = { status: head.status, headers, encodeBody: "manual" as const };
    const isBodiless = NO_BODY.has(head.status) || this.#request.method === "HEAD";
    const length = headers.get("content-length");
    if (isBodiless) return this.#answered.resolve(new Response(null, init));
    if (this.#ended === "finished" && (length === null || Number(length) === this.#intake.heldBytes)) {
      return this.#answered.resolve(new Response(concat(this.#early), init));
    }
    const body = this.#seat.ports.openBody(length !== null && /^\d+$/.test(length) ? Number(length) : undefined);
    const writer = body.writable.getWriter();
    if (headers.get("content-type")?.startsWith("text/event-stream")) this.#events = { lastMs: 0, lineOpen: false };
    writer.closed.catch(() => this.cancel()); // X3
    for (const piece of this.#early.splice(0)) this.#write(writer, piece);
    if (this.#ended === "finished") void writer.close().catch(() => undefined);
    this.#writer = writer;
    this.#answered.resolve(new Response(body.readable, init));
  }

  #write(writer: WritableStreamDefaultWriter<Uint8Array>, piece: Bytes): void {
    if (piece.byteLength === 0) return;
    if (this.#events) this.#events = { lastMs: this.#seat.ports.clock.now(), lineOpen: piece.at(-1) !== NEWLINE };
    writer.write(piece).then(
      () => this.#intake.consume(piece.byteLength),
      () => this.cancel(),
    );
  }

  #end(how: "finished" | "failed"): void {
    this.#ended = how;
    this.#credit.close();
    this.#seat.leave();
  }
}
