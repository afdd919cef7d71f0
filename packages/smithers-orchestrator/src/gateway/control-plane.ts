/** The Gateway at work: HTTP requests and sockets in, events out, crons fired.
 *  P1. A cron that a workflow was registered with is one row, however often the process is started.
 *  P2. What was told is in the store before anybody hears of it.
 *  P3. A run of a cron may no more than who made the cron; of one whose maker is not known it may nothing. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { createSchedule, deleteSchedule, fireSchedules } from "@smooth/engine/schedules";
import type { Schedule } from "@smooth/engine/schedules/port";
import { openSqliteSchedules } from "@smooth/engine/schedules/sqlite";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { Clock } from "@smooth/platform/ports";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { WebSocketServer } from "ws";
import { z } from "zod";
import { RunHost } from "../hosting/run-host.ts";
import { authenticate, isSiteAllowed, knockOf, type Auth, type Caller } from "./auth.ts";
import { Connection } from "./connection.ts";
import { HTTP_STATUS, RequestFrame } from "./contract.ts";
import { answer, failed } from "./dispatch.ts";
import { authOf, handlersOf, makerFrom, type ControlPlane, type Handlers } from "./handlers.ts";

export interface PlaneOptions {
  readonly rootDir: string;
  readonly auth: Auth;
  readonly protocol: number;
  readonly heartbeatMs: number;
  readonly maxBodyBytes: number;
  readonly maxPayload: number;
  readonly maxConnections: number;
  readonly headersTimeout: number;
  readonly requestTimeout: number;
}

export interface Registered {
  readonly workflow: WorkflowDefinition;
  readonly schedule: string | undefined;
}

export interface OpenPlane extends AsyncDisposable {
  readonly server: Server;
}

/** P3 */
function makerOf({ scheduleId, maker }: Schedule): Caller {
  return Maker.safeParse(maker).data ?? { userId: `cron:${scheduleId}`, role: "cron", scopes: [] };
}
const Maker = z.object({ userId: z.string(), role: z.string(), scopes: z.array(z.string()) });

/** Who registered a workflow with a schedule: the program itself. */
const PROGRAM: Caller = { userId: "cron:gateway", role: "system", scopes: ["*"] };

export async function openControlPlane(
  options: PlaneOptions,
  registered: ReadonlyMap<string, Registered>,
): Promise<OpenPlane> {
  const workflows = new Map([...registered].map(([name, { workflow }]) => [name, workflow]));
  const connections = new Set<Connection>();
  const runs = new RunHost({
    rootDir: options.rootDir,
    find: async (name) => workflows.get(name) ?? null,
    onEvent: (event) => connections.forEach((connection) => connection.hear(event)), // P2
    alsoDo: (host) => fire(host),
  });
  const schedules = openSqliteSchedules(runs.workspace.sql);
  const fire = ({ store, clock }: RunHost): Promise<void> =>
    fireSchedules({
      schedules,
      store,
      clock,
      log: runs.workspace.deps.log,
      launch: (cron, runId) =>
        runs.launch({ workflow: cron.workflow, input: cron.input, runId, auth: authOf(makerOf(cron), clock.now()) }), // P3
    });
  const plane: ControlPlane = { runs, schedules, workflows };
  await keepCrons(plane, registered).catch(async (error: unknown) => {
    await runs[Symbol.asyncDispose]();
    throw error;
  });
  const handlers = handlersOf(plane);
  const server = httpServer(options, handlers, runs.clock);
  const sockets = acceptSockets(server, options, { runs, handlers, connections });
  return {
    server,
    async [Symbol.asyncDispose]() {
      for (const ws of sockets.clients) ws.close(1001, "the gateway stops");
      await new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      });
      await runs[Symbol.asyncDispose]();
    },
  };
}

interface Shared {
  readonly runs: RunHost;
  readonly handlers: Handlers;
  readonly connections: Set<Connection>;
}

function acceptSockets(
  server: Server,
  { auth, heartbeatMs, protocol, maxPayload, maxConnections }: PlaneOptions,
  { runs, handlers, connections }: Shared,
): WebSocketServer {
  const { clock } = runs;
  const sockets = new WebSocketServer({ noServer: true, maxPayload });
  let stateVersion = 0;
  const nextStateVersion = (): number => (stateVersion += 1);
  server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (sockets.clients.size >= maxConnections) return void socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
    const knock = knockOf(request);
    if (!isSiteAllowed(auth, knock)) return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    return sockets.handleUpgrade(request, socket, head, (ws) => {
      const identify = (token: string | undefined): Promise<Caller | null> =>
        authenticate(auth, knock, { token, nowMs: clock.now() });
      const deps = { runs, handlers, clock, heartbeatMs, protocol, identify, nextStateVersion };
      const connection = new Connection(ws, deps);
      connections.add(connection);
      ws.once("close", () => connections.delete(connection));
    });
  });
  return sockets;
}

/** P1: an edited pattern takes the row's place. */
async function keepCrons(
  { runs, schedules }: ControlPlane,
  registered: ReadonlyMap<string, Registered>,
): Promise<void> {
  const clock: Clock = runs.clock;
  const there = new Map((await schedules.list()).map((one) => [one.scheduleId, one]));
  for (const [name, { schedule: pattern }] of registered) {
    const cronId = `gateway:${name}`;
    const old = there.get(cronId);
    const isCurrent = old?.pattern === pattern && old?.maker !== null;
    if (old && !isCurrent) await deleteSchedule(schedules, cronId);
    if (pattern === undefined || isCurrent) continue;
    const cron = { workflow: name, pattern, maker: makerFrom(PROGRAM) };
    await createSchedule({ schedules, clock, ids: { next: () => cronId } }, cron);
  }
}

function httpServer(options: PlaneOptions, handlers: Handlers, clock: Clock): Server {
  const { headersTimeout, requestTimeout, maxBodyBytes } = options;
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.get("/health", (c) => c.json({ ok: true }));
  app.use(
    bodyLimit({
      maxSize: maxBodyBytes,
      onError: (c) => c.json(failed("", { code: "PayloadTooLarge", message: `over ${maxBodyBytes} bytes` }), 413),
    }),
  );
  app.post("/rpc", async (c) => {
    const knock = knockOf(c.env.incoming);
    if (!isSiteAllowed(options.auth, knock))
      return c.json(failed("", { code: "Forbidden", message: "no page of that Origin, no such Host" }), 403);
    const caller = await authenticate(options.auth, knock, { nowMs: clock.now() });
    if (!caller) return c.json(failed("", { code: "Unauthorized", message: "no such token" }), 401);
    const frame = RequestFrame.safeParse(await c.req.json().catch(() => undefined));
    if (!frame.success)
      return c.json(failed("", { code: "InvalidRequest", message: "send { id, method, params } as JSON" }), 400);
    const reply = await answer(handlers, frame.data, caller);
    return c.json(reply, reply.ok ? 200 : HTTP_STATUS[reply.error.code]);
  });
  const connectionsCheckingInterval = Math.min(1_000, headersTimeout, requestTimeout);
  return createServer({ headersTimeout, requestTimeout, connectionsCheckingInterval }, getRequestListener(app.fetch));
}
