/** Stops what a process started when that process cannot do it itself any more: SIGKILL, an out-of-memory kill, a crash.
 *  It is a process of its own, out of reach of Ctrl-C; the pipe it reads ends when its owner does, however that happens.
 *  N1. What is on its list when the pipe ends is stopped, last come first: politely, then after a grace for good.
 *  N2. What its owner has stopped itself is off the list, so nobody's later process of that number is touched. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

export interface Ward {
  readonly pid: number;
  /** What asks it to end in good order. */
  readonly signal: "SIGTERM" | "SIGINT" | "SIGKILL";
}

export interface Warden extends Disposable {
  watch(ward: Ward): void;
  forget(pid: number): void;
}

/** It gets no environment: keys are none of its business. */
export function startWarden(): Warden {
  const child = spawn(process.execPath, [import.meta.filename], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    env: {},
  });
  child.unref();
  const pipe = child.stdin.on("error", () => undefined); // EPIPE: it was killed; then nobody watches
  const say = (line: Ward | { readonly forget: number }): void => void pipe.write(`${JSON.stringify(line)}\n`);
  return {
    watch: say,
    forget: (pid) => say({ forget: pid }),
    [Symbol.dispose]: () => void pipe.end(),
  };
}

const GRACE_MS = 5_000;

async function guard(): Promise<void> {
  const wards = new Map<number, Ward>();
  for await (const line of createInterface({ input: process.stdin })) {
    const said = JSON.parse(line) as Ward | { readonly forget: number };
    if ("forget" in said) wards.delete(said.forget); // N2
    else wards.set(said.pid, said);
  }
  for (const ward of [...wards.values()].toReversed()) await stop(ward); // N1
}

async function stop({ pid, signal }: Ward): Promise<void> {
  send(pid, signal);
  const untilMs = performance.now() + GRACE_MS;
  while (send(pid, 0) && performance.now() < untilMs) await sleep(20);
  send(-pid, "SIGKILL"); // its group, where it leads one
  send(pid, "SIGKILL");
}

/** False: nobody is there. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

if (import.meta.main) await guard();
