/** Runs one child of the bench and reads what it printed. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { ENGINE_FLAGS, START_FLAGS } from "../../../apps/agent-host/src/bin/flags.mjs";
import { bundle } from "../../../scripts/bundle.mjs";
import type { Measured } from "./workloads.ts";

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const PATIENCE_MS = 900_000;

const ROOT = join(import.meta.dirname, "../../..");
const BUILT = join(ROOT, ".data/bench-engine");

/** Our engine as it is shipped: bundled as `th` and `smithers` are, started with their flags, from a compile cache that an
 *  earlier run has filled. */
export async function ours(): Promise<Command> {
  await bundle(BUILT, { ours: join(import.meta.dirname, "ours.ts") });
  const cache = join(BUILT, "compiled");
  rmSync(cache, { recursive: true, force: true });
  const command = {
    command: process.execPath,
    args: [...START_FLAGS, ...ENGINE_FLAGS, join(BUILT, "ours.js")],
    env: { NODE_COMPILE_CACHE: cache },
  };
  run(withArgs(command, "chain", 1_000));
  return command;
}

export const withArgs = (command: Command, ...more: readonly (string | number)[]): Command => ({
  ...command,
  args: [...command.args, ...more.map(String)],
});

function run({ command, args, env }: Command): string {
  const result = spawnSync(command, args, {
    encoding: "utf8",
    maxBuffer: 2 ** 28,
    timeout: PATIENCE_MS,
    env: { ...process.env, ...env },
  });
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`${command} ${args.join(" ")}: ${result.stderr.trim().slice(-500)}`);
  return result.stdout;
}

/** The last line of a child is its result; some peers log before it. */
export const lastLine = <T>(command: Command): T => JSON.parse(run(command).trim().split("\n").at(-1) ?? "") as T;

export const measured = (command: Command): Measured => lastLine<Measured>(command);

/** fsync and fdatasync calls of a child; null where strace is not there. */
export function syncsOf(command: Command): number | null {
  const folder = mkdtempSync(join(tmpdir(), "bench-strace-"));
  const counts = join(folder, "counts");
  try {
    const traced = ["-f", "-c", "-e", "trace=fsync,fdatasync", "-o", counts, command.command, ...command.args];
    run({ ...command, command: "strace", args: traced });
    const total = readFileSync(counts, "utf8")
      .match(/^.*\btotal$/m)?.[0]
      .trim()
      .split(/\s+/);
    return Number(total?.[3] ?? 0);
  } catch (error) {
    if (String(error).includes("ENOENT")) return null;
    throw error;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Milliseconds from spawn to exit. */
export function lifetimeMs(command: Command): number {
  const startedMs = performance.now();
  run(command);
  return performance.now() - startedMs;
}

/** Milliseconds from spawn to the line `text`; and everything the child printed. */
export function untilLine(command: Command, text: string): Promise<{ readonly ms: number; readonly output: string }> {
  const startedMs = performance.now();
  const env = { ...process.env, ...command.env };
  const child = spawn(command.command, command.args, { env, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  let ms = Number.NaN;
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    if (Number.isNaN(ms) && output.includes(text)) ms = performance.now() - startedMs;
  });
  return new Promise((resolve, reject) =>
    child.on("error", reject).on("close", (code) => {
      if (code === 0) resolve({ ms, output });
      else reject(new Error(`${command.args.join(" ")} exited with ${code}`));
    }),
  );
}
