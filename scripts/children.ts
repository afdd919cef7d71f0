import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, type WriteStream } from "node:fs";
import { once } from "node:events";
import type { Warden } from "./warden.ts";

/** Child processes that never outlive their owner: stopped in reverse order of start, politely first.
 *  K1. After `stopAll` none of them is alive.
 *  K2. When the owner dies without a word, the warden stops them. */

export interface ChildSpec {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
  /** Everything it prints goes here. */
  readonly logFile: string;
}

const GRACE_MS = 5_000;

export class Children {
  readonly #alive: ChildProcess[] = [];
  readonly #warden: Warden;

  constructor(warden: Warden) {
    this.#warden = warden;
  }

  /** Resolves when the system started the process; says nothing about its readiness. */
  async start({ command, args, cwd, env, logFile }: ChildSpec): Promise<ChildProcess> {
    const log: WriteStream = createWriteStream(logFile, { flags: "a" });
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], detached: true });
    await once(child, "spawn");
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    this.#alive.push(child);
    const pid = child.pid ?? 0;
    this.#warden.watch({ pid, signal: "SIGTERM" }); // K2
    child.once("exit", () => this.#warden.forget(pid));
    return child;
  }

  async stopAll(): Promise<void> {
    for (const child of this.#alive.splice(0).toReversed()) await stop(child);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, "exit");
  const hard = setTimeout(() => signalGroup(child, "SIGKILL"), GRACE_MS);
  child.kill("SIGTERM");
  await gone;
  clearTimeout(hard);
  signalGroup(child, "SIGKILL");
}

/** Each child leads its own group, so its own children go with it. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-(child.pid ?? 0), signal);
  } catch {
    // ESRCH: the group is already empty.
  }
}
