import { DurableObject } from "cloudflare:workers";
import type { Log } from "@smooth/platform/ports";
import { TicketClaims } from "@smooth/protocol/thp";
import type { EdgePorts, SlugRecord, SlugStore } from "@smooth/tunnel/edge-ports";
import { EdgeRoom } from "@smooth/tunnel/edge-room";
import { doorOf } from "@smooth/tunnel/hygiene";
import { z } from "zod";

export interface Env {
  readonly SLUG: DurableObjectNamespace<SlugObject>;
  /** The SaaS' Ed25519 public key. */
  readonly TICKET_JWK: string;
  /** `th.smoo.ai`, or `th.localhost` on one machine. */
  readonly BASE_DOMAIN: string;
}

/** From the Worker to the object only. */
export const CLAIMS_HEADER = "x-th-claims";

/** One object per slug: hands the room its sockets, storage and clock, and catches what the room must not die of. */
export class SlugObject extends DurableObject<Env> {
  readonly #room: EdgeRoom;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    this.#room = new EdgeRoom(portsOf(state, env));
  }

  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    if (doorOf(url.host, this.env.BASE_DOMAIN).kind !== "connect") return this.#room.fetch(request);
    const claims = TicketClaims.parse(JSON.parse(decodeURIComponent(request.headers.get(CLAIMS_HEADER) ?? "")));
    return this.#room.connect(claims, `${url.protocol}//${url.host.replace("connect", claims.slug)}`);
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    try {
      await this.#room.message(socket, data);
    } catch (error) {
      log.error("edge.message-failed", { error: String(error), size: sizeOf(data) });
      socket.close(1011, "something went wrong on our side");
    }
  }

  override webSocketClose(socket: WebSocket, code: number, reason: string): void {
    this.#room.closed(socket, code, reason);
  }

  override webSocketError(socket: WebSocket): void {
    this.#room.closed(socket, 1006, "");
  }
}

function portsOf(state: DurableObjectState, env: Env): EdgePorts {
  return {
    clock: {
      now: () => Date.now(),
      sleep: (ms, signal) =>
        new Promise((resolve, reject) => {
          const timer = setTimeout(resolve, ms);
          signal?.addEventListener("abort", () => {
            clearTimeout(timer);
            reject(signal.reason as Error);
          });
        }),
    },
    log,
    store: storeOf(state.storage.sql),
    token: () =>
      btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))))
        .replaceAll("+", "-")
        .replaceAll("/", "_")
        .replaceAll("=", ""),
    openSockets: () => state.getWebSockets().filter((socket) => socket.readyState === WebSocket.OPEN),
    lastPingMs: (socket) => state.getWebSocketAutoResponseTimestamp(socket as WebSocket)?.getTime(),
    clientAddress: (request) =>
      (env.BASE_DOMAIN.endsWith(".localhost") ? null : request.headers.get("cf-connecting-ip")) ?? "127.0.0.1",
    accept: (role, protocol) => {
      const { 0: client, 1: socket } = new WebSocketPair();
      state.acceptWebSocket(socket);
      socket.serializeAttachment(role);
      const headers: HeadersInit = protocol ? { "sec-websocket-protocol": protocol } : {};
      return { socket, response: new Response(null, { status: 101, webSocket: client, headers }) };
    },
    openBody: (lengthBytes) =>
      lengthBytes === undefined ? new IdentityTransformStream() : new FixedLengthStream(lengthBytes),
  };
}

const Row = z.object({ hostId: z.string(), org: z.string(), lastSeenMs: z.number() });

function storeOf(sql: SqlStorage): SlugStore {
  const prepare = (): void => {
    sql.exec("CREATE TABLE IF NOT EXISTS slug (one INTEGER PRIMARY KEY CHECK (one = 1), record TEXT NOT NULL)");
    sql.exec("CREATE TABLE IF NOT EXISTS spent (jti TEXT PRIMARY KEY, expires_ms INTEGER NOT NULL)");
  };
  const isPrepared = (): boolean =>
    sql.exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'slug'").toArray().length > 0;
  let record: SlugRecord | undefined;
  return {
    /** Reading writes nothing: a wrong guess of a slug leaves no object behind. */
    record: () => {
      if (record || !isPrepared()) return record;
      const [row] = sql.exec("SELECT record FROM slug").toArray();
      record = row && Row.parse(JSON.parse(String(row["record"])));
      return record;
    },
    save: (next) => {
      prepare();
      sql.exec("INSERT OR REPLACE INTO slug VALUES (1, ?)", JSON.stringify(next));
      record = next;
    },
    spend: (jti, expiresMs) => {
      prepare();
      sql.exec("DELETE FROM spent WHERE expires_ms < ?", Date.now() - 60_000);
      return sql.exec("INSERT OR IGNORE INTO spent VALUES (?, ?)", jti, expiresMs).rowsWritten > 0;
    },
  };
}

const line = (level: "debug" | "info" | "warn" | "error"): Log["info"] => {
  return (event, fields = {}) => console[level](JSON.stringify({ level, event, ...fields }));
};
const log: Log = { debug: () => undefined, info: line("info"), warn: line("warn"), error: line("error") };

function sizeOf(data: string | ArrayBuffer): number {
  return typeof data === "string" ? data.length : data.byteLength;
}
