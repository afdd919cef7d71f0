import { z } from "zod";
import { ERRORS, SmoothError, type ErrorCode } from "@smooth/protocol/errors";

/** How the gateway speaks beyond the method table: error bodies, WebSocket frames, close codes. Server and clients read this file. */

export const RPC_PATH = "/v1/rpc";
export const SOCKET_PATH = "/v1/ws";
/** Where a link or an assertion in the fragment becomes a session cookie. */
export const SESSION_PATH = "/_session";

export const ErrorBody = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.unknown()).default({}),
  }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;

/** An error that crossed the wire. A code this build does not know is INTERNAL. */
export function fromErrorBody({ error: { code, message, details } }: ErrorBody): SmoothError {
  return new SmoothError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "INTERNAL", message, { details });
}

const id = z.string().min(1).max(100);
const ask = { id, method: z.string().max(100), input: z.unknown() };

/** Client → server, one JSON document per text message. `id` is the caller's own and free again after the answer or the end. */
export const ClientFrame = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("request"), ...ask }),
  z.strictObject({ type: z.literal("stream"), ...ask }),
  z.strictObject({ type: z.literal("cancel"), id }),
]);
export type ClientFrame = z.infer<typeof ClientFrame>;

/** Server → client. `id` is null when the frame could not be read. */
export const ServerFrame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("response"), id, output: z.unknown() }),
  z.object({ type: z.literal("event"), id, data: z.unknown() }),
  z.object({ type: z.literal("end"), id }),
  z.object({ type: z.literal("error"), id: id.nullable(), error: ErrorBody.shape.error }),
]);
export type ServerFrame = z.infer<typeof ServerFrame>;

export const CLOSE = {
  /** The host stops; come back later. */
  goingAway: 1001,
  /** The session ended, was revoked, or its role changed. */
  signedOut: 4401,
  /** The reader was too slow; reconnect with the last `seq` seen. */
  tooSlow: 4408,
} as const;
