import { statfs } from "node:fs/promises";
import type { Disk } from "../ports.ts";

/** The file system that holds `path`. */
export const diskAt = (path: string): Disk => ({
  async freeBytes() {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
});
