import { CLOSE, type FromEdge, TunnelLimits } from "@smooth/protocol/thp";
import { type Bytes, encodeText } from "./codec.ts";
import type { LineEvents, LineSocket, OpenSocket } from "./dialer.ts";
import type { Origin } from "./origin.ts";

/** One dial as the edge sees it. */
export class FakeDial implements LineSocket {
  readonly ticket: string;
  readonly sent: (string | Bytes)[] = [];
  readonly #events: LineEvents;
  #isOpen = true;

  constructor(ticket: string, events: LineEvents) {
    this.ticket = ticket;
    this.#events = events;
  }

  say(message: FromEdge): void {
    this.#events.onMessage(JSON.stringify(message));
  }

  /** Text or bytes, as they are. */
  deliver(data: string | Bytes): void {
    this.#events.onMessage(data);
  }

  challenge(): void {
    this.say({ t: "challenge", nonce: NONCE });
  }

  welcome(resumed = false): void {
    const limits = TunnelLimits.parse({});
    const url = "https://scratch-abcd1234.th.smoo.ai";
    this.say({ t: "welcome", sid: NONCE, resumeKey: NONCE, url, recv: 0, resumed, limits });
  }

  /** The edge closes. */
  end(code: number, reason = ""): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#events.onClose(code, reason);
  }

  send(data: string | Bytes): void {
    if (this.#isOpen) this.sent.push(data);
  }

  close(code: number, reason: string): void {
    this.end(code, reason);
  }

  abort(): void {
    this.end(1006);
  }
}

const NONCE = "A".repeat(43);

/** An edge that keeps every dial; the first `refusals` of them are closed at once. */
export class FakeEdge {
  readonly dials: FakeDial[] = [];
  refusals = 0;
  refuseWith: number = CLOSE.draining;

  readonly openSocket: OpenSocket = ({ ticket }, events) => {
    const dial = new FakeDial(ticket, events);
    this.dials.push(dial);
    if (this.refusals > 0) {
      this.refusals -= 1;
      queueMicrotask(() => dial.end(this.refuseWith, "not now"));
    }
    return dial;
  };
}

/** Answers every request with 200 and its own method and path. */
export function echoOrigin(): Origin & { readonly seen: string[] } {
  const seen: string[] = [];
  return {
    seen,
    request: ({ method, path }) => {
      seen.push(`${method} ${path}`);
      async function* body(): AsyncGenerator<Bytes> {
        yield encodeText(`${method} ${path}`);
      }
      return {
        answer: Promise.resolve({ kind: "answer", status: 200, headers: [], body: body() }),
        write: () => Promise.resolve(),
        end: () => undefined,
        abort: () => undefined,
      };
    },
    connect: () => ({ answer: Promise.resolve({ kind: "unreachable" }), abort: () => undefined }),
  };
}
