/** The framing both ends of a port speak: `[u32 length][u8 type][u32 stream][payload]`, big endian, payload ≤ 64 KiB.
 *  F1. A length over the cap or an unknown type is a fault before any byte of the payload is kept.
 *  F2. What is buffered is at most one frame: a peer cannot make the reader grow. */

export const FRAME = {
  hello: 1,
  open: 2,
  data: 3,
  errData: 4,
  end: 5,
  result: 6,
  credit: 7,
  reset: 8,
  control: 9,
} as const;
export type FrameType = (typeof FRAME)[keyof typeof FRAME];

export const MAX_PAYLOAD_BYTES = 64 * 1024;
const HEADER_BYTES = 9;
const LAST_TYPE = FRAME.control;

export interface Frame {
  readonly type: FrameType;
  readonly stream: number;
  readonly payload: Buffer;
}

export function encodeFrame({ type, stream, payload }: Frame): Buffer {
  if (payload.length > MAX_PAYLOAD_BYTES) throw new RangeError(`frame payload of ${payload.length} bytes`);
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  bytes.writeUInt32BE(payload.length, 0);
  bytes[4] = type;
  bytes.writeUInt32BE(stream, 5);
  payload.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** Bytes in, frames out. A fault is final: the reader answers nothing more. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #fault: string | null = null;

  get fault(): string | null {
    return this.#fault;
  }

  *push(chunk: Buffer): Generator<Frame> {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (this.#fault === null && bytes.length >= HEADER_BYTES) {
      const length = bytes.readUInt32BE(0);
      const type = bytes.readUInt8(4);
      if (length > MAX_PAYLOAD_BYTES || !isFrameType(type)) {
        this.#fault = `frame of type ${type} with ${length} bytes`; // F1
        break;
      }
      if (bytes.length < HEADER_BYTES + length) break;
      const stream = bytes.readUInt32BE(5);
      const payload = bytes.subarray(HEADER_BYTES, HEADER_BYTES + length);
      bytes = bytes.subarray(HEADER_BYTES + length);
      yield { type, stream, payload };
    }
    this.#rest = this.#fault === null ? Buffer.from(bytes) : Buffer.alloc(0); // F2
  }
}

function isFrameType(type: number): type is FrameType {
  return type >= FRAME.hello && type <= LAST_TYPE;
}
