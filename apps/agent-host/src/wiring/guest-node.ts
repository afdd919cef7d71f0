import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";

/** The Linux Node that goes into the guest: the one of this installation's lock, or, without it, the one that runs us. */
export function guestNodeBinary(): string {
  const require = createRequire(import.meta.url);
  try {
    const binary = join(dirname(require.resolve(`node-linux-${process.arch}/package.json`)), "bin/node");
    if (existsSync(binary)) return binary;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
  }
  return process.execPath;
}
