import { Transform, type TransformCallback } from "node:stream";
import { watchSecrets } from "../narc/secret-stream.ts";

/** Byte streams that count, cap, and stop secrets. Bytes travel as latin1 text inside, so nothing is re-encoded. */

export class CapExceeded extends Error {
  override readonly name = "CapExceeded";
}
export class SecretSeen extends Error {
  override readonly name = "SecretSeen";
}

export interface GuardOptions {
  readonly maxBytes: number;
  readonly onBytes: (count: number) => void;
}

/** Counts and caps. */
export function meter({ maxBytes, onBytes }: GuardOptions): Transform {
  let total = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      total += chunk.length;
      if (total > maxBytes) return done(new CapExceeded(`more than ${maxBytes} bytes`));
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
}

/** G5. Fails at the first known secret; the secret's bytes are not passed on. */
export function secretStop(secrets: readonly string[], minHold = 1): Transform {
  const stream = watchSecrets(secrets, { replacement: "", minHold });
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const { text, hits } = stream.push(chunk.toString("latin1"));
      if (hits > 0) return done(new SecretSeen("a known secret"));
      done(null, Buffer.from(text, "latin1"));
    },
    flush(done) {
      done(null, Buffer.from(stream.end().text, "latin1"));
    },
  });
}

/** G6. Cuts known secrets out of what flows back, and lets `tap` read along. */
export function secretCut(secrets: readonly string[], tap: (text: string) => void): Transform {
  const stream = watchSecrets(secrets, { replacement: "[REDACTED:provider-key]" });
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const text = stream.push(chunk.toString("latin1")).text;
      tap(text);
      done(null, Buffer.from(text, "latin1"));
    },
    flush(done) {
      const text = stream.end().text;
      tap(text);
      done(null, Buffer.from(text, "latin1"));
    },
  });
}
