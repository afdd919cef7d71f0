import {
  createServer as createHttp,
  request,
  type IncomingMessage,
  type RequestListener,
  type Server as HttpServer,
} from "node:http";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Duplex, Transform } from "node:stream";
import { openGoalie } from "../goalie.node.ts";
import type { GoalieOptions } from "../crossing.node.ts";
import type { AuditLine } from "../door.ts";

/** Real servers on loopback: an origin that remembers every byte it got, and Goalie behind a port as the guest sees him. */

export interface Origin extends AsyncDisposable {
  readonly port: number;
  /** Everything that reached this machine, as latin1 text. */
  seen(): string;
  connections(): number;
}

export async function httpOrigin(answer: RequestListener): Promise<Origin & { readonly server: HttpServer }> {
  const server = createHttp(answer);
  return { ...(await recorded((line) => void server.emit("connection", line))), server };
}

export async function rawOrigin(onLine: (line: Duplex) => void): Promise<Origin> {
  return recorded(onLine);
}

async function recorded(onLine: (line: Duplex) => void): Promise<Origin> {
  const chunks: Buffer[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    count += 1;
    sockets.add(socket);
    const tap = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        chunks.push(chunk);
        done(null, chunk);
      },
    });
    const line = Duplex.from({ readable: socket.pipe(tap), writable: socket });
    line.on("error", () => undefined);
    socket.on("error", () => line.destroy()).on("close", () => void (sockets.delete(socket), line.destroy()));
    onLine(line);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen: () => Buffer.concat(chunks).toString("latin1"),
    connections: () => count,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface Guest extends AsyncDisposable {
  readonly port: number;
  readonly audit: AuditLine[];
  /** An HTTP request through the proxy; `url` is absolute, or a path for the model host. */
  fetch(
    url: string,
    options?: { method?: string; headers?: Record<string, string>; body?: string | Buffer },
  ): Promise<Reply>;
  /** Raw bytes in, raw bytes out until Goalie ends the connection. */
  raw(bytes: string): Promise<string>;
  /** A tunnel, after its 200. */
  connect(authority: string): Promise<{ status: number; socket: Socket }>;
  socket(): Promise<Socket>;
  close(): void;
}
export interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

const LOOPBACK: Pick<GoalieOptions, "resolve" | "addressAllowed"> = {
  resolve: async () => ["127.0.0.1"],
  addressAllowed: (address) => address === "127.0.0.1",
};

export async function guestOf(options: Partial<GoalieOptions>): Promise<Guest> {
  const audit: AuditLine[] = [];
  const goalie = openGoalie({
    judge: async () => ({ kind: "allow", rule: "test" }),
    secrets: () => [],
    audit: (line) => void audit.push(line),
    ...LOOPBACK,
    ...options,
  });
  const server = createServer({ allowHalfOpen: true }, (socket) => goalie.accept(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = (server.address() as AddressInfo).port;
  const socket = (): Promise<Socket> =>
    new Promise((resolve) => {
      const made = connect(port, "127.0.0.1", () => resolve(made)).on("error", () => undefined);
    });
  return {
    port,
    audit,
    socket,
    close: () => goalie.close(),
    fetch: (url, { method = "GET", headers = {}, body } = {}) =>
      new Promise((resolve, reject) => {
        const host = url.startsWith("/") ? "model.th.internal" : new URL(url).host;
        const sent = request(
          { host: "127.0.0.1", port, method, path: url, headers: { host, ...headers }, agent: false },
          (answer) => void readAll(answer).then(resolve, reject),
        );
        sent.on("error", reject).end(body);
      }),
    async raw(bytes) {
      const line = await socket();
      line.write(bytes);
      return (await line.toArray()).map(String).join("");
    },
    async connect(authority) {
      return new Promise((resolve, reject) => {
        const sent = request({ host: "127.0.0.1", port, method: "CONNECT", path: authority, agent: false });
        sent
          .on("connect", (answer, made: Socket) =>
            resolve({ status: answer.statusCode ?? 0, socket: made.on("error", () => undefined) }),
          )
          .on("error", reject)
          .end();
      });
    },
    [Symbol.asyncDispose]: async () => {
      goalie.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readAll(answer: IncomingMessage): Promise<Reply> {
  const chunks = (await answer.toArray()) as Buffer[];
  return { status: answer.statusCode ?? 0, headers: answer.headers, text: Buffer.concat(chunks).toString("utf8") };
}
