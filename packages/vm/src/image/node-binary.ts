import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

/** The Linux Node of this checkout's lock; elsewhere the one that runs us. */
export function guestNodeBinary(): string {
  const require = createRequire(import.meta.url);
  const name = `node-linux-${process.arch}`;
  try {
    const binary = join(require.resolve(`${name}/package.json`), "../bin/node");
    if (existsSync(binary)) return binary;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
  }
  return process.execPath;
}
