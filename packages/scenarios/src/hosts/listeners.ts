import { createSocket } from "node:dgram";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** The world outside the sandbox, on this machine: what arrives here came out of a guest. */

export interface Trap extends AsyncDisposable {
  readonly tcpPort: number;
  readonly udpPort: number;
  /** Connections and datagrams, of any size. */
  readonly caught: readonly string[];
}

/** Listens on every address of this machine and answers whoever comes. */
export async function setTrap(): Promise<Trap> {
  const caught: string[] = [];
  const open = new Set<Socket>();
  const tcp = createServer((socket) => {
    caught.push(`tcp from ${socket.remoteAddress}`);
    open.add(socket.on("error", () => open.delete(socket)));
    socket.end("caught");
  });
  const udp = createSocket("udp4", () => caught.push("udp"));
  await new Promise<void>((resolve) => tcp.listen(0, "0.0.0.0", resolve));
  await new Promise<void>((resolve) => udp.bind(0, "0.0.0.0", resolve));
  return {
    tcpPort: (tcp.address() as AddressInfo).port,
    udpPort: udp.address().port,
    caught,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      udp.close();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
}

export interface Site extends AsyncDisposable {
  /** As guests know it: its port is in the name. */
  readonly origin: string;
  /** For the host: where the name leads. */
  readonly resolve: Readonly<Record<"SMOOTH_RESOLVE", string>>;
  /** Paths, in the order they were asked for. */
  readonly visits: readonly string[];
  /** The next visitor of `path` gets no answer. Resolves when it is there. */
  holdNext(path: string): Promise<void>;
}

/** A website called docs.example.com that answers its own path. */
export async function serveSite(): Promise<Site> {
  const visits: string[] = [];
  const held = new Map<string, () => void>();
  const server = createHttpServer(({ url = "" }, response) => {
    visits.push(url);
    const arrived = held.get(url);
    held.delete(url);
    if (arrived) arrived();
    else response.end(`you asked for ${url}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const name = `docs.example.com:${(server.address() as AddressInfo).port}`;
  return {
    origin: `http://${name}`,
    resolve: { SMOOTH_RESOLVE: JSON.stringify({ [name]: "127.0.0.1" }) },
    visits,
    holdNext: (path) => new Promise((resolve) => held.set(path, resolve)),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
