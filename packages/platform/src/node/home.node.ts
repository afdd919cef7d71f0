import { existsSync, mkdirSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

/** Where a host keeps its files: SMOOTH_HOME, or ~/.smooth. */
export const smoothHome = (env: Readonly<Record<string, string | undefined>>): string =>
  env["SMOOTH_HOME"] ?? join(homedir(), ".smooth");

/** The folder and those above it, one by one, for this user alone: Node's own recursive mkdir never returns where a folder is refused
 *  as if the one above it were missing, as in /proc. Throws what the system says. */
export function makeFolder(path: string): void {
  const whole = resolve(path);
  if (existsSync(whole)) return;
  makeFolder(dirname(whole));
  try {
    mkdirSync(whole, { mode: 0o700 });
  } catch (error) {
    if (!existsSync(whole)) throw error; // another process was faster
  }
}
