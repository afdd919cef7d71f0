import type { AddressInfo } from "node:net";
import { createAdaptorServer, type WebSocketServerLike } from "@hono/node-server";
import { WebSocketServer } from "ws";
import type { Server } from "node:http";
import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { Caller, Handlers } from "@smooth/protocol/gateway";
import type { Authenticate } from "./auth.ts";
import { createConnections } from "./connections.ts";
import type { Listener } from "./door.ts";
import { createApp, type AppDeps } from "./http.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { createRateLimit } from "./rate-limit.ts";
import type { Sessions } from "./sessions.ts";

/** The gateway of a host: two loopback listeners over one table of handlers.
 *  L1. Nothing listens beyond 127.0.0.1; the outside comes through the tunnel's listener, where every caller is `via: tunnel`. */

export interface GatewayOptions {
  readonly handlers: Handlers;
  readonly authenticate: Authenticate;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  /** 0 takes any free port. */
  readonly port: number;
  readonly tunnelPort?: number;
  /** Where the built live session lies; null serves none. */
  readonly uiDir: string | null;
  /** The sites the tunnel serves right now, e.g. `["https://scratch-1.th.smoo.ai"]`. */
  readonly publicOrigins: () => readonly string[];
  readonly limits?: Partial<Limits>;
}

export interface Gateway extends AsyncDisposable {
  /** For people and the CLI on this machine. */
  readonly url: string;
  /** For the tunnel's host line only. */
  readonly tunnelUrl: string;
  /** Who holds a stream or socket open. */
  watching(): readonly Caller[];
}

export async function serveGateway(options: GatewayOptions): Promise<Gateway> {
  const closing = new AbortController();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const connections = createConnections(options.clock);
  const rateLimit = createRateLimit(options.clock, limits.requests);
  const deps = { ...options, limits, connections, rateLimit, closing: closing.signal };

  const local = await listen(deps, { via: "local", port: options.port, origins: localOrigins });
  const tunnel = await listen(deps, {
    via: "tunnel",
    port: options.tunnelPort ?? 0,
    origins: options.publicOrigins,
  });
  const watch = connections.watch(options.authenticate, closing.signal);

  return {
    url: `http://127.0.0.1:${local.port}`,
    tunnelUrl: `http://127.0.0.1:${tunnel.port}`,
    watching: () => connections.list(),
    async [Symbol.asyncDispose]() {
      closing.abort();
      await Promise.all([watch, close(local), close(tunnel)]);
    },
  };
}

const localOrigins = (port: number): string[] => [`http://127.0.0.1:${port}`, `http://localhost:${port}`];

interface Door {
  readonly via: Listener["via"];
  readonly port: number;
  readonly origins: (port: number) => readonly string[];
}

interface Listening {
  readonly server: Server;
  readonly sockets: WebSocketServer;
  readonly port: number;
}

async function listen(deps: AppDeps, { via, port, origins }: Door): Promise<Listening> {
  let bound = port;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: deps.limits.bodyBytes });
  const app = createApp(deps, { via, origins: () => origins(bound) });
  const server = createAdaptorServer({
    fetch: app.fetch,
    hostname: "127.0.0.1",
    websocket: { server: sockets as unknown as WebSocketServerLike },
    serverOptions: { shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket" },
  }) as Server;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(cannotListen(error, port)));
    server.listen(port, "127.0.0.1", resolve); // L1
  });
  bound = (server.address() as AddressInfo).port;
  return { server, sockets, port: bound };
}

function cannotListen(error: NodeJS.ErrnoException, port: number): SmoothError {
  const why = error.code === "EADDRINUSE" ? "is taken by another program" : `cannot be opened (${error.code})`;
  return new SmoothError("CONFLICT", `port ${port} ${why}; choose another with --port`, {
    cause: error,
    details: { port },
  });
}

const GRACE_MS = 1_000;

/** Answers under way get a moment to end; then the sockets close. */
async function close({ server, sockets }: Listening): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  const force = setTimeout(() => {
    server.closeAllConnections();
    for (const socket of sockets.clients) socket.terminate();
  }, GRACE_MS);
  await closed;
  clearInterval(sweep);
  clearTimeout(force);
}
