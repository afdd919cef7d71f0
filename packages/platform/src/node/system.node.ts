import { randomBytes } from "node:crypto";
import type { Clock, Ids, Random } from "../ports.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(
        () => {
          signal?.removeEventListener("abort", onAbort);
          resolve();
        },
        Math.min(Math.max(0, ms), 2 ** 31 - 1),
      );
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
};

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
    return `${prefix}-${head}${Array.from(randomBytes(11), (byte) => ALPHABET.charAt(byte & 31)).join("")}`;
  },
};

export const systemRandom: Random = () => randomBytes(4).readUInt32BE() / 2 ** 32;
