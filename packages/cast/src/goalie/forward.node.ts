import { request, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { holdsSecret } from "../narc/secret-stream.ts";
import { CapExceeded, meter, secretStop, SecretSeen } from "./guard.node.ts";
import { endToEndHeaders, writeRefusal, type Crossing } from "./crossing.node.ts";
import { refusalBody, type Refusal } from "./refusal.ts";

/** Plain HTTP: one request out, one answer back, both streamed. Redirects are not followed: the guest asks again, and is judged again. */

const SECRET_REFUSAL: Refusal = {
  status: 403,
  rule: "goalie.secret",
  message: "the request carries a secret of the house",
};

/** Never rejects. */
export async function forward(crossing: Crossing, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const refuse = (refusal: Refusal): void => refuseResponse(crossing, response, refusal);
  const way = await crossing.open();
  if (way.kind === "shut") return refuse(way.refusal);
  if (carriesSecret(crossing, incoming)) return refuse(SECRET_REFUSAL);

  const { target, limits } = crossing;
  const outgoing = request({
    ...wire(crossing, way.address),
    headers: [...hostHeader(target), ...endToEndHeaders(incoming), ...framing(incoming)],
  });
  outgoing.setTimeout(limits.idleMs, () => outgoing.destroy(new Error("idle")));
  response.once("close", () => outgoing.destroy());
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing
      .once("response", resolve)
      .once("error", reject)
      .once("close", () => reject(new Error("closed before an answer")));
  });
  // The answer may come before the body is through; a failed body must not hide it, except when it failed on a guard.
  const body = pipeline(
    incoming,
    meter({ maxBytes: limits.maxRequestBytes, onBytes: crossing.sent }),
    secretStop(crossing.options.secrets()),
    outgoing,
  );
  const guarded = body.catch((error: unknown) => {
    if (error instanceof SecretSeen || error instanceof CapExceeded) throw error;
    return new Promise<never>(() => undefined);
  });
  try {
    const answer = await Promise.race([answered, guarded.then(() => answered)]);
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEndHeaders(answer));
    await Promise.race([
      pipeline(answer, meter({ maxBytes: limits.maxResponseBytes, onBytes: crossing.received }), response),
      guarded.then(() => new Promise<never>(() => undefined)),
    ]);
    crossing.close("allowed", answer.statusCode ?? 502);
  } catch (error) {
    outgoing.destroy();
    refuse(failure(error));
  }
}

/** WebSocket and friends: the same judgement, then bytes both ways. Never rejects. */
export async function forwardUpgrade(
  crossing: Crossing,
  incoming: IncomingMessage,
  { socket, head }: { socket: Duplex; head: Buffer },
): Promise<void> {
  const refuse = (refusal: Refusal): void => {
    writeRefusal(socket, refusal, crossing.target.host);
    crossing.close("blocked", refusal.status, refusal.rule);
  };
  const way = await crossing.open();
  if (way.kind === "shut") return refuse(way.refusal);
  if (carriesSecret(crossing, incoming)) return refuse(SECRET_REFUSAL);

  const upgrade = incoming.headers.upgrade ?? "websocket";
  const outgoing = request({
    ...wire(crossing, way.address),
    headers: [
      ...hostHeader(crossing.target),
      ...endToEndHeaders(incoming),
      "Connection",
      "Upgrade",
      "Upgrade",
      upgrade,
    ],
  });
  socket.once("close", () => outgoing.destroy());
  outgoing.once("error", (error) => refuse(failure(error)));
  outgoing.once("response", (answer) => {
    answer.resume();
    refuse({
      status: 502,
      rule: "goalie.no-upgrade",
      message: `the server answered ${answer.statusCode} instead of switching protocols`,
    });
  });
  outgoing.once("upgrade", (answer, upstream, upstreamHead) => {
    const headers = endToEndHeaders(answer);
    const lines = [...headers.keys()]
      .filter((at) => at % 2 === 0)
      .map((at) => `${headers[at]}: ${headers[at + 1]}\r\n`);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${answer.headers.upgrade ?? upgrade}\r\n${lines.join("")}\r\n`,
    );
    if (upstreamHead.length > 0) upstream.unshift(upstreamHead);
    if (head.length > 0) socket.unshift(head);
    void join(crossing, socket, upstream).then(() => crossing.close("allowed", 101));
  });
  outgoing.end();
}

/** Bytes both ways until either side ends; guards on both. Never rejects. */
export async function join(crossing: Crossing, guest: Duplex, upstream: Duplex): Promise<void> {
  const { limits, options } = crossing;
  const out = pipeline(
    guest,
    meter({ maxBytes: limits.maxRequestBytes, onBytes: crossing.sent }),
    secretStop(options.secrets(), 8),
    upstream,
  );
  const back = pipeline(upstream, meter({ maxBytes: limits.maxResponseBytes, onBytes: crossing.received }), guest);
  const outcomes = await Promise.allSettled([out, back]);
  if (outcomes.some(({ status }) => status === "rejected")) {
    guest.destroy();
    upstream.destroy();
  }
}

export function refuseResponse(crossing: Crossing, response: ServerResponse, refusal: Refusal): void {
  crossing.close("blocked", refusal.status, refusal.rule);
  if (response.headersSent) return void response.destroy();
  response
    .writeHead(refusal.status, { "content-type": "application/json", connection: "close" })
    .end(refusalBody(refusal, crossing.target.host));
}

/** G3: the address, not the name, is what gets connected to. */
function wire(
  { target, method }: Crossing,
  address: string,
): { host: string; port: number; method: string; path: string; agent: false; setHost: false } {
  return { host: address, port: target.port, method, path: target.path ?? "/", agent: false, setHost: false };
}

function hostHeader({ host, port }: { host: string; port: number }): string[] {
  return ["Host", port === 80 ? host : `${host}:${port}`, "Connection", "close"];
}

/** A body without a length is chunked again whatever the method: without framing its bytes would read as a second, unjudged request. */
function framing({ headers }: IncomingMessage): string[] {
  return headers["transfer-encoding"] === undefined ? [] : ["Transfer-Encoding", "chunked"];
}

/** G5, for the parts that are not the body. */
function carriesSecret({ options }: Crossing, incoming: IncomingMessage): boolean {
  return holdsSecret([incoming.url ?? "", ...incoming.rawHeaders].join("\n"), options.secrets());
}

function failure(error: unknown): Refusal {
  if (error instanceof SecretSeen) return SECRET_REFUSAL;
  if (error instanceof CapExceeded) return { status: 413, rule: "goalie.cap", message: error.message };
  return { status: 502, rule: "goalie.upstream", message: "the server did not answer" };
}
