import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import type { Blobs } from "../ports.ts";

/** One file per blob, `ab/cdef…`, written aside, synced with its folder, renamed into place. */
export function folderBlobs(folder: string): Blobs {
  const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  const pathOf = (sha256: string): string => join(folder, sha256.slice(0, 2), sha256.slice(2));
  return {
    async put(bytes) {
      const sha256 = hashOf(bytes);
      const path = pathOf(sha256);
      if (await isThere(path, bytes.length)) return sha256;
      await mkdir(join(folder, sha256.slice(0, 2)), { recursive: true });
      const fresh = `${path}.${randomUUID()}.tmp`;
      await writeSynced(fresh, bytes);
      await rename(fresh, path);
      await sync(join(folder, sha256.slice(0, 2))); // the new name, too, survives power loss
      return sha256;
    },
    async get(sha256) {
      const bytes = await readFile(pathOf(sha256)).catch((cause: unknown) => {
        throw Object.assign(new Error(`no blob ${sha256}`, { cause }), { code: "NOT_FOUND" });
      });
      if (hashOf(bytes) !== sha256) throw Object.assign(new Error(`blob ${sha256} is damaged`), { code: "INTERNAL" });
      return bytes;
    },
    list: () => list(folder),
    async sweep({ keep, putBeforeMs }) {
      const gone = (await list(folder)).filter(({ sha256, putAtMs }) => !keep.has(sha256) && putAtMs < putBeforeMs);
      for (const { sha256 } of gone) await rm(pathOf(sha256), { force: true });
      return gone.length;
    },
  };
}

/** One that is swept meanwhile is not there. */
async function list(folder: string): ReturnType<Blobs["list"]> {
  const found: { sha256: string; bytes: number; putAtMs: number }[] = [];
  for (const first of await readdir(folder).catch(() => []))
    for (const rest of await readdir(join(folder, first))) {
      const { size, mtimeMs } = (await stat(join(folder, first, rest)).catch(() => null)) ?? {};
      if (size !== undefined && mtimeMs !== undefined)
        found.push({ sha256: first + rest, bytes: size, putAtMs: mtimeMs });
    }
  return found;
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, "wx", 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function sync(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** And as young as if it had been put now: whoever put it has not referred to it yet. */
async function isThere(path: string, sizeBytes: number): Promise<boolean> {
  const found = await stat(path).catch(() => null);
  if (found?.size !== sizeBytes) return false;
  const now = new Date();
  return await utimes(path, now, now).then(
    () => true,
    () => false, // it was swept in this moment
  );
}
