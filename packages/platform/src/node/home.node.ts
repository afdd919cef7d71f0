import { homedir } from "node:os";
import { join } from "node:path";

/** Where a host keeps its files: SMOOTH_HOME, or ~/.smooth. */
export const smoothHome = (env: Readonly<Record<string, string | undefined>>): string =>
  env["SMOOTH_HOME"] ?? join(homedir(), ".smooth");
