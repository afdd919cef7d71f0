import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { blobsContract } from "../blobs.contract.ts";
import { folderBlobs } from "./blobs.node.ts";

const home = mkdtempSync(join(tmpdir(), "smooth-blobs-"));
afterAll(() => rmSync(home, { recursive: true }));
const folder = () => mkdtempSync(join(home, "b-"));

describe("a folder of blobs", () => {
  blobsContract(() => folderBlobs(folder()));

  test("a damaged blob is refused, and one that is put again counts as new for a sweep", async () => {
    const dir = folder();
    const blobs = folderBlobs(dir);
    const sha256 = await blobs.put(new TextEncoder().encode("same"));
    const path = join(dir, sha256.slice(0, 2), sha256.slice(2));
    utimesSync(path, 1, 1);

    await blobs.put(new TextEncoder().encode("same"));

    expect(await blobs.sweep({ keep: new Set(), putBeforeMs: 2_000 })).toBe(0);
    expect(readdirSync(join(dir, sha256.slice(0, 2)))).toEqual([sha256.slice(2)]);
    writeFileSync(path, "Same");
    await expect(blobs.get(sha256)).rejects.toMatchObject({ code: "INTERNAL" });
  });
});
