import { type Bytes, encodeU32, FLAG, FRAME, NO_BYTES, PIECE_BYTES } from "./codec.ts";
import type { Line } from "./line.ts";

/** Flow control: who may send how much on one stream, in one direction.
 *  F1. A sender never has more than its credit in flight, so one stuck reader holds at most a window, and nobody else up.
 *  F2. Credit is granted when bytes were consumed, not when they arrived.
 *  F3. A peer that sends far beyond its credit is cut off; it cannot fill our memory. */

const WINDOW_BYTES = 256 * 1024;

/** The right to send. */
export class Credit {
  #leftBytes: number = WINDOW_BYTES;
  #open = true;
  #wake: (() => void)[] = [];

  /** Takes up to `maxBytes`, waiting while there is none; 0 once closed. */
  async take(maxBytes: number): Promise<number> {
    while (this.#open && this.#leftBytes <= 0) await new Promise<void>((resolve) => this.#wake.push(resolve));
    if (!this.#open) return 0;
    const takenBytes = Math.min(maxBytes, this.#leftBytes);
    this.#leftBytes -= takenBytes;
    return takenBytes;
  }

  add(bytes: number): void {
    this.#leftBytes = Math.min(this.#leftBytes + bytes, 64 * WINDOW_BYTES);
    this.#wakeAll();
  }

  /** After the edge slept, both sides count from a full window again. */
  refill(): void {
    this.#leftBytes = WINDOW_BYTES;
    this.#wakeAll();
  }

  close(): void {
    this.#open = false;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

/** The duty to grant. */
export class Intake {
  readonly #stream: number;
  readonly #line: Line;
  #heldBytes = 0;
  #ungrantedBytes = 0;

  constructor(stream: number, line: Line) {
    this.#stream = stream;
    this.#line = line;
  }

  /** Bytes that arrived and were not consumed yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** False when the peer overran its credit (F3); twice the window leaves room for a refill after sleep. */
  accept(bytes: number): boolean {
    this.#heldBytes += bytes;
    return this.#heldBytes + this.#ungrantedBytes <= 2 * WINDOW_BYTES;
  }

  consume(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#ungrantedBytes += bytes;
    if (this.#ungrantedBytes < WINDOW_BYTES / 4) return;
    this.#line.send({ type: FRAME.window, flags: 0, stream: this.#stream, payload: encodeU32(this.#ungrantedBytes) });
    this.#ungrantedBytes = 0;
  }

  refill(): void {
    this.#ungrantedBytes = 0;
  }
}

export interface Outlet {
  readonly stream: number;
  readonly line: Line;
  readonly credit: Credit;
}

/** Sends a body chunk in pieces as credit allows. False when the stream was closed meanwhile. */
export async function sendData({ stream, line, credit }: Outlet, bytes: Bytes): Promise<boolean> {
  let at = 0;
  while (at < bytes.byteLength) {
    const size = await credit.take(Math.min(PIECE_BYTES, bytes.byteLength - at));
    if (size === 0 || !(await line.ready())) return false;
    line.send({ type: FRAME.data, flags: 0, stream, payload: bytes.subarray(at, at + size) });
    at += size;
  }
  return true;
}

export interface Message {
  readonly text: boolean;
  readonly bytes: Bytes;
}

/** Sends one WebSocket message in pieces as credit allows; an empty message costs nothing. */
export async function sendMessage({ stream, line, credit }: Outlet, { text, bytes }: Message): Promise<boolean> {
  const kind = text ? FLAG.text : 0;
  if (bytes.byteLength === 0) {
    line.send({ type: FRAME.wsMessage, flags: kind, stream, payload: NO_BYTES });
    return true;
  }
  let at = 0;
  while (at < bytes.byteLength) {
    const size = await credit.take(Math.min(PIECE_BYTES, bytes.byteLength - at));
    if (size === 0 || !(await line.ready())) return false;
    const payload = bytes.subarray(at, at + size);
    at += size;
    line.send({
      type: FRAME.wsMessage,
      flags: at < bytes.byteLength ? kind | FLAG.more : kind,
      stream,
      payload,
    });
  }
  return true;
}
