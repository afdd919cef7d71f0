import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { muxDuplex } from "../channel/duplex.ts";
import type { Mux } from "../channel/mux.ts";

/** Forwards every TCP connection to its port on 127.0.0.1, 3128 where it can choose, as one stream to the host. Policy never lives in the guest.
 *  R1. Bytes pass raw and half-closes pass as half-closes. */

export interface Relay {
  listening(): Promise<void>;
  port(): number;
  /** Ends every connection and refuses new ones until `wake`: nothing may be under way in a snapshot. */
  settle(): void;
  wake(): void;
}

export function relay(mux: Mux, port: number): Relay {
  const connections = new Set<Socket>();
  let settled = false;
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    if (settled) return void socket.destroy();
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    const { duplex, events, attach } = muxDuplex();
    attach(mux.open(Buffer.alloc(0), events));
    void join(socket, duplex);
  });
  return {
    listening: () => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve)),
    port: () => (server.address() as AddressInfo).port,
    settle() {
      settled = true;
      for (const socket of connections) socket.destroy();
    },
    wake: () => void (settled = false),
  };
}

async function join(socket: Socket, duplex: Duplex): Promise<void> {
  const both = await Promise.allSettled([pipeline(socket, duplex), pipeline(duplex, socket)]);
  if (both.every(({ status }) => status === "fulfilled")) return;
  socket.destroy();
  duplex.destroy();
}
