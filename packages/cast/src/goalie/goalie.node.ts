import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { MODEL_HOST } from "./door.ts";
import { Crossing, limitsOf, writeRefusal, type GoalieOptions } from "./crossing.node.ts";
import { forward, forwardUpgrade } from "./forward.node.ts";
import { routeModel } from "./model-route.node.ts";
import { refusalBody, type Refusal } from "./refusal.ts";
import { readAuthority, readTarget, type TargetReading } from "./target.ts";
import { tunnel } from "./tunnel.node.ts";

/** Goalie forwards or blocks; he never decides. One per operator: every connection of its guest comes in through `accept`.
 *  The invariants G1–G4 live in crossing.node.ts, G5 and G6 in guard.node.ts, G7 in tunnel.node.ts, M1–M3 in model-route.node.ts. */

export interface Goalie extends AsyncDisposable {
  /** One connection from the guest; Goalie owns it from here on. */
  accept(connection: Duplex): void;
  /** Cuts every connection now. */
  close(): void;
}

export function openGoalie(options: GoalieOptions): Goalie {
  const connections = new Set<Duplex>();
  const { maxConnections } = limitsOf(options);
  // Node's own parser: strict, 32 KiB of headers, one meaning per message. It never listens; connections are handed to it.
  const server = createServer({ maxHeaderSize: 32 * 1024, insecureHTTPParser: false });
  server.on("request", (incoming, response) => void onRequest(options, incoming, response));
  server.on("upgrade", (incoming, socket, head) => void onUpgrade(options, incoming, { socket, head }));
  server.on("connect", (incoming, socket, head) => void onConnect({ options, server }, incoming, { socket, head }));
  server.on("clientError", (_error, socket) => socket.destroy());

  const close = (): void => {
    for (const connection of connections) connection.destroy();
  };
  return {
    accept(connection) {
      connection.on("error", () => connection.destroy());
      if (connections.size >= maxConnections) return void connection.destroy();
      connections.add(connection);
      connection.once("close", () => connections.delete(connection));
      server.emit("connection", connection);
    },
    close,
    [Symbol.asyncDispose]: async () => close(),
  };
}

async function onRequest(options: GoalieOptions, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const reading = readTarget(incoming.url ?? "", incoming.headers.host);
  const method = incoming.method ?? "GET";
  if (reading.kind === "refused") {
    const refusal = malformed(options, reading, method);
    return void response
      .writeHead(refusal.status, { "content-type": "application/json", connection: "close" })
      .end(refusalBody(refusal, "request"));
  }
  const crossing = new Crossing(options, reading.target, method);
  incoming.on("error", () => incoming.destroy());
  if (reading.target.host === MODEL_HOST) return routeModel(crossing, incoming, response);
  // A server, not a proxy, is asked with a bare path: only the model host is one.
  if (!/^http:/i.test(incoming.url ?? "")) {
    const refusal = malformed(
      options,
      { kind: "refused", reason: "a proxy takes absolute http:// URLs or CONNECT" },
      method,
    );
    return void response
      .writeHead(refusal.status, { "content-type": "application/json", connection: "close" })
      .end(refusalBody(refusal, reading.target.host));
  }
  await forward(crossing, incoming, response);
}

async function onUpgrade(
  options: GoalieOptions,
  incoming: IncomingMessage,
  raw: { socket: Duplex; head: Buffer },
): Promise<void> {
  raw.socket.on("error", () => raw.socket.destroy());
  const reading = readTarget(incoming.url ?? "", incoming.headers.host);
  const method = incoming.method ?? "GET";
  if (reading.kind === "refused" || reading.target.host === MODEL_HOST || !/^http:/i.test(incoming.url ?? "")) {
    const refused: TargetReading =
      reading.kind === "refused" ? reading : { kind: "refused", reason: "no upgrade here" };
    return writeRefusal(raw.socket, malformed(options, refused, method), "request");
  }
  await forwardUpgrade(new Crossing(options, reading.target, method), incoming, raw);
}

async function onConnect(
  { options, server }: { options: GoalieOptions; server: Server },
  incoming: IncomingMessage,
  { socket, head }: { socket: Duplex; head: Buffer },
): Promise<void> {
  socket.on("error", () => socket.destroy());
  const reading = readAuthority(incoming.url ?? "");
  if (reading.kind === "refused") return writeRefusal(socket, malformed(options, reading, "CONNECT"), "request");
  if (reading.target.host !== MODEL_HOST) return tunnel(new Crossing(options, reading.target, "CONNECT"), socket, head);
  // Clients that tunnel everything reach the model host this way: the tunnel ends here.
  if (reading.target.port !== 80)
    return writeRefusal(
      socket,
      { status: 403, rule: "model.port", message: "the model host speaks plain HTTP on port 80" },
      MODEL_HOST,
    );
  socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
  if (head.length > 0) socket.unshift(head);
  server.emit("connection", socket);
}

/** G4, for requests that name nobody. */
function malformed(
  options: GoalieOptions,
  { reason }: Extract<TargetReading, { kind: "refused" }>,
  method: string,
): Refusal {
  options.audit({
    host: "",
    port: 0,
    method,
    path: null,
    verdict: "blocked",
    rule: "goalie.malformed",
    status: 400,
    bytesOut: 0,
    bytesIn: 0,
  });
  return { status: 400, rule: "goalie.malformed", message: reason };
}
