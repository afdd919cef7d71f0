import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server } from "node:http";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { memoryLog } from "@smooth/platform/testing";
import { systemClock, systemRandom } from "@smooth/platform/node/system";
import type { TicketClaims } from "@smooth/protocol/thp";
import { type Dialer, type DialState } from "@smooth/tunnel/dialer";
import { createHostKey, type HostKey, publicHalf, thumbprint } from "@smooth/tunnel/host-key";
import { dial } from "@smooth/tunnel/node/dial";
import { mintTicket } from "@smooth/tunnel/ticket";
import { type ClientOptions, WebSocket, WebSocketServer } from "ws";
import type { z } from "zod";
import { type Rendezvous, startRendezvous } from "../local.node.ts";

/** A real rendezvous, a real origin and tickets for it. */
export interface Stage extends AsyncDisposable {
  readonly rendezvous: Rendezvous;
  readonly origin: TestOrigin;
  readonly hostKey: HostKey;
  ticket(slug: string, changes?: Partial<z.input<typeof TicketClaims>>): Promise<string>;
  /** Dials and waits until the slug is served. */
  serve(slug: string, more?: Partial<Parameters<typeof dial>[0]>): Promise<Dialer>;
}

export async function openStage(): Promise<Stage> {
  const dataDir = await mkdtemp(join(tmpdir(), "smooth-rendezvous-"));
  const [saasKey, hostKey, origin] = await Promise.all([createHostKey(), createHostKey(), openOrigin()]);
  const rendezvous = await startRendezvous({
    port: 0,
    dataDir,
    baseDomain: "th.localhost",
    ticketJwk: publicHalf(saasKey),
    log: process.env["TUNNEL_LOG"] ? consoleLog : memoryLog(),
  });
  const ticket: Stage["ticket"] = async (slug, changes = {}) => {
    const iat = Math.floor(Date.now() / 1000);
    const claims = {
      iss: "https://smooth.example",
      aud: "th.localhost",
      sub: "host-00000001",
      org: "org-1",
      slug,
      jti: crypto.randomUUID(),
      iat,
      exp: iat + 60,
      cnf: { jkt: await thumbprint(hostKey) },
    };
    return mintTicket({ ...claims, ...changes }, saasKey);
  };
  const serve: Stage["serve"] = async (slug, more = {}) => {
    const serving = Promise.withResolvers<void>();
    const dialer = dial({
      connectUrl: rendezvous.connectUrl,
      hostKey,
      getTicket: async () => ({ ticket: await ticket(slug) }),
      origin: { port: origin.port },
      clock: systemClock,
      random: systemRandom,
      log: memoryLog(),
      ...more,
      onState: (state: DialState) => {
        more.onState?.(state);
        if (state.kind === "serving") serving.resolve();
      },
    });
    await Promise.race([serving.promise, dialer.ended]);
    return dialer;
  };
  return {
    rendezvous,
    origin,
    hostKey,
    ticket,
    serve,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([rendezvous[Symbol.asyncDispose](), origin[Symbol.asyncDispose]()]);
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

export interface TestOrigin extends AsyncDisposable {
  readonly port: number;
  /** Paths whose connection broke before the answer was complete. */
  readonly cancelled: string[];
  /** How viewers closed their sockets, as the origin saw it. */
  readonly closes: string[];
  /** Lets `/held` answers end. */
  release(): void;
}

async function openOrigin(): Promise<TestOrigin> {
  const cancelled: string[] = [];
  const closes: string[] = [];
  const held = Promise.withResolvers<void>();
  const server = createServer((incoming, answer) => {
    const { pathname, searchParams } = new URL(`http://origin${incoming.url}`);
    answer.on("close", () => answer.writableFinished || cancelled.push(pathname));
    const routes: Record<string, () => void> = {
      "/seen": () =>
        answer.end(JSON.stringify({ method: incoming.method, url: incoming.url, raw: incoming.rawHeaders })),
      "/echo": () => void incoming.pipe(answer),
      "/upload": () => {
        let bytes = 0;
        incoming.on("data", (chunk: Buffer) => (bytes += chunk.length));
        incoming.on("end", () => answer.end(String(bytes)));
      },
      "/early": () => answer.end("no need to read it"),
      "/big": () => {
        let left = Number(searchParams.get("mb")) * 16;
        const block = Buffer.alloc(64 * 1024, "x");
        answer.writeHead(200, searchParams.has("chunked") ? {} : { "content-length": left * block.length });
        const more = (): void => {
          while (left > 0) {
            left -= 1;
            if (!answer.write(block)) return void answer.once("drain", more);
          }
          answer.end();
        };
        more();
      },
      "/events": () => {
        answer.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
        answer.write("data: first\n\n");
        void held.promise.then(() => answer.end("data: last\n\n"));
      },
      "/ticks": () => {
        answer.writeHead(200, { "content-type": "text/event-stream" });
        let count = 0;
        const timer = setInterval(() => {
          answer.write(`data: ${count}\n\n`);
          if ((count += 1) === 100 && !searchParams.has("endless")) answer.end();
        }, 20);
        answer.on("close", () => clearInterval(timer));
      },
      "/held": () => void held.promise.then(() => answer.end("released")),
      "/cookies": () => {
        answer.setHeader("set-cookie", ["__Host-a=1; Path=/; Secure", "b=2; Domain=th.localhost; Path=/"]);
        answer.setHeader("strict-transport-security", "max-age=1");
        answer.setHeader("alt-svc", "h3=':443'");
        answer.setHeader("x-th-error", "host_offline");
        answer.end("cookies");
      },
      "/gzip": () => {
        const body = gzipSync("hello ".repeat(1000));
        answer.writeHead(200, { "content-encoding": "gzip", "content-length": body.length }).end(body);
      },
      "/status": () => answer.writeHead(Number(searchParams.get("code"))).end(),
      "/short": () => {
        answer.writeHead(200, searchParams.has("chunked") ? {} : { "content-length": 1000 });
        answer.write("only this", () => answer.destroy());
      },
      "/sized": () => answer.writeHead(200, { "content-length": 1234 }).end(Buffer.alloc(1234)),
    };
    const route = routes[pathname];
    if (route) route();
    else answer.writeHead(404).end("nothing here");
  });
  openSockets(server, closes);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    cancelled,
    closes,
    release: held.resolve,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** `/ws` echoes, `/ws/close?code=` closes at once, everything else refuses the upgrade. */
function openSockets(server: Server, closes: string[]): void {
  const sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  });
  server.on("upgrade", (incoming, socket, head) => {
    const { pathname, searchParams } = new URL(`http://origin${incoming.url}`);
    if (!pathname.startsWith("/ws")) return void socket.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    sockets.handleUpgrade(incoming, socket, head, (peer) => {
      if (pathname === "/ws/close") return peer.close(Number(searchParams.get("code")), "as you wish");
      peer.on("close", (code, reason) => closes.push(`${code} ${reason.toString()}`));
      peer.on("message", (data, isBinary) => peer.send(data, { binary: isBinary }));
    });
  });
}

export interface Seen {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Ask {
  readonly host: string;
  readonly method?: string;
  readonly headers?: Record<string, string | string[]>;
  readonly body?: string | Buffer;
}

/** A wire between a host and the rendezvous that a test can cut or freeze. */
export interface Wire extends AsyncDisposable {
  readonly connectUrl: string;
  cut(): void;
  freeze(): void;
}

export async function openWire(target: number): Promise<Wire> {
  const pairs = new Set<[Socket, Socket]>();
  const server = createTcpServer((near) => {
    const far = connectTcp(target, "127.0.0.1");
    const pair: [Socket, Socket] = [near, far];
    pairs.add(pair);
    near.pipe(far);
    far.pipe(near);
    for (const end of pair)
      end.on("error", () => undefined).on("close", () => pair.forEach((other) => other.destroy()));
    near.on("close", () => pairs.delete(pair));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const cut = (): void => pairs.forEach((pair) => pair.forEach((end) => end.destroy()));
  return {
    connectUrl: `ws://connect.th.localhost:${(server.address() as AddressInfo).port}/v1/host`,
    cut,
    freeze: () => pairs.forEach(([near, far]) => near.unpipe(far) && far.unpipe(near)),
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut();
      }),
  };
}

/** A viewer's request, as it stands, to the rendezvous' port. Rejects when the answer is broken off. */
export async function ask(port: number, path: string, options: Ask): Promise<Seen> {
  const response = await begin(port, path, options);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() };
}

export function begin(
  port: number,
  path: string,
  { host, method = "GET", headers, body }: Ask,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: "127.0.0.1", port, path, method, headers: { host, ...headers }, agent: false },
      resolve,
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

export function viewerSocket(
  port: number,
  path: string,
  options: ClientOptions & { protocols?: string[]; closeTimeout?: number },
): WebSocket {
  return new WebSocket(`ws://127.0.0.1:${port}${path}`, options.protocols ?? [], {
    perMessageDeflate: false,
    ...options,
  });
}
const show = (event: string, fields: unknown = {}): void =>
  void process.stderr.write(`${event} ${JSON.stringify(fields)}\n`);
const consoleLog = { debug: show, info: show, warn: show, error: show };
