import { createServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { muxDuplex } from "../channel/duplex.ts";
import type { Mux } from "../channel/mux.ts";

/** Forwards every TCP connection to 127.0.0.1:3128 as one stream to the host. Policy never lives in the guest.
 *  R1. Bytes pass raw and half-closes pass as half-closes. */

const RELAY_PORT = 3128;

export interface Relay {
  listening(): Promise<void>;
  /** Ends every connection and refuses new ones until `wake`: nothing may be under way in a snapshot. */
  settle(): void;
  wake(): void;
}

export function relay(mux: Mux): Relay {
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
    listening: () => new Promise((resolve) => server.listen(RELAY_PORT, "127.0.0.1", resolve)),
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
