import { z } from "zod";
import { HostId, Slug } from "./ids.ts";

/** thp/1: what the agent-host and the rendezvous say to each other over one WebSocket.
 *  H1. Text messages are control JSON from these tables (plus the literals `ping` and `pong`); binary messages are frames.
 *  H2. A reader ignores control messages and frame types it does not know; it closes with `CLOSE.protocol` on broken ones.
 *  H3. A ticket lives at most 120 s, is spent once, and only the holder of the enrolled host key can spend it. */

export const THP_SUBPROTOCOL = "thp.1";
export const CONNECT_PATH = "/v1/host";

export const CLOSE = {
  bye: 4000,
  replaced: 4001,
  protocol: 4400,
  ticket: 4401,
  revoked: 4403,
  unknownSlug: 4404,
  heldByAnotherHost: 4409,
  tooMany: 4429,
  draining: 4503,
} as const;

/** What a tier allows; counted at the edge before the laptop sees a request. */
export const TunnelLimits = z.object({
  tier: z.enum(["free", "paid"]).default("free"),
  /** Requests and sockets open at the same time. */
  streams: z.int().min(1).max(1024).default(64),
  /** One request body. */
  bodyBytes: z
    .int()
    .positive()
    .default(100 * 1024 * 1024),
});
export type TunnelLimits = z.infer<typeof TunnelLimits>;

export const TICKET_MAX_SECONDS = 120;

/** The connect ticket: a JWS (EdDSA) minted by the SaaS. `aud` is the base domain of the rendezvous. */
export const TicketClaims = z
  .object({
    iss: z.string().min(1).max(200),
    aud: z.string().min(1).max(253),
    sub: HostId,
    org: z.string().min(1).max(64),
    slug: Slug,
    jti: z.string().regex(/^[\w-]{8,64}$/, "8–64 URL-safe characters"),
    iat: z.int().nonnegative(),
    exp: z.int().nonnegative(),
    /** RFC 7638 thumbprint of the host's Ed25519 public key. */
    cnf: z.object({ jkt: z.string().regex(/^[\w-]{43}$/) }),
    limits: TunnelLimits.prefault({}),
  })
  .refine(({ iat, exp }) => exp > iat && exp - iat <= TICKET_MAX_SECONDS, {
    path: ["exp"],
    message: `a ticket lives at most ${TICKET_MAX_SECONDS} s`,
  });
export type TicketClaims = z.infer<typeof TicketClaims>;

const Base64Url = z.string().regex(/^[\w-]{20,200}$/);

/** The public half of a host key. */
export const HostPublicJwk = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: Base64Url });
export type HostPublicJwk = z.infer<typeof HostPublicJwk>;

/** Rendezvous → host. */
export const FromEdge = z.discriminatedUnion("t", [
  z.object({ t: z.literal("challenge"), nonce: Base64Url }),
  z.object({
    t: z.literal("welcome"),
    sid: Base64Url,
    resumeKey: Base64Url,
    url: z.url(),
    /** The last batch the edge has; a resumed host sends everything after it again. */
    recv: z.int().nonnegative(),
    resumed: z.boolean(),
    limits: TunnelLimits,
  }),
  /** The edge slept and forgot: numbering starts afresh, only these streams live on. */
  z.object({ t: z.literal("resync"), keep: z.array(z.int().positive()) }),
  z.object({ t: z.literal("error"), message: z.string() }),
]);
export type FromEdge = z.infer<typeof FromEdge>;

/** Host → rendezvous. `sig` = Ed25519 over `thp.1|nonce|slug|hostId|jti`. */
export const FromHost = z.discriminatedUnion("t", [
  z.object({
    t: z.literal("hello"),
    key: HostPublicJwk,
    sig: Base64Url,
    /** `mac` = HMAC-SHA-256(resumeKey, nonce). */
    resume: z.object({ sid: Base64Url, mac: Base64Url, recv: z.int().nonnegative() }).optional(),
  }),
]);
export type FromHost = z.infer<typeof FromHost>;

const Header = z.tuple([z.string().max(256), z.string().max(64 * 1024)]);
const Headers = z.array(Header).max(256);

/** What a viewer reads in `x-th-error`. */
export const EdgeErrorCode = z.enum([
  "bad_request",
  "foreign_origin",
  "unknown_slug",
  "not_found",
  "body_too_large",
  "wrong_host",
  "too_many_streams",
  "origin_unreachable",
  "host_lost",
  "host_offline",
  "overloaded",
  "host_unresponsive",
  "origin_timeout",
]);
export type EdgeErrorCode = z.infer<typeof EdgeErrorCode>;

/** Payload of an OPEN frame. `from` is what the edge knows of the viewer; it never travels as a header. */
export const OpenPayload = z.object({
  method: z.string().max(32),
  path: z.string().max(32 * 1024),
  headers: Headers,
  from: z.object({ address: z.string().max(64), proto: z.enum(["http", "https"]), host: z.string().max(300) }),
  ws: z.boolean().default(false),
});
export type OpenPayload = z.infer<typeof OpenPayload>;

/** Payload of a HEAD frame: an answer of the origin, or the host's word that there is none. */
export const HeadPayload = z.object({
  status: z.int().min(100).max(599),
  headers: Headers.default([]),
  /** With status 101. */
  protocol: z.string().max(200).optional(),
  error: EdgeErrorCode.optional(),
});
export type HeadPayload = z.infer<typeof HeadPayload>;

/** Payload of a WSCLOSE frame; 1005 and 1006 as a WebSocket reports them. */
export const WsClosePayload = z.object({ code: z.int().min(1000).max(4999), reason: z.string().max(500).default("") });
export type WsClosePayload = z.infer<typeof WsClosePayload>;
