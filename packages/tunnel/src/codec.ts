import type { z } from "zod";

/** The bytes of thp/1. One binary message = `u32 seq`, then frames `u8 type | u8 flags | u32 stream | u32 len | payload`.
 *  C1. Decoding never throws and never reads past the message: broken bytes are `malformed`.
 *  C2. `seq` 0 is unsequenced (acknowledgements); everything else counts up by one per message. */

export const FRAME = { open: 1, head: 2, data: 3, window: 4, reset: 5, wsMessage: 6, wsClose: 7, ack: 8 } as const;
export const FLAG = { fin: 1, text: 2, more: 4 } as const;

export const PIECE_BYTES = 64 * 1024;
export const FRAME_HEADER_BYTES = 10;
const SEQ_BYTES = 4;

export type Bytes = Uint8Array<ArrayBuffer>;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Bytes;
}

export type Batch =
  | { readonly kind: "batch"; readonly seq: number; readonly frames: readonly Frame[] }
  | { readonly kind: "malformed"; readonly reason: string };

export const NO_BYTES: Bytes = new Uint8Array(0);

export function encodeBatch(seq: number, frames: readonly Frame[]): Bytes {
  const sizeBytes = frames.reduce((sum, { payload }) => sum + FRAME_HEADER_BYTES + payload.byteLength, SEQ_BYTES);
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, seq);
  let at = SEQ_BYTES;
  for (const { type, flags, stream, payload } of frames) {
    view.setUint8(at, type);
    view.setUint8(at + 1, flags);
    view.setUint32(at + 2, stream);
    view.setUint32(at + 6, payload.byteLength);
    bytes.set(payload, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + payload.byteLength;
  }
  return bytes;
}

export function decodeBatch(bytes: Bytes): Batch {
  if (bytes.byteLength < SEQ_BYTES) return { kind: "malformed", reason: "shorter than a sequence number" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Frame[] = [];
  let at = SEQ_BYTES;
  while (at < bytes.byteLength) {
    if (bytes.byteLength - at < FRAME_HEADER_BYTES) return { kind: "malformed", reason: "a frame header is cut off" };
    const end = at + FRAME_HEADER_BYTES + view.getUint32(at + 6);
    if (end > bytes.byteLength) return { kind: "malformed", reason: "a frame is longer than its message" };
    frames.push({
      type: view.getUint8(at),
      flags: view.getUint8(at + 1),
      stream: view.getUint32(at + 2),
      payload: bytes.subarray(at + FRAME_HEADER_BYTES, end),
    });
    at = end;
  }
  return { kind: "batch", seq: view.getUint32(0), frames };
}

export function encodeText(text: string): Bytes {
  return new TextEncoder().encode(text) as Bytes; // every runtime here gives it a buffer of its own
}

export function encodeJson(value: unknown): Bytes {
  return encodeText(JSON.stringify(value));
}

/** The payload as the schema's type, or undefined when it is not that. */
export function decodeJson<T>(schema: z.ZodType<T>, payload: Uint8Array | string): T | undefined {
  try {
    const text = typeof payload === "string" ? payload : new TextDecoder().decode(payload);
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // not JSON: the same answer as JSON of another shape
  }
}

export function encodeU32(value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export function decodeU32(payload: Bytes): number | undefined {
  if (payload.byteLength !== 4) return undefined;
  return new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0);
}

export function concat(pieces: readonly Bytes[]): Bytes {
  const [only] = pieces;
  if (pieces.length === 1 && only) return only;
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.byteLength, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.byteLength;
  }
  return whole;
}
