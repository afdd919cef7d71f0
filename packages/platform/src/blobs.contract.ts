/** What every Blobs must do. */
import { expect, test } from "vitest";
import type { Blobs } from "./ports.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const SOON = Date.UTC(2100, 0);

export function blobsContract(open: () => Blobs): void {
  test("what was put comes back by its SHA-256, the same bytes under the same name", async () => {
    const blobs = open();

    const sha256 = await blobs.put(bytes("same"));

    expect(sha256).toBe("0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5");
    expect(await blobs.put(bytes("same"))).toBe(sha256);
    expect(new TextDecoder().decode(await blobs.get(sha256))).toBe("same");
    expect(await blobs.put(bytes("other"))).not.toBe(sha256);
    await expect(blobs.get("0".repeat(64))).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  test("a sweep takes what nobody keeps, unless it was put lately: its reference may be on its way", async () => {
    const blobs = open();
    const [kept, old] = [await blobs.put(bytes("kept")), await blobs.put(bytes("old"))];
    const keep = new Set([kept]);

    const listed = new Map((await blobs.list()).map(({ sha256, bytes: size }) => [sha256, size]));
    expect([listed.size, listed.get(kept), listed.get(old)]).toEqual([2, 4, 3]);
    expect(await blobs.sweep({ keep, putBeforeMs: 0 })).toBe(0);
    expect(await blobs.sweep({ keep, putBeforeMs: SOON })).toBe(1);

    expect(new TextDecoder().decode(await blobs.get(kept))).toBe("kept");
    await expect(blobs.get(old)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
}
