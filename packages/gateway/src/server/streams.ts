import { setImmediate } from "node:timers/promises";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";

/** A handler's stream as Server-Sent Events: `id` is the event's `seq`, `end` closes a finished stream, `error` a failed one, `ping` says the line lives.
 *  T1. The reader sets the pace: the handler is asked for the next event only when the last one was taken.
 *  T2. A reader that takes nothing for `stallMs` is dropped; it comes back with the last `id` it saw.
 *  T3. A refusal that is known at once is an HTTP status, not an event.
 *  T4. A long backlog takes turns with everything else this process does. */

export interface StreamRoom {
  readonly clock: Clock;
  readonly stallMs: number;
  /** Drops the line at once, unsent bytes and all. */
  readonly hangUp: () => void;
}

export interface SseAnswer {
  readonly response: Response;
  /** Ends the stream with this error, now. */
  readonly cut: (reason: SmoothError) => void;
  /** Settles when the reader is gone or the stream is over. */
  readonly over: Promise<void>;
}

const KNOWN_AT_ONCE_MS = 50;
const HEARTBEAT_MS = 15_000;

export async function answerSse(
  open: (signal: AbortSignal) => AsyncIterable<unknown>,
  room: StreamRoom,
): Promise<SseAnswer> {
  const stop = new AbortController();
  const source = new SseSource(open(stop.signal)[Symbol.asyncIterator](), stop, room);
  await source.opened(); // T3
  const response = new Response(new ReadableStream(source), {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store, no-transform",
      "x-accel-buffering": "no",
    },
  });
  return { response, cut: (reason) => source.cut(reason), over: source.over };
}

type Tick = IteratorResult<unknown> | "heartbeat" | SmoothError;

class SseSource implements UnderlyingDefaultSource<Uint8Array> {
  readonly #events: AsyncIterator<unknown>;
  readonly #stop: AbortController;
  readonly #room: StreamRoom;
  readonly #cut = Promise.withResolvers<SmoothError>();
  readonly #over = Promise.withResolvers<void>();
  #next: Promise<IteratorResult<unknown>>;
  #stall = new AbortController();
  #pulling = false;
  readonly #turn = takeTurns();

  constructor(events: AsyncIterator<unknown>, stop: AbortController, room: StreamRoom) {
    this.#events = events;
    this.#stop = stop;
    this.#room = room;
    this.#next = this.#advance();
  }

  get over(): Promise<void> {
    return this.#over.promise;
  }

  async opened(): Promise<void> {
    await firstOf(this.#room.clock, KNOWN_AT_ONCE_MS, [this.#next]);
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#stall.abort();
    this.#pulling = true;
    await this.#turn(); // T4
    const tick = await this.#tick();
    this.#pulling = false;
    if (this.#stop.signal.aborted && !(tick instanceof SmoothError)) return;
    controller.enqueue(encode(tick));
    if (tick instanceof SmoothError || (tick !== "heartbeat" && tick.done === true)) {
      this.#finish();
      return controller.close();
    }
    if (tick !== "heartbeat") this.#next = this.#advance();
    void this.#watchReader();
  }

  cancel(): void {
    this.#finish();
  }

  cut(reason: SmoothError): void {
    if (this.#pulling) return this.#cut.resolve(reason);
    this.#finish();
    this.#room.hangUp();
  }

  async #tick(): Promise<Tick> {
    try {
      const tick = await firstOf<IteratorResult<unknown> | SmoothError>(this.#room.clock, HEARTBEAT_MS, [
        this.#cut.promise,
        this.#next,
      ]);
      return tick === "late" ? "heartbeat" : tick;
    } catch (error) {
      return toSmoothError(error);
    }
  }

  /** T2 */
  async #watchReader(): Promise<void> {
    this.#stall = new AbortController();
    const slept = await this.#room.clock.sleep(this.#room.stallMs, this.#stall.signal).then(
      () => true,
      () => false,
    );
    if (slept) this.cut(new SmoothError("TIMED_OUT", "the reader was too slow; reconnect with the last id it saw"));
  }

  #advance(): Promise<IteratorResult<unknown>> {
    const next = this.#events.next();
    next.catch(() => {
      // `#tick` awaits the same promise; this only keeps a reader that left first from making it unhandled.
    });
    return next;
  }

  #finish(): void {
    this.#stall.abort();
    this.#stop.abort();
    this.#over.resolve();
    this.#events.return?.().catch(() => {
      // The stream is over for the reader either way.
    });
  }
}

/** The first of `promises`, or "late". Leaves no timer behind. */
export async function firstOf<T>(clock: Clock, ms: number, promises: readonly Promise<T>[]): Promise<T | "late"> {
  const timer = new AbortController();
  const late = clock.sleep(ms, timer.signal).then(() => "late" as const);
  late.catch(() => {
    // Aborted below: somebody else was first.
  });
  try {
    return await Promise.race([...promises, late]);
  } finally {
    timer.abort();
  }
}

const EVENTS_PER_TURN = 32;

/** T4: events that are ready at once would run in microtasks alone, and sockets would wait. */
export function takeTurns(): () => Promise<void> {
  let count = 0;
  return async () => {
    count += 1;
    if (count % EVENTS_PER_TURN === 0) await setImmediate();
  };
}

const bytes = new TextEncoder();

function encode(tick: Tick): Uint8Array {
  if (tick === "heartbeat") return bytes.encode("event: ping\ndata: {}\n\n");
  if (tick instanceof SmoothError) return bytes.encode(`event: error\ndata: ${JSON.stringify({ error: tick })}\n\n`);
  if (tick.done === true) return bytes.encode("event: end\ndata: {}\n\n");
  const seq = (tick.value as { seq?: unknown }).seq;
  const id = typeof seq === "number" ? `id: ${seq}\n` : "";
  return bytes.encode(`${id}data: ${JSON.stringify(tick.value)}\n\n`);
}
