import { closeSync, openSync, readSync } from "node:fs";
import type { Clock, Ids, Random } from "../ports.ts";

/** A timer of the platform overflows beyond this (24.8 days) and would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    const untilMs = Date.now() + ms;
    await timer(ms, signal);
    if (ms <= LONGEST_TIMER_MS) return;
    for (let leftMs = untilMs - Date.now(); leftMs > 0; leftMs = untilMs - Date.now()) await timer(leftMs, signal);
  },
};

const timer = (ms: number, signal: AbortSignal | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const onAbort = (): void => {
      clearTimeout(armed);
      reject(signal?.reason as Error);
    };
    const armed = setTimeout(
      () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      },
      Math.min(Math.max(0, ms), LONGEST_TIMER_MS),
    );
    signal?.addEventListener("abort", onAbort, { once: true });
  });

/** What is left of it has been given to nobody yet. */
let pool: Buffer = Buffer.alloc(0);
const POOL_BYTES = 512;

/** From the system itself: `node:crypto` would give the same bytes, after 4 ms of loading itself. An id needs few of them, and to
 *  open the source costs more than all else that makes an id. */
function randomBytes(count: number): Buffer {
  if (pool.length < count) pool = readRandom(Math.max(count, POOL_BYTES));
  const bytes = pool.subarray(0, count);
  pool = pool.subarray(count);
  return bytes;
}

function readRandom(count: number): Buffer {
  const source = openSync("/dev/urandom", "r");
  try {
    const bytes = Buffer.alloc(count);
    for (let at = 0; at < count;) at += readSync(source, bytes, at, count - at, null);
    return bytes;
  } finally {
    closeSync(source);
  }
}

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** 9 characters of time (sortable), 11 of randomness (55 bits), Crockford base32. */
export const systemIds: Ids = {
  next: (prefix) => {
    let time = Date.now();
    let head = "";
    for (let digit = 0; digit < 9; digit += 1) {
      head = ALPHABET.charAt(time % 32) + head;
      time = Math.floor(time / 32);
    }
    let tail = "";
    for (const byte of randomBytes(11)) tail += ALPHABET.charAt(byte & 31);
    return `${prefix}-${head}${tail}`;
  },
};

export const systemRandom: Random = () => randomBytes(4).readUInt32BE() / 2 ** 32;
