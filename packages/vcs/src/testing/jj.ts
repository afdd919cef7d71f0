/** A folder with a `jj` binary for tests, or null where this machine has none. */
import { chmodSync, copyFileSync, existsSync, mkdtempSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";

export function findJj(): string | null {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).find((folder) => existsSync(join(folder, "jj")));
  if (onPath !== undefined) return onPath;
  try {
    const binary = createRequire(import.meta.url).resolve("@smithers-orchestrator/jj-linux-x64/bin/jj");
    const folder = mkdtempSync(join(tmpdir(), "smooth-jj-"));
    copyFileSync(binary, join(folder, "jj")); // npm may have unpacked it without its mode, and the original is shared
    chmodSync(join(folder, "jj"), 0o755);
    return folder;
  } catch {
    return null; // not this platform
  }
}
