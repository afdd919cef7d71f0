import type { WebSocket } from "ws";
import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";
import type { Caller, Handlers } from "@smooth/protocol/gateway";
import { ClientFrame, CLOSE, type ServerFrame } from "../wire.ts";
import { parseJson } from "./body.ts";
import { dispatch, subscribe } from "./dispatch.ts";
import type { Limits } from "./limits.ts";
import { firstOf, takeTurns } from "./streams.ts";

/** One WebSocket: requests and streams beside each other, told apart by the caller's `id`.
 *  K1. A stream sends its next event only after the last one left this process; a reader that stalls is closed with `tooSlow`.
 *  K2. A frame that cannot be read answers with an error and harms no other.
 *  K3. A closed socket ends every stream it carried. */

interface SocketDeps {
  readonly handlers: Handlers;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly log: Log;
  readonly limits: Limits;
  /** Throws RATE_LIMITED. */
  readonly admit: () => void;
}

const PING_EVERY_MS = 20_000;

export class GatewaySocket {
  readonly #ws: WebSocket;
  readonly #deps: SocketDeps;
  readonly #calls = new Map<string, AbortController>();
  readonly #gone = new AbortController();

  constructor(ws: WebSocket, deps: SocketDeps) {
    this.#ws = ws;
    this.#deps = deps;
    void this.#keepAlive();
  }

  receive(data: unknown): void {
    const id = this.#read(data);
    id?.catch((error: unknown) => this.#deps.log.error("gateway.socket", { error: String(error) }));
  }

  signOut(): void {
    this.#close(CLOSE.signedOut, "the session ended");
  }

  goAway(): void {
    this.#close(CLOSE.goingAway, "the host is stopping");
  }

  /** K3 */
  closed(): void {
    this.#gone.abort();
    for (const call of this.#calls.values()) call.abort();
  }

  /** K2 */
  #read(data: unknown): Promise<void> | undefined {
    let id: string | null = null;
    try {
      const json = parseJson(typeof data === "string" ? data : "", "the frame");
      const frame = ClientFrame.safeParse(json);
      if (!frame.success)
        throw new SmoothError("INVALID_INPUT", `the frame: ${frame.error.issues[0]?.message ?? "unreadable"}`);
      id = frame.data.id;
      if (frame.data.type !== "cancel") return this.#begin(frame.data);
      this.#calls.get(id)?.abort();
      return undefined;
    } catch (error) {
      return this.#refuse(id, error);
    }
  }

  #begin(frame: Exclude<ClientFrame, { type: "cancel" }>): Promise<void> {
    const { id, type, method, input } = frame;
    if (this.#calls.has(id)) throw new SmoothError("INVALID_INPUT", `id ${id} is in use on this socket`);
    if (this.#calls.size >= this.#deps.limits.socketCalls) {
      throw new SmoothError("RATE_LIMITED", `${this.#calls.size} calls are open on this socket`);
    }
    this.#deps.admit();
    const call = new AbortController();
    this.#calls.set(id, call);
    const work = { method, input, caller: this.#deps.caller };
    const done = type === "request" ? this.#answer(id, work) : this.#follow(id, work, call.signal);
    return done.catch((error: unknown) => this.#refuse(id, error)).finally(() => this.#calls.delete(id));
  }

  async #answer(id: string, call: Parameters<typeof dispatch>[1]): Promise<void> {
    await this.#send({ type: "response", id, output: await dispatch(this.#deps.handlers, call) });
  }

  async #follow(id: string, call: Parameters<typeof subscribe>[1], signal: AbortSignal): Promise<void> {
    const turn = takeTurns();
    for await (const data of subscribe(this.#deps.handlers, call, signal)) {
      await turn();
      if (signal.aborted) break;
      await this.#send({ type: "event", id, data });
    }
    await this.#send({ type: "end", id });
  }

  async #refuse(id: string | null, thrown: unknown): Promise<void> {
    const error = toSmoothError(thrown);
    if (error.code === "INTERNAL") this.#deps.log.error("gateway.failed", { error: String(error.cause) });
    await this.#send({ type: "error", id, error: error.toJSON() });
  }

  /** K1: settles when the frame is out, or the socket is being closed. */
  async #send(frame: ServerFrame): Promise<void> {
    if (this.#ws.readyState !== this.#ws.OPEN) return this.closed();
    const { promise, resolve } = Promise.withResolvers<"sent">();
    this.#ws.send(JSON.stringify(frame), () => resolve("sent"));
    const outcome = await firstOf(this.#deps.clock, this.#deps.limits.stallMs, [promise]);
    if (outcome === "sent") return;
    this.#deps.log.warn("gateway.reader-too-slow", { caller: this.#deps.caller.name });
    this.#close(CLOSE.tooSlow, "reader too slow; reconnect with the last seq");
  }

  #close(code: number, reason: string): void {
    this.#ws.close(code, reason);
    this.closed();
  }

  async #keepAlive(): Promise<void> {
    let answered = true;
    this.#ws.on("pong", () => (answered = true));
    while (!this.#gone.signal.aborted) {
      if (!answered) return this.#ws.terminate();
      answered = false;
      this.#ws.ping();
      await this.#deps.clock.sleep(PING_EVERY_MS, this.#gone.signal).catch(() => {
        // The socket closed; the loop's condition sees it.
      });
    }
  }
}
