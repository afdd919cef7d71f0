import {
  CLOSE,
  type EdgeErrorCode,
  type FromEdge,
  FromHost,
  type OpenPayload,
  type TicketClaims,
  type TunnelLimits,
} from "@smooth/protocol/thp";
import { decodeJson, encodeJson, FLAG, type Frame, FRAME } from "./codec.ts";
import { errorAnswer, spanOf, wantsHtml } from "./edge-answers.ts";
import { EdgeHttp, type EdgeStream, type StreamSeat } from "./edge-http.ts";
import { type EdgePorts, type EdgeSocket, Role } from "./edge-ports.ts";
import { EdgeViewer, closeWith } from "./edge-socket.ts";
import { isProof, isResumeMac } from "./host-key.ts";
import { type Header, inbound, isOwnOrigin, isPlainRequest } from "./hygiene.ts";
import { Line } from "./line.ts";

/** The meeting place of one slug: a host's line on one side, viewers on the other.
 *  R1. A host holds the slug only after it proved its key over our nonce; a silent dialler holds nothing.
 *  R2. A ticket is spent once. The same host replaces itself (4001); another host waits (4409).
 *  R3. Attachments are the only truth: after a sleep the room is rebuilt from them and says `resync`.
 *  R4. A lost socket leaves the line resumable for a while: open streams pause, new ones wait a little.
 *  R5. Nothing a host or viewer sends ends the room; an idle room holds no timer. */

const GREETING_MS = 10_000;
const GREETINGS_AT_ONCE = 8;
const GRACE_MS = 30_000;
const WAIT_FOR_HOST_MS = 5_000;
const PING_SILENCE_MS = 45_000;
const UNRESPONSIVE_MS = 8_000;
const WATCH_MS = 2_000;
const OBJECT_BYTES = 24 * 1024 * 1024;

/** What survives the loss of a socket. */
interface Hold {
  readonly sid: string;
  readonly resumeKey: string;
  readonly hostId: string;
  readonly limits: TunnelLimits;
  readonly line: Line;
}

type Presence =
  | { readonly kind: "offline" }
  | { readonly kind: "serving"; readonly hold: Hold; readonly socket: EdgeSocket; readonly sinceMs: number }
  | { readonly kind: "detached"; readonly hold: Hold; readonly back: PromiseWithResolvers<void> };

interface Waiting {
  readonly stream: EdgeStream & { readonly waitsForHead: boolean };
  readonly mark: number;
  readonly dueMs: number;
}

export class EdgeRoom {
  readonly #ports: EdgePorts;
  readonly #streams = new Map<number, EdgeStream>();
  readonly #roles = new WeakMap<EdgeSocket, Role>();
  readonly #greetings = new Map<EdgeSocket, AbortController>();
  readonly #proving = new Set<EdgeSocket>();
  readonly #waiting = new Map<number, Waiting>();
  #presence: Presence = { kind: "offline" };
  #nextStream = 1;
  #watching = false;

  constructor(ports: EdgePorts) {
    this.#ports = ports;
    this.#wake();
  }

  /** A viewer's request. Never rejects. */
  async fetch(request: Request): Promise<Response> {
    try {
      return await this.#answer(request);
    } catch (error) {
      this.#ports.log.error("edge.request-failed", { error: String(error) }); // R5
      return this.#refuse("overloaded", request);
    }
  }

  async #answer(request: Request): Promise<Response> {
    const record = this.#ports.store.record();
    if (!record) return this.#refuse("unknown_slug", request);
    const url = new URL(request.url);
    if (url.pathname === "/_th/health") return this.#health();
    if (url.pathname === "/_th" || url.pathname.startsWith("/_th/")) return this.#refuse("not_found", request);
    const refusal = refusalOf(request, url);
    if (refusal) return this.#refuse(refusal, request);

    const hold = await this.#hold();
    if (!hold) {
      const away = spanOf(this.#ports.clock.now() - (this.#ports.store.record() ?? record).lastSeenMs);
      return this.#refuse("host_offline", request, `Away for ${away}.`);
    }
    const full = this.#fullness(request, hold);
    return full ? this.#refuse(full, request) : this.#open(request, { url, hold });
  }

  /** A host dials with a valid ticket; `url` is what viewers will call it. */
  connect(claims: TicketClaims, url: string): Response {
    const nonce = this.#ports.token();
    const { socket, response } = this.#ports.accept({ kind: "greeting", nonce, claims, url }, "thp.1");
    const greeting = [...this.#ports.openSockets()].filter((other) => this.#roleOf(other).kind === "greeting");
    if (greeting.length > GREETINGS_AT_ONCE) this.#dismiss(socket, CLOSE.tooMany, "too many are dialling");
    else {
      say(socket, { t: "challenge", nonce });
      void this.#expireGreeting(socket);
    }
    return response;
  }

  async message(socket: EdgeSocket, data: string | ArrayBuffer): Promise<void> {
    const role = this.#roleOf(socket);
    if (role.kind === "viewer") {
      const viewer = this.#streams.get(role.stream);
      if (viewer instanceof EdgeViewer) viewer.fromViewer(data);
      else socket.close(1012, "the host went away");
    } else if (role.kind === "greeting") await this.#greet(socket, role, data);
    else if (role.kind === "host" && typeof data !== "string") this.#takeBatch(socket, data);
  }

  closed(socket: EdgeSocket, code: number, reason: string): void {
    const role = this.#roleOf(socket);
    this.#roles.set(socket, { kind: "gone" });
    this.#greetings.get(socket)?.abort();
    if (role.kind === "viewer") {
      const viewer = this.#streams.get(role.stream);
      if (viewer instanceof EdgeViewer) viewer.viewerClosed({ code, reason });
    }
    closeWith(socket, { code, reason });
    if (this.#presence.kind !== "serving" || this.#presence.socket !== socket) return;
    if (code === CLOSE.bye) this.#goOffline();
    else this.#detach();
  }

  // R3
  #wake(): void {
    const sockets = [...this.#ports.openSockets()].map((socket) => ({ socket, role: this.#roleOf(socket) }));
    const host = sockets.findLast(({ role }) => role.kind === "host");
    if (host?.role.kind !== "host") {
      for (const { socket, role } of sockets) if (role.kind === "viewer") socket.close(1012, "the host went away");
      return;
    }
    const hold = this.#newHold(host.role, true);
    this.#presence = { kind: "serving", hold, socket: host.socket, sinceMs: host.role.sinceMs };
    for (const { socket, role } of sockets) {
      if (role.kind !== "viewer") continue;
      this.#nextStream = Math.max(this.#nextStream, role.stream + 1);
      this.#streams.set(role.stream, new EdgeViewer({ kind: "open", socket }, this.#seat(role.stream, hold)));
    }
    say(host.socket, { t: "resync", keep: [...this.#streams.keys()] });
    hold.line.attach((bytes) => host.socket.send(bytes));
  }

  #newHold(role: Omit<Hold, "line">, adopt: boolean): Hold {
    const { clock } = this.#ports;
    const defer = (run: () => void): void => queueMicrotask(run);
    const line = new Line({ clock, defer, adopt, onFrame: (frame) => this.#route(frame) });
    const { sid, resumeKey, hostId, limits } = role;
    return { sid, resumeKey, hostId, limits, line };
  }

  // R1
  async #expireGreeting(socket: EdgeSocket): Promise<void> {
    const over = new AbortController();
    this.#greetings.set(socket, over);
    await this.#sleep(GREETING_MS, over.signal);
    this.#greetings.delete(socket);
    if (this.#roleOf(socket).kind === "greeting") this.#dismiss(socket, CLOSE.ticket, "no hello");
  }

  async #greet(socket: EdgeSocket, role: Role & { kind: "greeting" }, data: string | ArrayBuffer): Promise<void> {
    const hello = typeof data === "string" ? decodeJson(FromHost, data) : undefined;
    if (!hello || this.#proving.has(socket)) return this.#dismiss(socket, CLOSE.protocol, "expected one hello");
    this.#proving.add(socket);
    const proven = await isProof({ key: hello.key, sig: hello.sig, nonce: role.nonce }, role.claims);
    const { resume } = hello;
    const held = this.#presence.kind === "offline" ? undefined : this.#presence.hold;
    const mayResume = resume && held?.sid === resume.sid && (await isResumeMac(resume.mac, held.resumeKey, role.nonce));
    this.#proving.delete(socket);

    if (this.#roleOf(socket).kind !== "greeting") return; // closed or expired meanwhile
    if (!proven) return this.#dismiss(socket, CLOSE.ticket, "the key does not fit the ticket"); // R1
    const { claims } = role;
    if (!this.#ports.store.spend(claims.jti, claims.exp * 1000)) {
      return this.#dismiss(socket, CLOSE.ticket, "this ticket was used before"); // R2
    }
    if (this.#presence.kind !== "offline" && this.#presence.hold.hostId !== claims.sub) {
      return this.#dismiss(socket, CLOSE.heldByAnotherHost, "another host holds this address"); // R2
    }
    this.#seatHost(socket, role, mayResume ? resume.recv : undefined);
  }

  #seatHost(socket: EdgeSocket, { claims, url }: Role & { kind: "greeting" }, peerReceived: number | undefined): void {
    const before = this.#presence;
    const sinceMs = this.#ports.clock.now();
    const resumed = before.kind !== "offline" && peerReceived !== undefined && before.hold.line.canResume(peerReceived);
    const fresh = {
      sid: this.#ports.token(),
      resumeKey: this.#ports.token(),
      hostId: claims.sub,
      limits: claims.limits,
    };
    if (before.kind === "serving") this.#dismiss(before.socket, CLOSE.replaced, "dialled again");
    if (!resumed) this.#drop("host_lost");
    const hold = resumed ? { ...before.hold, limits: claims.limits } : this.#newHold(fresh, false);
    hold.line.detach();
    const { sid, resumeKey, hostId, limits } = hold;
    this.#assign(socket, { kind: "host", sid, resumeKey, hostId, limits, sinceMs });
    this.#presence = { kind: "serving", hold, socket, sinceMs };
    this.#ports.store.save({ hostId: claims.sub, org: claims.org, lastSeenMs: sinceMs });
    say(socket, { t: "welcome", sid, resumeKey, url, recv: hold.line.received, resumed, limits });
    hold.line.attach((bytes) => socket.send(bytes), resumed ? peerReceived : undefined);
    if (before.kind === "detached") before.back.resolve();
    this.#ports.log.info("edge.host-online", { slug: claims.slug, hostId, resumed });
  }

  #takeBatch(socket: EdgeSocket, data: ArrayBuffer): void {
    if (this.#presence.kind !== "serving" || this.#presence.socket !== socket) return;
    const received = this.#presence.hold.line.receive(new Uint8Array(data));
    if (received.kind === "taken") return;
    this.#goOffline();
    this.#dismiss(socket, CLOSE.protocol, received.reason); // R5
  }

  #route(frame: Frame): void {
    const stream = this.#streams.get(frame.stream);
    if (!stream) return;
    try {
      stream.frame(frame);
    } catch (error) {
      this.#ports.log.warn("edge.stream-failed", { stream: frame.stream, error: String(error) }); // R5
      stream.fail("host_lost");
    }
  }

  /** R4. The line to send on, waiting a little for a host that was here a moment ago. */
  async #hold(): Promise<Hold | undefined> {
    if (this.#presence.kind === "serving") {
      const heardMs = Math.max(this.#presence.sinceMs, this.#ports.lastPingMs(this.#presence.socket) ?? 0);
      if (this.#ports.clock.now() - heardMs <= PING_SILENCE_MS) return this.#presence.hold;
      this.#dismiss(this.#presence.socket, CLOSE.draining, "silent");
      this.#detach();
    }
    if (this.#presence.kind === "detached") {
      const patience = new AbortController();
      await Promise.race([this.#presence.back.promise, this.#sleep(WAIT_FOR_HOST_MS, patience.signal)]);
      patience.abort();
    }
    return this.#presence.kind === "serving" ? this.#presence.hold : undefined;
  }

  #fullness(request: Request, { limits, line }: Hold): EdgeErrorCode | undefined {
    if (Number(request.headers.get("content-length") ?? 0) > limits.bodyBytes) return "body_too_large";
    if (this.#streams.size >= limits.streams) return "too_many_streams";
    const heldBytes = [...this.#streams.values()].reduce((sum, stream) => sum + stream.heldBytes, line.heldBytes);
    return heldBytes > OBJECT_BYTES ? "overloaded" : undefined;
  }

  async #open(request: Request, { url, hold }: { url: URL; hold: Hold }): Promise<Response> {
    const id = this.#nextStream;
    this.#nextStream += 1;
    const ws = isUpgrade(request);
    const seat = this.#seat(id, hold);
    const body = ws ? null : request.body;
    const payload = encodeJson(this.#openPayload(request, url));
    const reply = Promise.withResolvers<Response>();
    const stream = ws ? new EdgeViewer({ kind: "opening", answer: reply.resolve }, seat) : new EdgeHttp(request, seat);
    if (stream instanceof EdgeHttp) reply.resolve(stream.answer);
    else request.signal.addEventListener("abort", () => stream.cancel());
    this.#streams.set(id, stream);
    hold.line.send({ type: FRAME.open, flags: body || ws ? 0 : FLAG.fin, stream: id, payload });
    if (body && stream instanceof EdgeHttp) void stream.upload(body);
    this.#waiting.set(id, { stream, mark: hold.line.mark(), dueMs: this.#ports.clock.now() + UNRESPONSIVE_MS });
    if (!this.#watching) void this.#watch();
    return reply.promise;
  }

  #openPayload(request: Request, url: URL): OpenPayload {
    const host = request.headers.get("host") ?? url.host;
    return {
      method: request.method,
      path: url.pathname + url.search,
      headers: inbound(request.headers as Iterable<Header>),
      from: {
        address: this.#ports.clientAddress(request),
        proto: url.protocol === "https:" ? "https" : "http",
        host,
      },
      ws: isUpgrade(request),
    };
  }

  #seat(id: number, hold: Hold): StreamSeat {
    const leave = (): void => {
      this.#streams.delete(id);
      this.#waiting.delete(id);
    };
    return { id, line: hold.line, ports: this.#ports, limits: hold.limits, leave };
  }

  /** Runs while memory matters: notices a host that takes nothing, and keeps the object awake meanwhile. */
  async #watch(): Promise<void> {
    this.#watching = true;
    while ([...this.#streams.values()].some((stream) => stream.busy)) {
      await this.#ports.clock.sleep(WATCH_MS);
      const nowMs = this.#ports.clock.now();
      const line = this.#presence.kind === "offline" ? undefined : this.#presence.hold.line;
      for (const stream of this.#streams.values()) if (stream instanceof EdgeHttp) stream.nudge(nowMs);
      for (const [id, { stream, mark, dueMs }] of this.#waiting) {
        if (!stream.waitsForHead || line?.isAcked(mark)) this.#waiting.delete(id);
        else if (nowMs >= dueMs) stream.fail("host_unresponsive");
      }
    }
    this.#watching = false;
  }

  #detach(): void {
    if (this.#presence.kind !== "serving") return;
    const { hold } = this.#presence;
    hold.line.detach();
    const detached = { kind: "detached", hold, back: Promise.withResolvers<void>() } as const;
    this.#presence = detached;
    this.#saw(hold.hostId);
    void this.#ports.clock.sleep(GRACE_MS).then(() => {
      if (this.#presence === detached) this.#goOffline();
    });
  }

  #goOffline(): void {
    const before = this.#presence;
    this.#drop("host_lost");
    this.#presence = { kind: "offline" };
    if (before.kind === "serving") this.#saw(before.hold.hostId);
    if (before.kind === "detached") before.back.resolve();
  }

  #saw(hostId: string): void {
    const record = this.#ports.store.record();
    if (record) this.#ports.store.save({ ...record, hostId, lastSeenMs: this.#ports.clock.now() });
  }

  #drop(code: EdgeErrorCode): void {
    if (this.#presence.kind !== "offline") this.#presence.hold.line.close();
    for (const stream of this.#streams.values()) stream.fail(code);
  }

  #dismiss(socket: EdgeSocket, code: number, message: string): void {
    this.#assign(socket, { kind: "gone" });
    try {
      say(socket, { t: "error", message });
      socket.close(code, message);
    } catch {
      this.#ports.log.debug("edge.socket-already-closed", { code });
    }
  }

  #assign(socket: EdgeSocket, role: Role): void {
    this.#roles.set(socket, role);
    this.#greetings.get(socket)?.abort(); // R5
    socket.serializeAttachment(role);
  }

  #roleOf(socket: EdgeSocket): Role {
    const known = this.#roles.get(socket);
    if (known) return known;
    const role = Role.safeParse(socket.deserializeAttachment()).data ?? { kind: "gone" as const };
    this.#roles.set(socket, role);
    return role;
  }

  #sleep(ms: number, signal: AbortSignal): Promise<void> {
    return this.#ports.clock.sleep(ms, signal).catch(() => undefined);
  }

  #refuse(code: EdgeErrorCode, request: Request, detail?: string): Response {
    const options = { html: wantsHtml(request), head: request.method === "HEAD" };
    return errorAnswer(code, detail === undefined ? options : { ...options, detail });
  }

  #health(): Response {
    const host = this.#presence.kind === "serving" ? "online" : "offline";
    return Response.json({ ok: true, host }, { headers: { "cache-control": "no-store" } });
  }
}

function isUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

function refusalOf(request: Request, url: URL): EdgeErrorCode | undefined {
  if (!isPlainRequest(request.method, url.pathname + url.search)) return "bad_request";
  const host = request.headers.get("host") ?? url.host;
  return isUpgrade(request) && !isOwnOrigin(request.headers.get("origin"), host) ? "foreign_origin" : undefined;
}

function say(socket: EdgeSocket, message: FromEdge): void {
  socket.send(JSON.stringify(message));
}
