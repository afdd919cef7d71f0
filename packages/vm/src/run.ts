import type { Readable } from "node:stream";
import type { ExecOutcome, ExecRequest, Vm } from "./driver.ts";

/** A command's outcome with its output as text. Never throws.
 *  At most `maxOutputBytes` of each output are kept; the rest is read and forgotten, so the process is not held up. */

export interface RunResult {
  readonly outcome: ExecOutcome;
  readonly stdout: string;
  readonly stderr: string;
  /** Bytes that were not kept. */
  readonly droppedBytes: number;
}

export interface RunRequest extends ExecRequest {
  readonly stdin?: string | Uint8Array;
  /** Of each output. Default 1 MiB. */
  readonly maxOutputBytes?: number;
}

export async function run(vm: Pick<Vm, "exec">, request: RunRequest): Promise<RunResult> {
  const { stdin = "", maxOutputBytes = 1024 * 1024, ...rest } = request;
  const exec = vm.exec(rest);
  exec.stdin.end(stdin);
  const [outcome, stdout, stderr] = await Promise.all([
    exec.outcome,
    keep(exec.stdout, maxOutputBytes),
    keep(exec.stderr, maxOutputBytes),
  ]);
  const droppedBytes = stdout.droppedBytes + stderr.droppedBytes;
  return { outcome, stdout: stdout.text, stderr: stderr.text, droppedBytes };
}

async function keep(output: Readable, maxBytes: number): Promise<{ text: string; droppedBytes: number }> {
  const chunks: Buffer[] = [];
  let keptBytes = 0;
  let droppedBytes = 0;
  for await (const chunk of output as AsyncIterable<Buffer>) {
    const fits = chunk.subarray(0, maxBytes - keptBytes);
    chunks.push(fits);
    keptBytes += fits.length;
    droppedBytes += chunk.length - fits.length;
  }
  return { text: Buffer.concat(chunks).toString("utf8"), droppedBytes };
}
