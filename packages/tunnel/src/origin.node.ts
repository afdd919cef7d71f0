import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import { WebSocket } from "ws";
import type { Bytes } from "./codec.ts";
import type { Message } from "./credit.ts";
import type { Header } from "./hygiene.ts";
import type {
  Origin,
  OriginAnswer,
  OriginDial,
  OriginExchange,
  OriginRequest,
  OriginSocket,
  OriginUpgrade,
} from "./origin.ts";

/** The gateway's tunnel listener, reached by loopback port or unix socket. */
export type OriginAddress = { readonly port: number; readonly host?: string } | { readonly socketPath: string };

const MESSAGE_BYTES = 16 * 1024 * 1024;

export function nodeOrigin(address: OriginAddress): Origin & Disposable {
  const agent = new Agent({ keepAlive: true, maxSockets: 1024 });
  const target = "socketPath" in address ? address : { host: "127.0.0.1", ...address };
  return {
    request: (request) => exchange(request, { ...target, agent }),
    connect: (request) => dialSocket(request, target),
    [Symbol.dispose]: () => agent.destroy(),
  };
}

type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number };

function exchange(wanted: OriginRequest, target: Target & { agent: Agent }): OriginExchange {
  const answer = Promise.withResolvers<OriginAnswer>();
  let request: ClientRequest;
  try {
    const headers = grouped(wanted.headers);
    request = httpRequest({ ...target, method: wanted.method, path: wanted.path, headers });
  } catch {
    answer.resolve({ kind: "refused-request" }); // the HTTP library is the last judge of a request
    return { answer: answer.promise, write: () => Promise.resolve(), end: () => undefined, abort: () => undefined };
  }
  request.on("response", (response) => answer.resolve(answerOf(response)));
  request.on("upgrade", (_, socket) => socket.destroy());
  request.on("error", () => answer.resolve({ kind: "unreachable" }));
  request.on("close", () => answer.resolve({ kind: "unreachable" }));
  if (wanted.hasBody) request.flushHeaders();
  else request.end();
  return {
    answer: answer.promise,
    write: (bytes) =>
      new Promise((resolve) => {
        if (request.destroyed || request.writableEnded) return resolve();
        request.write(bytes, () => resolve());
      }),
    end: () => void request.end(),
    abort: () => void request.destroy(),
  };
}

function answerOf(response: IncomingMessage): OriginAnswer {
  const { statusCode = 502, rawHeaders } = response;
  const headers: Header[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) headers.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""]);
  return { kind: "answer", status: statusCode, headers, body: response as AsyncIterable<Bytes> };
}

/** Repeated names become arrays; Node joins or repeats them as HTTP wants. */
function grouped(headers: readonly Header[]): Record<string, string | string[]> {
  const all = Map.groupBy(headers, ([name]) => name);
  return Object.fromEntries(
    [...all].map(([name, pairs]) => {
      const values = pairs.map(([, value]) => value);
      const [only = ""] = values;
      return [name, values.length === 1 ? only : values];
    }),
  );
}

function dialSocket(wanted: OriginRequest, target: Target): OriginDial {
  const answer = Promise.withResolvers<OriginUpgrade>();
  const offered = wanted.headers.flatMap(([name, value]) =>
    name === "sec-websocket-protocol" ? value.split(",").map((protocol) => protocol.trim()) : [],
  );
  const headers = grouped(wanted.headers.filter(([name]) => name !== "sec-websocket-protocol"));
  const authority = "socketPath" in target ? "localhost" : `${target.host}:${target.port}`;
  const socketPath = "socketPath" in target ? { socketPath: target.socketPath } : {};
  let socket: WebSocket;
  try {
    socket = new WebSocket(`ws://${authority}${wanted.path}`, offered, {
      headers,
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES,
      handshakeTimeout: 30_000,
      ...socketPath,
    });
  } catch {
    answer.resolve({ kind: "refused-request" });
    return { answer: answer.promise, abort: () => undefined };
  }
  const joined = joinSocket(socket);
  socket.on("open", () => answer.resolve({ kind: "open", socket: joined }));
  socket.on("unexpected-response", (request, response) => {
    answer.resolve({ kind: "answer", status: response.statusCode ?? 502 });
    request.destroy();
  });
  socket.on("error", () => answer.resolve({ kind: "unreachable" }));
  return { answer: answer.promise, abort: () => socket.terminate() };
}

function joinSocket(socket: WebSocket): OriginSocket {
  const queue: Message[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  let wake: (() => void) | undefined;
  let isOver = false;
  socket.binaryType = "nodebuffer";
  socket.on("message", (data: Buffer<ArrayBuffer>, isBinary) => {
    queue.push({ text: !isBinary, bytes: data });
    socket.pause();
    wake?.();
  });
  socket.on("close", (code, reason) => {
    isOver = true;
    closed.resolve({ code, reason: reason.toString() });
    wake?.();
  });
  async function* messages(): AsyncGenerator<Message> {
    for (;;) {
      const message = queue.shift();
      if (message) yield message;
      else if (isOver) return;
      else {
        socket.resume();
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  }
  return {
    get protocol() {
      return socket.protocol;
    },
    messages: messages(),
    closed: closed.promise,
    send: ({ text, bytes }) => new Promise((resolve) => socket.send(bytes, { binary: !text }, () => resolve())),
    close: (code, reason) => {
      const sendable = (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || code >= 3000;
      if (code === 1006) socket.terminate();
      else if (sendable) socket.close(code, reason);
      else socket.close();
      socket.resume(); // a paused socket would not read the other side's close
    },
  };
}
