/** The static gates, in the order that fails fastest. `npm run check` before every stop. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const root = join(import.meta.dirname, "..");
const sources = ["apps", "packages", "prisma/src", "scripts", "infra", "examples"];

export const GATES: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ["format", "oxfmt", "--check", ...sources],
  ["lint", "oxlint", "--type-aware", ...sources],
  ["types", "tsc", "--noEmit"],
  ["types of pure rooms", "tsc", "--noEmit", "-p", "tsconfig.pure.json"],
  ["types of the worker", "tsc", "--noEmit", "-p", "apps/rendezvous/tsconfig.json"],
  ["generated files", "node", "infra/generate.ts", "--check"],
  ["unused code", "knip", "--no-progress"],
];

/** Runs every gate, even after one fails, and returns how many failed. */
export function runGates(): number {
  let failed = 0;
  for (const [name, command, ...args] of GATES) {
    const startedMs = performance.now();
    const { status } = spawnSync(join(root, "node_modules/.bin", command), args, { cwd: root, stdio: "inherit" });
    if (status !== 0) failed += 1;
    console.log(
      `[check] ${name}: ${status === 0 ? "ok" : "FAILED"} (${((performance.now() - startedMs) / 1_000).toFixed(1)} s)`,
    );
  }
  return failed;
}

if (import.meta.main) process.exit(runGates() === 0 ? 0 : 1);
