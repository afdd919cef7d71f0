import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import type { Blobs } from "./blobs.ts";

/** One file per blob, `ab/cdef…`, written aside, synced, renamed into place. */
export function folderBlobs(folder: string): Blobs {
  const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const pathOf = (sha256: string): string => join(folder, sha256.slice(0, 2), sha256.slice(2));
  return {
    async put(bytes) {
      const sha256 = hashOf(bytes);
      const path = pathOf(sha256);
      if (await hasSize(path, bytes.length)) return sha256;
      await mkdir(join(folder, sha256.slice(0, 2)), { recursive: true });
      const fresh = `${path}.${randomUUID()}.tmp`;
      const handle = await open(fresh, "wx", 0o600);
      try {
        await handle.writeFile(bytes);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(fresh, path);
      return sha256;
    },
    async get(sha256) {
      const bytes = await readFile(pathOf(sha256)).catch((cause: unknown) => {
        throw new SmoothError("NOT_FOUND", `no blob ${sha256}`, { cause });
      });
      if (hashOf(bytes) !== sha256) throw new SmoothError("INTERNAL", `blob ${sha256} is damaged`);
      return bytes;
    },
  };
}

async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  return found !== null && found.size === sizeBytes;
}
