import { WebSocket } from "ws";
import { THP_SUBPROTOCOL } from "@smooth/protocol/thp";
import type { Bytes } from "./codec.ts";
import { type Dialer, type DialerOptions, type OpenSocket, startDialer } from "./dialer.ts";
import { nodeOrigin, type OriginAddress } from "./origin.node.ts";

export interface DialOptions extends Omit<DialerOptions, "openSocket" | "defer" | "origin"> {
  /** Where requests from the tunnel go: a listener of their own, never the loopback-trusted one. */
  readonly origin: OriginAddress;
}

/** Puts this machine on its slug and keeps it there until disposed. */
export function dial(options: DialOptions): Dialer {
  const origin = nodeOrigin(options.origin);
  const dialer = startDialer({ ...options, origin, openSocket, defer: setImmediate });
  void dialer.ended.then(() => origin[Symbol.dispose]());
  return dialer;
}

const openSocket: OpenSocket = ({ url, ticket }, events) => {
  const { hostname } = new URL(url);
  const socket = new WebSocket(url, THP_SUBPROTOCOL, {
    headers: { authorization: `Bearer ${ticket}` },
    perMessageDeflate: false,
    maxPayload: 32 * 1024 * 1024,
    handshakeTimeout: 10_000,
    ...(hostname.endsWith(".localhost") ? { lookup: loopback } : {}),
  });
  socket.on("upgrade", (response) => response.socket.setNoDelay(true));
  socket.on("open", () => events.onOpen());
  socket.on("message", (data: Buffer<ArrayBuffer>, isBinary) =>
    events.onMessage(isBinary ? (data satisfies Bytes) : data.toString()),
  );
  let failure = "";
  socket.on("error", (error) => (failure = error.message));
  socket.on("close", (code, reason) => events.onClose(code, reason.toString() || failure));
  const whenOpen = (act: () => void): void => {
    if (socket.readyState === WebSocket.OPEN) act();
  };
  return {
    send: (data) => whenOpen(() => socket.send(data)),
    close: (code, reason) =>
      socket.readyState === WebSocket.CONNECTING ? socket.terminate() : socket.close(code, reason),
    abort: () => socket.terminate(),
  };
};

/** `*.localhost` is this machine, whatever the resolver thinks. */
function loopback(
  _host: string,
  options: { all?: boolean },
  done: (error: null, address: string | { address: string; family: number }[], family?: number) => void,
): void {
  if (options.all) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
}
