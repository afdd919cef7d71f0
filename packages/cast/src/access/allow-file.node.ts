import { mkdir, open, readFile, realpath, rename } from "node:fs/promises";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import type { AllowFile } from "./allow-rules.ts";

/** The allow file of one repository. A `.smooth` that is a link to elsewhere is refused. */
export function repoAllowFile(repo: string): AllowFile {
  const folder = join(repo, ".smooth");
  const path = join(folder, "wonk-allow.toml");
  const insist = async (): Promise<void> => {
    if ((await realpath(folder)) !== join(await realpath(repo), ".smooth"))
      throw new SmoothError("CONFIG_INVALID", `${folder} is a link; it must be a folder`);
  };
  return {
    async read() {
      try {
        await insist();
        return await readFile(path, "utf8");
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
        throw error;
      }
    },
    async write(text) {
      await mkdir(folder, { recursive: true });
      await insist();
      const fresh = `${path}.${process.pid}.tmp`;
      const handle = await open(fresh, "w", 0o600);
      try {
        await handle.writeFile(text);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(fresh, path);
    },
  };
}
