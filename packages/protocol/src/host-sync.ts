import { z } from "zod";
import { AskDecision } from "./asks.ts";
import { AskId, AtMs, CommandId, HostId, PearlId, RunId } from "./ids.ts";
import { HostStatus, Role } from "./gateway.ts";
import { Dependency, NewPearl, Pearl, PearlChange, PearlComment } from "./pearls.ts";
import { RunEvent } from "./run-events.ts";

/** Host ↔ dashboard. The host dials out: event batches up, commands down over one stream.
 *  H1. Up: `seq` is one gapless counter per host; the dashboard stores a record and its seq in one transaction and ignores a seq it has.
 *  H2. Down: commands carry `n`, gapless per host; the host performs each at most once (by `commandId`) and acknowledges; unacknowledged ones come again after a reconnect.
 *  H3. Requests are authenticated by a fresh JWS (EdDSA, ≤60 s) signed with the host's device key: `{iss: hostId, aud: dashboard origin, jti}`. */

export const HOST_API = "/api/host/v1";

/** Public half of an Ed25519 key. */
export const PublicJwk = z.object({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: z.string().min(40).max(50) });
export type PublicJwk = z.infer<typeof PublicJwk>;

/** POST pair */
export const PairRequest = z.strictObject({
  code: z.string().min(8).max(100),
  publicKey: PublicJwk,
  name: z.string().trim().min(1).max(100),
  platform: z.string().max(100),
  /** Where this host's outbox continues and the last command it has: a host may be older than the dashboard's memory of it. */
  nextSeq: z.int().positive().optional(),
  lastN: z.int().nonnegative().optional(),
});
export const PairResponse = z.object({
  hostId: HostId,
  org: z.object({ id: z.string(), slug: z.string(), name: z.string() }),
  /** Verifies connect tickets and viewer assertions. */
  dashboardKey: PublicJwk,
});
export type PairResponse = z.infer<typeof PairResponse>;

/** One fact the host reports. Everything is an upsert or an append, so replay is harmless. */
export const HostRecord = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("run.event"), event: RunEvent }),
  z.object({ kind: z.literal("pearl"), pearl: Pearl, by: z.string() }),
  z.object({ kind: z.literal("pearl.comment"), comment: PearlComment }),
  z.object({ kind: z.literal("pearl.change"), change: PearlChange }),
  z.object({ kind: z.literal("pearl.dependency"), dependency: Dependency }),
  z.object({ kind: z.literal("status"), status: HostStatus }),
  /** In place of a record that this dashboard refused: the host has it, and says what it was. */
  z.object({
    kind: z.literal("refused"),
    what: z.string().max(100),
    code: z.string().max(100),
    message: z.string().max(1_000),
  }),
]);
export type HostRecord = z.infer<typeof HostRecord>;

/** POST events → EventsResponse; 409 CONFLICT with details.expectedSeq on a gap. */
export const EventsRequest = z.strictObject({
  records: z
    .array(z.strictObject({ seq: z.int().positive(), record: HostRecord }))
    .min(1)
    .max(500),
});
export const EventsResponse = z.object({ ackedSeq: z.int().nonnegative() });

/** What the dashboard asks of a host. `by` is the person, for the transcript and the audit. */
export const HostCommandBody = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("createPearl"), pearlId: PearlId, pearl: NewPearl }),
  z.object({ kind: z.literal("commentPearl"), pearlId: PearlId, commentId: z.string(), body: PearlComment.shape.body }),
  z.object({ kind: z.literal("closePearl"), pearlId: PearlId, reason: z.string() }),
  z.object({ kind: z.literal("addDependency"), dependency: Dependency }),
  /** `pearl` travels along so that a host that has never seen it can run it. */
  z.object({ kind: z.literal("dispatch"), runId: RunId, pearl: Pearl }),
  z.object({ kind: z.literal("decideAsk"), askId: AskId, version: z.int().positive(), decision: AskDecision }),
  z.object({ kind: z.literal("steer"), runId: RunId, text: z.string().min(1).max(20_000) }),
  z.object({ kind: z.literal("pause"), runId: RunId }),
  z.object({ kind: z.literal("unpause"), runId: RunId }),
  z.object({ kind: z.literal("cancel"), runId: RunId }),
  z.object({ kind: z.literal("startTunnel") }),
  z.object({ kind: z.literal("stopTunnel") }),
]);
export type HostCommandBody = z.infer<typeof HostCommandBody>;

export const HostCommand = z.object({
  n: z.int().positive(),
  commandId: CommandId,
  by: z.string(),
  issuedAtMs: AtMs,
  expiresAtMs: AtMs.nullable(),
  body: HostCommandBody,
});
export type HostCommand = z.infer<typeof HostCommand>;

/** GET commands?after=<n>: SSE, `id: <n>`, `data: HostCommand`, comment line every 15 s. */
export const CommandAck = z.object({
  commandId: CommandId,
  outcome: z.discriminatedUnion("state", [
    z.object({ state: z.literal("delivered") }),
    z.object({ state: z.literal("consumed") }),
    z.object({ state: z.literal("failed"), code: z.string(), message: z.string() }),
  ]),
});
export type CommandAck = z.infer<typeof CommandAck>;

/** POST acks */
export const AcksRequest = z.strictObject({ acks: z.array(CommandAck).min(1).max(500) });

/** POST ticket: a connect ticket for the rendezvous (claims: thp.ts). The slug is the host's own; a first call claims a scratch slug. */
export const TicketRequest = z.strictObject({ slug: z.string().optional() });
export const TicketResponse = z.object({
  ticket: z.string(),
  slug: z.string(),
  connectUrl: z.url(),
  publicUrl: z.url(),
  expiresAtMs: AtMs,
});
export type TicketResponse = z.infer<typeof TicketResponse>;

/** The dashboard vouches for a signed-in member at a host's live session: JWS EdDSA, ≤60 s, single use (jti), aud = hostId.
 *  The host decides what the role may do (promise P5). */
export const ViewerAssertion = z.object({
  iss: z.literal("smooth-web"),
  aud: HostId,
  sub: z.string(),
  name: z.string(),
  role: Role,
  jti: z.string().min(16),
  iat: z.int(),
  exp: z.int(),
});
export type ViewerAssertion = z.infer<typeof ViewerAssertion>;
