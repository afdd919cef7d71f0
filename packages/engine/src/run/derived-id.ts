/** Ids that follow from where they come from: whoever asks again, after a crash or in another process, gets the same one. */

/** 106 bits, in the form of every other run id. Not for secrets. */
export function derivedRunId(runId: string, what: string): string {
  const text = `${runId} ${what}`;
  return `run-${[1, 2].map((seed) => hash53(text, seed).toString(36).padStart(11, "0")).join("")}`;
}

/** Two 32-bit mixes over the same text; 53 bits of them fit a number. */
function hash53(text: string, seed: number): number {
  let a = 0xdeadbeef ^ seed;
  let b = 0x41c6ce57 ^ seed;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}
