import type { Clock, Log } from "@smooth/platform/ports";
import { type EdgeErrorCode, type HeadPayload, OpenPayload, WsClosePayload } from "@smooth/protocol/thp";
import { type Bytes, concat, decodeJson, decodeU32, encodeJson, FLAG, type Frame, FRAME, NO_BYTES } from "./codec.ts";
import { Credit, Intake, type Outlet, sendData, sendMessage } from "./credit.ts";
import { errorStatus } from "./edge-answers.ts";
import { type Header, inbound, isPlainRequest } from "./hygiene.ts";
import { Line, type LinePorts, type Received } from "./line.ts";
import type { Origin, OriginAnswer, OriginDial, OriginExchange, OriginRequest, OriginSocket } from "./origin.ts";

/** The host's end of the line: every OPEN becomes one request to the origin, every answer becomes frames.
 *  O1. Every OPEN is hostile: parsed, checked and cleaned again here, whatever the edge did.
 *  O2. The origin learns from us alone that a request came through the tunnel (`x-th-via: tunnel`) and for whom.
 *  O3. Nothing that comes in on the line throws out of here. */

const HEAD_TIMEOUT_MS = 120_000;
const STREAMS_MAX = 1024;
const MESSAGE_BYTES = 16 * 1024 * 1024;

export interface HostLineOptions extends LinePorts {
  readonly origin: Origin;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LineStats {
  readonly openRequests: number;
  readonly openSockets: number;
  readonly requestsServed: number;
}

interface HostStream extends Outlet {
  readonly kind: "request" | "socket";
  frame(frame: Frame): void;
  abort(): void;
  refill(): void;
}

export class HostLine {
  readonly line: Line;
  readonly #options: HostLineOptions;
  readonly #streams = new Map<number, HostStream>();
  #requestsServed = 0;

  constructor(options: HostLineOptions) {
    this.#options = options;
    this.line = new Line({ ...options, onFrame: (frame) => this.#route(frame) });
  }

  get stats(): LineStats {
    const openSockets = [...this.#streams.values()].filter(({ kind }) => kind === "socket").length;
    return { openSockets, openRequests: this.#streams.size - openSockets, requestsServed: this.#requestsServed };
  }

  receive(bytes: Bytes): Received {
    return this.line.receive(bytes);
  }

  /** The edge slept: only these streams live on, with full windows and fresh numbering. */
  resync(keep: readonly number[]): void {
    this.line.restartCount();
    for (const [id, stream] of this.#streams) {
      if (keep.includes(id)) stream.refill();
      else this.#end(id, stream);
    }
  }

  close(): void {
    for (const [id, stream] of this.#streams) this.#end(id, stream);
    this.line.close();
  }

  // O3
  #route(frame: Frame): void {
    try {
      if (frame.type === FRAME.open) this.#open(frame);
      else this.#streams.get(frame.stream)?.frame(frame);
    } catch (error) {
      this.#options.log.warn("tunnel.frame-failed", { stream: frame.stream, error: String(error) });
      this.#reset(frame.stream);
    }
  }

  #open({ stream: id, flags, payload }: Frame): void {
    if (this.#streams.has(id)) return this.#reset(id);
    const open = decodeJson(OpenPayload, payload);
    if (!open || !isPlainRequest(open.method, open.path) || !isHostName(open.from.host)) {
      return this.#answerError(id, "bad_request"); // O1
    }
    if (this.#streams.size >= STREAMS_MAX) return this.#answerError(id, "too_many_streams");
    this.#requestsServed += 1;
    const { method, path } = open;
    const request = { method, path, headers: headersFor(open), hasBody: (flags & FLAG.fin) === 0 && !open.ws };
    if (open.ws) this.#openSocket(id, request);
    else this.#openRequest(id, request);
  }

  #openRequest(id: number, request: OriginRequest): void {
    const exchange = this.#options.origin.request(request);
    const intake = new Intake(id, this.line);
    const stream: HostStream = {
      kind: "request",
      stream: id,
      line: this.line,
      credit: new Credit(),
      frame: ({ type, flags, payload }) => {
        if (type === FRAME.window) stream.credit.add(decodeU32(payload) ?? 0);
        else if (type === FRAME.reset) this.#end(id, stream);
        else if (type === FRAME.data) this.#upload({ exchange, intake, stream }, { flags, payload });
      },
      abort: () => exchange.abort(),
      refill: () => undefined,
    };
    this.#streams.set(id, stream);
    void this.#respond(exchange, stream);
  }

  #upload(
    to: { exchange: OriginExchange; intake: Intake; stream: HostStream },
    data: Pick<Frame, "flags" | "payload">,
  ) {
    const { payload } = data;
    if (!to.intake.accept(payload.byteLength)) {
      this.#reset(to.stream.stream);
      return this.#end(to.stream.stream, to.stream);
    }
    if (payload.byteLength > 0) {
      void to.exchange.write(payload).then(() => this.#isOpen(to.stream) && to.intake.consume(payload.byteLength));
    }
    if ((data.flags & FLAG.fin) !== 0) to.exchange.end();
  }

  /** Sends the origin's answer. Never rejects. */
  async #respond(exchange: OriginExchange, stream: HostStream): Promise<void> {
    const id = stream.stream;
    const answer = await this.#inTime(exchange.answer);
    if (!this.#isOpen(stream)) return;
    if (typeof answer === "string") return this.#fail(stream, answer);
    this.#head(id, { status: answer.status, headers: [...answer.headers] as Header[] });
    try {
      for await (const chunk of answer.body) {
        if (!(await sendData(stream, chunk))) return this.#end(id, stream);
      }
      this.line.send({ type: FRAME.data, flags: FLAG.fin, stream: id, payload: NO_BYTES });
    } catch {
      if (this.#isOpen(stream)) this.#reset(id); // the origin broke off: so does the answer
    }
    this.#end(id, stream);
  }

  async #inTime(answer: Promise<OriginAnswer>): Promise<(OriginAnswer & { kind: "answer" }) | EdgeErrorCode> {
    const patience = new AbortController();
    const late = this.#options.clock.sleep(HEAD_TIMEOUT_MS, patience.signal).then(
      () => "origin_timeout" as const,
      () => "origin_timeout" as const, // aborted below, the race is over
    );
    const first = await Promise.race([answer, late]);
    patience.abort();
    if (typeof first === "string") return first;
    if (first.kind === "answer") return first;
    return first.kind === "refused-request" ? "bad_request" : "origin_unreachable";
  }

  #openSocket(id: number, request: OriginRequest): void {
    const dial = this.#options.origin.connect(request);
    let frame: HostStream["frame"] = () => undefined;
    let abort = (): void => dial.abort();
    const intake = new Intake(id, this.line);
    const stream: HostStream = {
      kind: "socket",
      stream: id,
      line: this.line,
      credit: new Credit(),
      frame: (next) => {
        if (next.type === FRAME.window) stream.credit.add(decodeU32(next.payload) ?? 0);
        else if (next.type === FRAME.reset) this.#end(id, stream);
        else frame(next);
      },
      abort: () => abort(),
      refill: () => {
        stream.credit.refill();
        intake.refill();
      },
    };
    this.#streams.set(id, stream);
    const opened = (socket: OriginSocket): void => {
      abort = () => socket.close(1001, "");
      frame = this.#toSocket(socket, intake, stream);
    };
    void this.#join(dial, stream, opened);
  }

  async #join(dial: OriginDial, stream: HostStream, opened: (socket: OriginSocket) => void): Promise<void> {
    const id = stream.stream;
    const answer = await dial.answer;
    if (!this.#isOpen(stream)) return dial.abort();
    if (answer.kind === "unreachable") return this.#fail(stream, "origin_unreachable");
    if (answer.kind === "refused-request") return this.#fail(stream, "bad_request");
    if (answer.kind === "answer") {
      this.#head(id, { status: answer.status, headers: [] });
      return this.#end(id, stream);
    }
    const { socket } = answer;
    opened(socket);
    this.#head(id, { status: 101, headers: [], protocol: socket.protocol });
    for await (const message of socket.messages) {
      if (!(await sendMessage(stream, message))) break;
    }
    const close = await socket.closed;
    if (!this.#isOpen(stream)) return;
    this.line.send({ type: FRAME.wsClose, flags: 0, stream: id, payload: encodeJson(close) });
    this.#end(id, stream);
  }

  #toSocket(socket: OriginSocket, intake: Intake, stream: HostStream): HostStream["frame"] {
    const parts: Bytes[] = [];
    let partBytes = 0;
    return ({ type, flags, payload }) => {
      if (type === FRAME.wsClose) {
        const { code, reason } = decodeJson(WsClosePayload, payload) ?? { code: 1006, reason: "" };
        socket.close(code, reason);
        return this.#end(stream.stream, stream);
      }
      if (type !== FRAME.wsMessage) return;
      partBytes += payload.byteLength;
      if (!intake.accept(payload.byteLength) || partBytes > MESSAGE_BYTES) {
        this.#reset(stream.stream);
        return this.#end(stream.stream, stream);
      }
      parts.push(payload);
      if ((flags & FLAG.more) !== 0) return intake.consume(payload.byteLength);
      const bytes = concat(parts.splice(0));
      partBytes = 0;
      const sent = socket.send({ text: (flags & FLAG.text) !== 0, bytes });
      void sent.then(() => this.#isOpen(stream) && intake.consume(payload.byteLength));
    };
  }

  #isOpen(stream: HostStream): boolean {
    return this.#streams.get(stream.stream) === stream;
  }

  #head(id: number, head: HeadPayload): void {
    this.line.send({ type: FRAME.head, flags: 0, stream: id, payload: encodeJson(head) });
  }

  #fail(stream: HostStream, error: EdgeErrorCode): void {
    this.#answerError(stream.stream, error);
    this.#end(stream.stream, stream);
  }

  #answerError(id: number, error: EdgeErrorCode): void {
    this.#head(id, { status: errorStatus(error), headers: [], error });
  }

  #reset(id: number): void {
    this.line.send({ type: FRAME.reset, flags: 0, stream: id, payload: NO_BYTES });
  }

  #end(id: number, stream: HostStream): void {
    if (this.#streams.get(id) !== stream) return;
    this.#streams.delete(id);
    stream.credit.close();
    stream.abort();
  }
}

/** O2. */
function headersFor({ headers, from }: OpenPayload): Header[] {
  return [
    ...inbound(headers).filter(([name]) => name !== "host"),
    ["host", from.host],
    ["x-forwarded-for", from.address],
    ["x-forwarded-proto", from.proto],
    ["x-forwarded-host", from.host],
    ["x-th-via", "tunnel"],
  ];
}

function isHostName(host: string): boolean {
  return /^[a-z0-9.-]+(?::\d{1,5})?$/i.test(host);
}
