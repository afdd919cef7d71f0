import type { Blobs } from "../ports.ts";

/** Bytes in memory; `size` says how many blobs there are. */
export function memoryBlobs(now: () => number = () => 0): Blobs & { readonly size: number } {
  const kept = new Map<string, { readonly bytes: Uint8Array; readonly putAtMs: number }>();
  return {
    get size() {
      return kept.size;
    },
    async put(bytes) {
      const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes));
      const sha256 = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      kept.set(sha256, { bytes, putAtMs: now() });
      return sha256;
    },
    async get(sha256) {
      const found = kept.get(sha256);
      if (!found) throw Object.assign(new Error(`no blob ${sha256}`), { code: "NOT_FOUND" });
      return found.bytes;
    },
    list: async () => [...kept].map(([sha256, { bytes, putAtMs }]) => ({ sha256, bytes: bytes.length, putAtMs })),
    async sweep({ keep, putBeforeMs }) {
      const gone = [...kept].filter(([sha256, { putAtMs }]) => !keep.has(sha256) && putAtMs < putBeforeMs);
      for (const [sha256] of gone) kept.delete(sha256);
      return gone.length;
    },
  };
}
