import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { constants } from "node:os";
import type { Readable } from "node:stream";
import type { AgentRequest, AgentResult, ExecControl } from "../channel/messages.ts";
import type { Channel, MuxStream, StreamEvents } from "../channel/mux.ts";

/** One process group per exec.
 *  X1. The result is sent when the process was waited for, not when its pipes close: a daemon it left behind holds nobody up.
 *  X2. What the process wrote before it ended arrives before the result.
 *  X3. A signal goes to the whole group; so does SIGKILL when the host drops the stream. */

/** After the exit, output is over when the pipes closed or nothing more came for this long. */
const QUIET_AFTER_EXIT_MS = 25;

export function exec(request: Extract<AgentRequest, { op: "exec" }>, stream: MuxStream): StreamEvents {
  const [program = "", ...args] = request.argv;
  const child = spawn(program, args, { cwd: request.cwd, env: request.env, detached: true, stdio: "pipe" });
  const answer = (result: AgentResult): void => stream.result(Buffer.from(JSON.stringify(result)));
  const outputs = [forward(child.stdout, "data", stream), forward(child.stderr, "errData", stream)];
  if (child.pid !== undefined) preferAsVictim(child.pid);
  child.stdin.on("error", () => {}); // The process closed its stdin: EPIPE is its business.
  child.once("error", (error: NodeJS.ErrnoException) => {
    if (child.pid === undefined)
      answer({ kind: "failed", code: error.code ?? "SPAWN", message: `${program}: ${error.message}` });
  });
  child.once("exit", (code, signal) => {
    void Promise.all(outputs.map((output) => output.drained())).then(() => {
      answer(signal === null ? { kind: "exited", code: code ?? 255 } : { kind: "signaled", signal });
    });
  });
  return {
    data: (chunk) => void child.stdin.write(chunk, () => stream.consumed(chunk.length)),
    end: () => void child.stdin.end(),
    control: (payload) => signalGroup(child, (JSON.parse(payload.toString()) as ExecControl).signal),
    closed: (how) => {
      if (how.kind === "reset") signalGroup(child, "SIGKILL"); // X3
    },
  };
}

/** The agent is exempt from the out-of-memory killer; what it starts is not. */
function preferAsVictim(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, "500");
  } catch (error) {
    // Gone already, no /proc, or a /proc that belongs to somebody else: then it is as likely a victim as we are.
    if (!["ENOENT", "ESRCH", "EACCES", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  }
}

function signalGroup(child: ChildProcess, signal: string): void {
  if (child.pid === undefined || !(signal in constants.signals)) return;
  try {
    process.kill(-child.pid, signal as NodeJS.Signals);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** One chunk in flight at a time: the pipe, and behind it the process, waits for the host's credit. */
function forward(pipe: Readable, channel: Channel, stream: MuxStream): { drained(): Promise<void> } {
  let lastByteMs = 0;
  let sending: Promise<void> = Promise.resolve();
  const closed = new Promise<void>((resolve) => pipe.once("close", resolve));
  pipe.on("error", () => {});
  pipe.on("data", (chunk: Buffer) => {
    pipe.pause();
    lastByteMs = performance.now();
    sending = stream.send(chunk, channel).then(
      () => void pipe.resume(),
      () => void pipe.destroy(),
    );
  });
  const quiet = async (): Promise<void> => {
    lastByteMs = performance.now();
    for (
      let leftMs = QUIET_AFTER_EXIT_MS;
      leftMs > 0;
      leftMs = QUIET_AFTER_EXIT_MS - (performance.now() - lastByteMs)
    ) {
      await sending;
      await new Promise((resolve) => setTimeout(() => setImmediate(resolve), leftMs)); // a turn later: what came in time is read first
    }
    pipe.destroy();
  };
  return { drained: () => Promise.race([closed, quiet()]).then(() => sending) };
}
