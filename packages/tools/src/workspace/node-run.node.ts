import { spawn, type ChildProcess } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { OutputWindow } from "./output-window.ts";
import type { Command, Exit } from "./workspace.ts";

/** One process, in its own group, from start to a clean end.
 *  N1. The answer comes when the process exits, not when its pipes close: a daemon it left behind cannot hold the call.
 *  N2. Timeout and cancel kill the whole group and, on Linux, everything that carries this call's marker in its environment. */

export interface RunPlace {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly marker: string;
}

const MARK = "SMOOTH_MARK";
const DRAIN_MS = 200;
let calls = 0;

export async function runCommand(command: Command, place: RunPlace): Promise<Exit> {
  if (command.signal?.aborted) return { kind: "killed", by: "cancel", output: "" };
  const marker = `${place.marker}.${(calls += 1)}.`;
  const [program, ...args] = command.argv;
  const child = spawn(program, args, {
    cwd: place.cwd,
    env: { ...place.env, [MARK]: marker },
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = new OutputWindow(command.maxOutputBytes);
  child.stdout.on("data", (chunk: Uint8Array) => output.push(chunk));
  child.stderr.on("data", (chunk: Uint8Array) => output.push(chunk));

  let stopped: "timeout" | "cancel" | null = null;
  const stop = (by: "timeout" | "cancel"): void => {
    stopped ??= by;
    killGroup(child);
  };
  const timer = setTimeout(() => stop("timeout"), command.timeoutMs);
  const onAbort = (): void => stop("cancel");
  command.signal?.addEventListener("abort", onAbort, { once: true });
  const end = await ended(child);
  clearTimeout(timer);
  command.signal?.removeEventListener("abort", onAbort);
  if (end.kind === "not-started") return end;
  if (stopped !== null) await killMarked(marker); // N2
  else await drained(child); // N1
  child.stdout.destroy();
  child.stderr.destroy();
  if (stopped !== null) return { kind: "killed", by: stopped, output: output.text() };
  if (end.code === null) return { kind: "killed", by: "signal", output: output.text() };
  return { kind: "exited", code: end.code, output: output.text() };
}

type End = { kind: "not-started"; message: string } | { kind: "ended"; code: number | null };

function ended(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve({ kind: "not-started", message: error.message }));
    child.once("exit", (code) => resolve({ kind: "ended", code }));
  });
}

/** What was written before the exit may still be in the pipes; a leftover child may keep them open for ever. */
function drained(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => setImmediate(resolve), DRAIN_MS); // a turn later: what came in time is read first
    child.once("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  killQuietly(-child.pid);
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Kills every process whose environment carries a mark that starts with `marker`, until none is left. Elsewhere than Linux: nothing. */
export async function killMarked(marker: string): Promise<void> {
  // One that forks and ends, or execs, while it is looked at shows only in the next look.
  for (let round = 0, quiet = 0; round < 20 && quiet < 2; round += 1) {
    const pids = await markedPids(marker);
    quiet = pids.length === 0 ? quiet + 1 : 0;
    for (const pid of pids) killQuietly(pid);
  }
}

async function markedPids(marker: string): Promise<number[]> {
  const names = await readdir("/proc").catch(() => []);
  const pids = names.map(Number).filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  const marked = await Promise.all(pids.map(async (pid) => ((await carries(pid, marker)) ? pid : null)));
  return marked.filter((pid) => pid !== null);
}

async function carries(pid: number, marker: string): Promise<boolean> {
  const environ = await readFile(`/proc/${pid}/environ`, "latin1").catch(() => "");
  return environ.startsWith(`${MARK}=${marker}`) || environ.includes(`\0${MARK}=${marker}`);
}
