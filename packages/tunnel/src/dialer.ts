import type { Clock, Log, Random } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { CLOSE, FromEdge, type FromHost, TicketClaims, type TunnelLimits } from "@smooth/protocol/thp";
import { decodeJwt } from "jose";
import { type Bytes, decodeJson } from "./codec.ts";
import { type HostKey, prove, publicHalf, resumeMac } from "./host-key.ts";
import { HostLine, type LineStats } from "./host-line.ts";
import type { LinePorts } from "./line.ts";
import type { Origin } from "./origin.ts";

/** Keeps one host on its slug: dials, proves the key, serves, and dials again.
 *  D1. After a lost socket it waits a random time under a doubling ceiling, 0.1 → 10 s, from the first after each success.
 *  D2. Replaced, revoked and unknown are final; nothing is fought over. A ticket is fetched anew for every dial.
 *  D3. A silent edge is left: no pong for 30 s, or no welcome in 10 s.
 *  D4. Open streams survive a resumed dial; on a fresh one they are aborted at the origin. */

export interface LineSocket {
  send(data: string | Bytes): void;
  close(code: number, reason: string): void;
  /** Drops it without a goodbye. */
  abort(): void;
}

export interface LineEvents {
  onOpen(): void;
  onMessage(data: string | Bytes): void;
  /** Exactly once, also when it never opened. */
  onClose(code: number, reason: string): void;
}

/** Opens a WebSocket; failures come as `onClose(1006, …)`. */
export type OpenSocket = (target: { url: string; ticket: string }, events: LineEvents) => LineSocket;

export type EndReason = "stopped" | "replaced" | "revoked" | "unknown-slug" | "ticket-refused" | "not-entitled";

export type DialState =
  | { readonly kind: "offline"; readonly sinceMs: number; readonly retryAtMs: number; readonly reason: string }
  | { readonly kind: "dialling"; readonly attempt: number }
  | {
      readonly kind: "serving";
      readonly url: string;
      readonly sinceMs: number;
      readonly resumed: boolean;
      readonly limits: TunnelLimits;
    }
  | { readonly kind: "ended"; readonly reason: EndReason; readonly message: string };

export interface DialerOptions extends Pick<LinePorts, "defer"> {
  /** `wss://connect.th.smoo.ai/v1/host` */
  readonly connectUrl: string;
  readonly hostKey: HostKey;
  /** A fresh ticket per dial. A SmoothError UNAUTHENTICATED, POLICY_DENIED or NOT_FOUND is final; other errors are retried. */
  getTicket(): Promise<{ readonly ticket: string }>;
  readonly origin: Origin;
  readonly openSocket: OpenSocket;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal?: AbortSignal;
  onState?(state: DialState): void;
}

export interface Dialer extends AsyncDisposable {
  readonly state: DialState;
  readonly stats: LineStats;
  /** Resolves with the last state, once it is `ended`. */
  readonly ended: Promise<DialState & { kind: "ended" }>;
}

interface Hold {
  readonly sid: string;
  readonly resumeKey: string;
  readonly host: HostLine;
}

/** How one dial went, from the first byte to the close. */
interface Outcome {
  readonly code: number;
  readonly reason: string;
  readonly served: boolean;
}

const FINAL_CLOSE = new Map<number, EndReason>([
  [CLOSE.replaced, "replaced"],
  [CLOSE.revoked, "revoked"],
  [CLOSE.unknownSlug, "unknown-slug"],
]);
const FINAL_ERROR = new Set(["UNAUTHENTICATED", "POLICY_DENIED", "NOT_FOUND"]);
const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 10_000;
const WELCOME_MS = 10_000;
const PING_EVERY_MS = 20_000;
const SILENCE_MS = 30_000;
const REFUSED_TICKETS = 3;

export function startDialer(options: DialerOptions): Dialer {
  return new Dialling(options);
}

class Dialling implements Dialer {
  readonly ended: Promise<DialState & { kind: "ended" }>;
  readonly #options: DialerOptions;
  readonly #stop = new AbortController();
  #state: DialState = { kind: "dialling", attempt: 1 };
  #hold: Hold | undefined;
  #socket: LineSocket | undefined;

  constructor(options: DialerOptions) {
    this.#options = options;
    const stop = (): void => this.#stop.abort(new SmoothError("CANCELLED", "the tunnel was stopped"));
    if (options.signal?.aborted) stop();
    options.signal?.addEventListener("abort", stop, { once: true });
    this.#stop.signal.addEventListener("abort", () => this.#socket?.close(CLOSE.bye, "bye"), { once: true });
    this.ended = this.#run();
  }

  get state(): DialState {
    return this.#state;
  }

  get stats(): LineStats {
    return this.#hold?.host.stats ?? { openRequests: 0, openSockets: 0, requestsServed: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SmoothError("CANCELLED", "the tunnel was stopped"));
    await this.ended;
  }

  async #run(): Promise<DialState & { kind: "ended" }> {
    let failures = 0;
    let refusedTickets = 0;
    let end: { reason: EndReason; message: string } | undefined;
    while (!end) {
      if (this.#stop.signal.aborted) end = { reason: "stopped", message: "stopped here" };
      else {
        this.#enter({ kind: "dialling", attempt: failures + 1 });
        const outcome = await this.#dial();
        failures = outcome.served ? 0 : failures + 1;
        refusedTickets = outcome.code === CLOSE.ticket ? refusedTickets + 1 : 0;
        end = endOf(outcome, refusedTickets);
        if (!end && !this.#stop.signal.aborted) await this.#rest(failures, outcome.reason);
      }
    }
    this.#hold?.host.close();
    const ended = { kind: "ended", ...end } as const;
    this.#enter(ended);
    return ended;
  }

  /** D1. */
  async #rest(failures: number, reason: string): Promise<void> {
    const { clock, random } = this.#options;
    const ceilingMs = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures, 20));
    const delayMs = Math.round(random() * ceilingMs);
    const nowMs = clock.now();
    this.#enter({ kind: "offline", sinceMs: nowMs, retryAtMs: nowMs + delayMs, reason });
    await clock.sleep(delayMs, this.#stop.signal).catch(() => undefined); // stopped: the loop sees it
  }

  #enter(state: DialState): void {
    this.#state = state;
    this.#options.log.info(`tunnel.${state.kind}`, { reason: "reason" in state ? state.reason : undefined });
    this.#options.onState?.(state);
  }

  /** One dial, until its socket is closed. Never rejects. */
  async #dial(): Promise<Outcome & { end?: EndReason }> {
    let ticket: string;
    let claims: TicketClaims;
    try {
      ({ ticket } = await this.#options.getTicket());
      claims = TicketClaims.parse(decodeJwt(ticket));
    } catch (error) {
      const final = error instanceof SmoothError && FINAL_ERROR.has(error.code);
      const reason = error instanceof Error ? error.message : "no ticket";
      return { code: 0, reason, served: false, ...(final ? { end: "not-entitled" as const } : {}) };
    }
    if (this.#stop.signal.aborted) return { code: CLOSE.bye, reason: "stopped", served: false };
    return this.#serve(ticket, claims);
  }

  #serve(ticket: string, claims: TicketClaims): Promise<Outcome> {
    const { clock, openSocket, connectUrl } = this.#options;
    const done = Promise.withResolvers<Outcome>();
    const over = new AbortController();
    let served = false;
    let heardMs = clock.now();
    const leave = (reason: string): void => {
      finish(1006, reason);
      socket.abort();
    };
    const finish = (code: number, reason: string): void => {
      if (over.signal.aborted) return;
      over.abort();
      this.#socket = undefined;
      this.#hold?.host.line.detach();
      done.resolve({ code, reason, served });
    };
    const socket = openSocket(
      { url: connectUrl, ticket },
      {
        onOpen: () => undefined,
        onClose: finish,
        onMessage: (data) => {
          if (over.signal.aborted) return;
          heardMs = clock.now();
          if (data === "pong") return;
          if (typeof data !== "string") return this.#takeBatch(socket, data);
          const message = decodeJson(FromEdge, data);
          if (message?.t === "challenge") {
            void this.#hello(socket, message.nonce, claims).catch((error: unknown) => leave(String(error)));
          } else if (message?.t === "resync") this.#resync(message.keep);
          else if (message?.t === "welcome") {
            served = true;
            this.#welcome(socket, message);
          }
        },
      },
    );
    this.#socket = socket;
    // D3
    const watch = async (): Promise<void> => {
      await clock.sleep(WELCOME_MS, over.signal);
      if (!served) return leave("no welcome");
      for (;;) {
        socket.send("ping");
        await clock.sleep(PING_EVERY_MS, over.signal);
        if (clock.now() - heardMs > SILENCE_MS) return leave("the edge is silent");
      }
    };
    void watch().catch(() => undefined); // aborted when the socket is closed
    return done.promise;
  }

  #takeBatch(socket: LineSocket, data: Bytes): void {
    const received = this.#hold?.host.receive(data);
    if (received?.kind === "taken") return;
    this.#options.log.warn("tunnel.malformed", { reason: received?.reason ?? "a batch before the welcome" });
    this.#forget();
    socket.close(CLOSE.protocol, "malformed");
  }

  async #hello(socket: LineSocket, nonce: string, claims: TicketClaims): Promise<void> {
    const { hostKey } = this.#options;
    const hold = this.#hold;
    const hello: FromHost = { t: "hello", key: publicHalf(hostKey), sig: await prove(hostKey, nonce, claims) };
    const resume = hold && {
      sid: hold.sid,
      mac: await resumeMac(hold.resumeKey, nonce),
      recv: hold.host.line.received,
    };
    socket.send(JSON.stringify(resume ? { ...hello, resume } : hello));
  }

  // D4
  #welcome(socket: LineSocket, welcome: FromEdge & { t: "welcome" }): void {
    const { resumed, recv, sid, resumeKey, url, limits } = welcome;
    if (!resumed) this.#forget();
    const hold = (this.#hold ??= { sid, resumeKey, host: new HostLine(this.#options) });
    this.#enter({ kind: "serving", url, sinceMs: this.#options.clock.now(), resumed, limits });
    hold.host.line.attach((bytes) => socket.send(bytes), resumed ? recv : undefined);
  }

  #resync(keep: readonly number[]): void {
    this.#options.log.info("tunnel.resync", { kept: keep.length });
    this.#hold?.host.resync(keep);
  }

  #forget(): void {
    this.#hold?.host.close();
    this.#hold = undefined;
  }
}

/** D2. */
function endOf(
  { code, reason, end }: Outcome & { end?: EndReason },
  refusedTickets: number,
): { reason: EndReason; message: string } | undefined {
  const final = end ?? FINAL_CLOSE.get(code) ?? (refusedTickets >= REFUSED_TICKETS ? "ticket-refused" : undefined);
  return final && { reason: final, message: reason };
}
