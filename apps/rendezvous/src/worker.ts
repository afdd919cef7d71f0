import { CONNECT_PATH, THP_SUBPROTOCOL } from "@smooth/protocol/thp";
import { errorAnswer, wantsHtml } from "@smooth/tunnel/edge-answers";
import { doorOf } from "@smooth/tunnel/hygiene";
import { verifyTicket } from "@smooth/tunnel/ticket";
import { CLOSE } from "@smooth/protocol/thp";
import type { JWK } from "jose";
import { CLAIMS_HEADER, type Env, SlugObject } from "./slug-object.ts";

/** The rendezvous: from the name in the Host header to the object of a slug.
 *  E1. A host's ticket is verified here, before any object is touched.
 *  E2. What a client writes never reaches an object as our word: the claims header is set here and only for `connect`. */

export { SlugObject };

export default {
  async fetch(request, env) {
    const host = request.headers.get("host") ?? "";
    const door = doorOf(host, env.BASE_DOMAIN);
    if (door.kind === "wrong-host" || !URL.canParse(request.url)) {
      return errorAnswer("wrong_host", { html: wantsHtml(request), head: request.method === "HEAD" });
    }
    if (door.kind === "connect") return connect(request, env);
    return env.SLUG.get(env.SLUG.idFromName(door.slug)).fetch(request);
  },
} satisfies ExportedHandler<Env>;

async function connect(request: Request, env: Env): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === "/_th/health") return Response.json({ ok: true, protocol: THP_SUBPROTOCOL });
  if (pathname !== CONNECT_PATH) return errorAnswer("not_found", { html: wantsHtml(request) });
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((name) => name.trim());
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket" || !offered.includes(THP_SUBPROTOCOL)) {
    return new Response(`speak ${THP_SUBPROTOCOL} over a WebSocket\n`, {
      status: 426,
      headers: { upgrade: "websocket" },
    });
  }
  const [, ticket = ""] = /^Bearer ([\w.-]{1,4096})$/.exec(request.headers.get("authorization") ?? "") ?? [];
  const key = JSON.parse(env.TICKET_JWK) as JWK;
  const verdict = await verifyTicket(ticket, { key, baseDomain: env.BASE_DOMAIN, nowMs: Date.now() });
  if (verdict.kind === "refused") return closedSocket(CLOSE.ticket, "this ticket is not valid");
  const headers = new Headers(request.headers);
  headers.delete("authorization");
  headers.set(CLAIMS_HEADER, encodeURIComponent(JSON.stringify(verdict.claims))); // E2
  const object = env.SLUG.get(env.SLUG.idFromName(verdict.claims.slug));
  return object.fetch(new Request(request, { headers }));
}

/** A WebSocket that only says why: a status code would never reach a browser-like client. */
function closedSocket(code: number, message: string): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  server.send(JSON.stringify({ t: "error", message }));
  server.close(code, message);
  return new Response(null, {
    status: 101,
    webSocket: client,
    headers: { "sec-websocket-protocol": THP_SUBPROTOCOL },
  });
}
