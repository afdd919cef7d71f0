import { spawn, type ChildProcess } from "node:child_process";
import { SmoothError } from "@smooth/protocol/errors";

/** One run of a program, in its own process group, from start to a clean end.
 *  P1. It ends by itself, by abort, by timeout or by silence; in the last three the whole group is asked to stop and, when it
 *      does not, killed.
 *  P3. Who watches is told of every group before it can outlive this process, and when it has ended.
 *  P2. A line has an end: what is longer than MAX_LINE_CHARS is dropped. Bytes that are no text become U+FFFD. */

export interface CliRun {
  readonly program: string;
  readonly args: readonly string[];
  readonly stdin: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs: number | null;
  readonly idleTimeoutMs: number | null;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
  readonly onError: (text: string) => void;
  /** After the lines of each piece of output. */
  readonly onOutput: () => void;
}

export interface CliEnd {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last words. */
  readonly stderr: string;
}

/** Writes down the group that `pid` leads and works in `folder`; answers what to call when it has ended. */
type Watcher = (pid: number, folder: string) => () => void;
let watcher: Watcher | null = null;

/** P3. For the one host of this process, which kills what it left when it died. */
export function watchCliProcesses(watch: Watcher): void {
  watcher = watch;
}

const MAX_LINE_CHARS = 10_000_000;
const MAX_STDERR_CHARS = 10_000;
const GRACE_MS = 2_000;

export async function runCli(run: CliRun): Promise<CliEnd> {
  run.signal.throwIfAborted();
  const child = spawn(run.program, run.args, { cwd: run.cwd, env: run.env, detached: true, stdio: "pipe" });
  const gone = child.pid === undefined ? null : watcher?.(child.pid, run.cwd); // P3
  child.stdin.on("error", () => {}); // a program may end without reading its input
  child.stdin.end(run.stdin);
  const lines = new Lines(run.onLine);
  const errors = new TextDecoder();
  let stderr = "";
  const watch = watchdog(child, run);
  child.stdout.on("data", (chunk: Uint8Array) => {
    lines.push(chunk);
    watch.heard();
    run.onOutput();
  });
  child.stderr.on("data", (chunk: Uint8Array) => {
    const text = errors.decode(chunk, { stream: true });
    stderr = (stderr + text).slice(-MAX_STDERR_CHARS);
    run.onError(text);
    watch.heard();
    run.onOutput();
  });
  try {
    const end = await ended(child, run.program);
    lines.end();
    if (watch.reason !== null) throw watch.reason;
    return { ...end, stderr };
  } finally {
    watch.end();
    stopGroup(child, "SIGKILL"); // P1: nothing it started stays
    gone?.();
  }
}

/** Resolves when the program has ended and said all, or a little after it was killed. */
function ended(child: ChildProcess, program: string): Promise<Omit<CliEnd, "stderr">> {
  return new Promise((resolve, reject) => {
    child.once("error", (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === "ENOENT" || cause.code === "EACCES"
          ? new SmoothError("AGENT_CONFIG_INVALID", `${program} cannot be started (${cause.code}); is it on PATH?`, {
              cause,
            })
          : cause,
      ),
    );
    child.once("exit", (code, signal) => {
      const done = (): void => resolve({ code, signal });
      const timer = setTimeout(() => setImmediate(done), LEFTOVER_MS); // a turn later: what came in time is read first
      child.once("close", () => {
        clearTimeout(timer);
        done();
      });
    });
  });
}

/** A process it left behind may hold its pipes open for ever. */
const LEFTOVER_MS = 200;

interface Watchdog {
  /** Why it was stopped; null while nobody stopped it. */
  readonly reason: Error | null;
  heard(): void;
  end(): void;
}

/** P1 */
function watchdog(child: ChildProcess, { signal, timeoutMs, idleTimeoutMs, program }: CliRun): Watchdog {
  const timers = new Set<NodeJS.Timeout>();
  let reason: Error | null = null;
  const stop = (why: Error): void => {
    if (reason !== null) return;
    reason = why;
    stopGroup(child, "SIGTERM");
    timers.add(setTimeout(() => stopGroup(child, "SIGKILL"), GRACE_MS));
  };
  const late = (what: string) => () => stop(new SmoothError("TASK_TIMEOUT", `${program} ${what}`));
  const onAbort = (): void => stop(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  if (timeoutMs !== null) timers.add(setTimeout(late(`ran longer than ${timeoutMs} ms`), timeoutMs));
  const idle = idleTimeoutMs === null ? null : setTimeout(late(`was silent for ${idleTimeoutMs} ms`), idleTimeoutMs);
  if (idle) timers.add(idle);
  return {
    get reason() {
      return reason;
    },
    heard: () => void idle?.refresh(),
    end() {
      signal.removeEventListener("abort", onAbort);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function stopGroup({ pid }: ChildProcess, signal: "SIGTERM" | "SIGKILL"): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** P2 */
class Lines {
  readonly #decoder = new TextDecoder();
  readonly #onLine: (line: string) => void;
  #rest: string[] = [];
  #chars = 0;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Uint8Array): void {
    const [first = "", ...more] = this.#decoder.decode(chunk, { stream: true }).split("\n");
    this.#add(first);
    for (const piece of more) {
      this.end();
      this.#add(piece);
    }
  }

  end(): void {
    const line = this.#rest.join("");
    const whole = this.#chars <= MAX_LINE_CHARS;
    this.#rest = [];
    this.#chars = 0;
    if (whole && line.trim() !== "") this.#onLine(line.replace(/\r$/, ""));
  }

  #add(piece: string): void {
    this.#chars += piece.length;
    if (this.#chars <= MAX_LINE_CHARS) this.#rest.push(piece);
    else this.#rest = [];
  }
}
