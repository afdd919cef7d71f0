import { upgradeWebSocket } from "@hono/node-server";
import { Hono, type Context, type MiddlewareHandler } from "hono";
import { secureHeaders } from "hono/secure-headers";
import type { WebSocket } from "ws";
import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { Handlers } from "@smooth/protocol/gateway";
import { RPC_PATH, SOCKET_PATH } from "../wire.ts";
import type { Authenticate } from "./auth.ts";
import { limitBody, parseJson, readJson } from "./body.ts";
import type { Connections } from "./connections.ts";
import { dispatch, isStream, subscribe } from "./dispatch.ts";
import {
  admitCaller,
  answerError,
  checkAddress,
  only,
  refuseOtherSites,
  spend,
  type DoorEnv,
  type Listener,
} from "./door.ts";
import type { Limits } from "./limits.ts";
import { openApi } from "./openapi.ts";
import type { RateLimit } from "./rate-limit.ts";
import { signIn } from "./sign-in.ts";
import type { Sessions } from "./sessions.ts";
import { answerSse } from "./streams.ts";
import { serveUi } from "./ui.ts";
import { GatewaySocket } from "./websocket.ts";

/** The routes. Request in, Response out; sockets are opened by serve.ts. */

export interface AppDeps {
  readonly handlers: Handlers;
  readonly authenticate: Authenticate;
  readonly sessions: Sessions;
  readonly connections: Connections;
  readonly rateLimit: RateLimit;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly log: Log;
  readonly version: string;
  readonly uiDir: string | null;
  /** Aborted when the gateway closes. */
  readonly closing: AbortSignal;
}

export function createApp(deps: AppDeps, listener: Listener): Hono<DoorEnv> {
  const app = new Hono<DoorEnv>();
  app.onError((error) => answerError(error, deps.log));
  app.notFound((c) => answerError(new SmoothError("NOT_FOUND", `nothing is at ${c.req.path}`), deps.log));
  app.use(secureHeaders(SECURE_HEADERS));
  app.use(checkAddress(listener));

  app.get("/healthz", (c) => c.json({ ok: true })).all(only("GET"));
  signIn(app, deps);
  app.use("/v1/*", refuseOtherSites, admitCaller(listener, deps), limitBody(deps.limits.bodyBytes));
  app.get("/v1/openapi.json", (c) => c.json(openApi(deps.version))).all(only("GET"));
  app.get(SOCKET_PATH, socketRoute(deps)).all(only("GET"));
  app.all(`${RPC_PATH}/:method`, (c) => rpc(c, deps));
  app.all("/v1/*", (c) => c.notFound());
  if (deps.uiDir !== null) serveUi(app, deps.uiDir);
  return app;
}

/** Scripts only from this host; inline styles stay, the terminal and the graph position with them. */
const SECURE_HEADERS: Parameters<typeof secureHeaders>[0] = {
  contentSecurityPolicy: {
    defaultSrc: ["'self'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", "data:"],
    objectSrc: ["'none'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
  // HSTS belongs to whoever holds the TLS certificate: the edge.
  strictTransportSecurity: false,
  xFrameOptions: "DENY",
  referrerPolicy: "no-referrer",
};

async function rpc(c: Context<DoorEnv>, deps: AppDeps): Promise<Response> {
  const method = c.req.param("method") ?? "";
  const caller = c.get("caller");
  if (!isStream(method)) {
    if (c.req.method !== "POST") only("POST")(c);
    const output = await dispatch(deps.handlers, { method, input: await readJson(c), caller });
    return c.json(output as object, 200, { "cache-control": "no-store" });
  }
  const input = withLastEventId(await streamInput(c), c.req.header("last-event-id"));
  const { response, cut, over } = await answerSse(
    (signal) => subscribe(deps.handlers, { method, input, caller }, signal),
    {
      clock: deps.clock,
      stallMs: deps.limits.stallMs,
      hangUp: () => c.env.outgoing.destroy(),
    },
  );
  const signedOut = new SmoothError("UNAUTHENTICATED", "the session ended");
  const entry = deps.connections.add({ credentials: c.get("credentials"), caller, cut: () => cut(signedOut) });
  const onClosing = (): void => cut(new SmoothError("HOST_OFFLINE", "the host is stopping"));
  deps.closing.addEventListener("abort", onClosing);
  void over.then(() => {
    entry[Symbol.dispose]();
    deps.closing.removeEventListener("abort", onClosing);
  });
  return response;
}

/** A stream is opened by POST like any method, or by GET `?input=<json>` for EventSource. */
async function streamInput(c: Context): Promise<unknown> {
  if (c.req.method === "POST") return readJson(c);
  if (c.req.method !== "GET") return only("GET, POST")(c);
  return parseJson(c.req.query("input") ?? "{}", "the query's `input`");
}

/** EventSource says where it stopped; that wins over where it once began. */
function withLastEventId(input: unknown, lastEventId: string | undefined): unknown {
  if (lastEventId === undefined || !/^\d{1,15}$/.test(lastEventId)) return input;
  return typeof input === "object" && input !== null ? { ...input, afterSeq: Number(lastEventId) } : input;
}

function socketRoute(deps: AppDeps): MiddlewareHandler {
  const { connections, rateLimit, closing } = deps;
  return upgradeWebSocket((c: Context<DoorEnv>) => {
    const caller = c.get("caller");
    const credentials = c.get("credentials");
    let socket: GatewaySocket | null = null;
    let entry: Disposable | null = null;
    const onClosing = (): void => socket?.goAway();
    return {
      onOpen: (_, { raw }) => {
        socket = new GatewaySocket(raw as WebSocket, { ...deps, caller, admit: () => spend(rateLimit, caller) });
        entry = connections.add({ credentials, caller, cut: () => socket?.signOut() });
        closing.addEventListener("abort", onClosing);
      },
      onMessage: ({ data }) => socket?.receive(data),
      onClose: () => {
        entry?.[Symbol.dispose]();
        closing.removeEventListener("abort", onClosing);
        socket?.closed();
      },
    };
  });
}
