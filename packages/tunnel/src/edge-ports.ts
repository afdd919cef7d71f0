import type { Clock, Log } from "@smooth/platform/ports";
import { TicketClaims, TunnelLimits } from "@smooth/protocol/thp";
import { z } from "zod";

/** What the edge room needs of its surroundings; a Durable Object gives it, and so does a fake. */

/** A WebSocket that outlives the room's memory. Its attachment is the only truth about it. */
export interface EdgeSocket {
  send(data: string | ArrayBuffer | ArrayBufferView): void;
  close(code?: number, reason?: string): void;
  serializeAttachment(value: unknown): void;
  deserializeAttachment(): unknown;
  readonly bufferedAmount?: number;
}

/** Who is behind a socket. */
export const Role = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("greeting"),
    nonce: z.string(),
    claims: TicketClaims,
    url: z.string(),
  }),
  z.object({
    kind: z.literal("host"),
    sid: z.string(),
    resumeKey: z.string(),
    hostId: z.string(),
    limits: TunnelLimits,
    sinceMs: z.number(),
  }),
  z.object({ kind: z.literal("viewer"), stream: z.int() }),
  z.object({ kind: z.literal("gone") }),
]);
export type Role = z.infer<typeof Role>;

export interface SlugRecord {
  readonly hostId: string;
  readonly org: string;
  /** When the host was last seen to come or go. */
  readonly lastSeenMs: number;
}

/** Durable, and off the stream path: touched when a host comes or goes. */
export interface SlugStore {
  record(): SlugRecord | undefined;
  save(record: SlugRecord): void;
  /** False when this ticket was spent before. */
  spend(jti: string, expiresMs: number): boolean;
}

export interface EdgePorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly store: SlugStore;
  /** The viewer's address as the network in front of us vouches for it. */
  clientAddress(request: Request): string;
  /** 32 unguessable bytes, base64url. */
  token(): string;
  /** Every socket that is still open, also from before a sleep. */
  openSockets(): Iterable<EdgeSocket>;
  /** When the socket last answered a ping by itself. */
  lastPingMs(socket: EdgeSocket): number | undefined;
  /** A new socket pair: our end, and the 101 answer that carries the other. */
  accept(role: Role, protocol: string | undefined): { readonly socket: EdgeSocket; readonly response: Response };
  /** A byte pipe without a buffer; with a length it refuses to end early or late. */
  openBody(lengthBytes: number | undefined): {
    readonly readable: ReadableStream<Uint8Array>;
    readonly writable: WritableStream<Uint8Array>;
  };
}
