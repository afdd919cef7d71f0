import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import type { Duplex, Readable } from "node:stream";
import type { GuestProcess } from "../agent-vm.ts";

/** The agent as a child of this process, descriptors 3 and 4 its two lines.
 *  L1. Nothing is listened to and nothing has a name: only the child holds the other ends. */

const TAIL_CHARS = 16 * 1024;
const HANG_UP_MS = 2_000;

export interface InheritedLaunch {
  readonly command: readonly string[];
  /** Handed over read-only, from descriptor 5 on. */
  readonly files: readonly string[];
  readonly cwd: string;
  /** `namespace`: the child waits for the first process of one, with which all of it goes. `hang-up`: the agent itself ends
   *  what it started (H1). */
  readonly end: "namespace" | "hang-up";
}

export interface LaunchedGuest extends GuestProcess {
  /** Null when it did not even start; `lastWords` says why. */
  readonly pid: number | null;
}

export function launchInherited({ command, files, cwd, end }: InheritedLaunch): LaunchedGuest {
  const [program = "", ...args] = command;
  const opened = files.map((path) => openSync(path, "r"));
  const child = spawn(program, args, {
    cwd,
    env: {},
    detached: true, // Ctrl-C at the host's terminal is the host's business.
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", ...opened],
  });
  opened.forEach((fd) => closeSync(fd));
  const said = tail(child);
  // Its pipes too: what it said last is then read.
  const exited = Promise.all([gone(child), closed(child.stdout), closed(child.stderr)]).then(() => {});
  const [, , , agent, goalie] = child.stdio as (Duplex | null)[];
  if (!agent || !goalie) throw new TypeError("every pipe was asked for");
  const hangUp = (): void => [agent, goalie].forEach((line) => void line.destroy());
  void exited.then(hangUp);
  const kill = async (): Promise<void> => {
    if (end === "hang-up") hangUp();
    else killWaitedFor(child);
    const timer = setTimeout(() => child.kill("SIGKILL"), HANG_UP_MS);
    await exited;
    clearTimeout(timer);
  };
  return { agent, goalie, exited, lastWords: said, kill, pid: child.pid ?? null };
}

/** Not the child: it would be gone at once, and nobody would know when the namespace is. */
function killWaitedFor(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const inside = childrenOf(child.pid);
  if (inside.length === 0) child.kill("SIGKILL");
  for (const pid of inside) unlessGone(() => process.kill(pid, "SIGKILL"));
}

function childrenOf(pid: number): number[] {
  const list = unlessGone(() => readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")) ?? "";
  return list.split(" ").filter(Boolean).map(Number);
}

function unlessGone<T>(act: () => T): T | null {
  try {
    return act();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return null;
    throw error;
  }
}

function gone(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => void child.once("exit", () => resolve()).once("error", () => resolve()));
}

function closed(pipe: Readable | null): Promise<void> {
  return new Promise((resolve) => void pipe?.once("close", resolve));
}

function tail(child: ChildProcess): () => string {
  let text = "";
  const add = (chunk: string): void => void (text = (text + chunk).slice(-TAIL_CHARS));
  child.once("error", (error) => add(error.message));
  for (const pipe of [child.stdout, child.stderr]) {
    pipe?.setEncoding("utf8").on("data", add);
    pipe?.on("error", () => {});
  }
  return () => text.trim();
}
