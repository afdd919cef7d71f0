import { randomBytes } from "node:crypto";
import { finished } from "node:stream/promises";
import { Readable, Writable } from "node:stream";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { z } from "zod";
import type { Exec, ExecOutcome, ExecRequest, Signal } from "../driver.ts";
import { type AgentRequest, DoneResult, ExecResult, parseGuest, StatsResult } from "./messages.ts";
import type { Channel, Mux, MuxStream, StreamEvents } from "./mux.ts";

/** The host's side of the agent port. Everything that comes back is parsed (G1); a result that does not parse is a fault. */

export interface AgentDeps {
  readonly mux: Mux;
  readonly clock: Clock;
  readonly guest: Guest;
  /** The guest said something that no agent of ours says. */
  readonly onFault: (reason: string) => void;
}

/** Where commands start, and what they see besides their own environment. */
export interface Guest {
  readonly workspace: string;
  readonly env: Readonly<Record<string, string>>;
}

/** After SIGKILL by the deadline the guest gets this long to say that the process is gone. */
const REAP_GRACE_MS = 2_000;

export function execOverMux(request: ExecRequest, { mux, clock, guest, onFault }: AgentDeps): Exec {
  const outcome = Promise.withResolvers<ExecOutcome>();
  const settled = new AbortController();
  const outputs: Record<Channel, Readable> = { data: output(consumed), errData: output(consumed) };
  let timedOut = false;
  function consumed(bytes: number): void {
    stream.consumed(bytes);
  }
  const finish = (value: ExecOutcome): void => {
    outcome.resolve(timedOut && value.kind !== "not-started" ? { kind: "timed-out" } : value);
    settled.abort();
    stdin.destroy();
    for (const readable of Object.values(outputs)) if (!readable.destroyed) readable.push(null);
  };
  const events: StreamEvents = {
    data: (chunk, channel) => deliver(outputs[channel], chunk, consumed),
    closed(how) {
      if (how.kind !== "result") return finish({ kind: "vm-gone" });
      const result = parseGuest(ExecResult, how.payload);
      if (result === null) onFault("an exec result that does not parse");
      if (result === null) finish({ kind: "vm-gone" });
      else finish(result.kind === "failed" ? { kind: "not-started", reason: result.message } : result);
    },
  };
  const { argv, cwd = guest.workspace, env = {} } = request;
  const stream = mux.open(json({ op: "exec", argv, cwd, env: { ...guest.env, ...env } }), events);
  const stdin = input(stream);
  const signal = (name: Signal): void => stream.control(json({ signal: name }));
  if (request.timeoutMs !== undefined) {
    const enforce = async (): Promise<void> => {
      await clock.sleep(request.timeoutMs ?? 0, settled.signal);
      timedOut = true;
      signal("SIGKILL");
      await clock.sleep(REAP_GRACE_MS, settled.signal);
      stream.reset();
    };
    enforce().catch(ignoreAbort);
  }
  return { stdin, stdout: outputs.data, stderr: outputs.errData, signal, outcome: outcome.promise };
}

/** Ask one thing, get one parsed answer. A refusal by the guest becomes a SmoothError. */
async function ask<T extends { kind: string }>(
  request: AgentRequest,
  schema: z.ZodType<T>,
  deps: AgentDeps & Payload,
): Promise<Exclude<T, { kind: "failed" }>> {
  const answer = Promise.withResolvers<Buffer>();
  const events: StreamEvents = {
    data: (chunk) => deps.onData?.(chunk, stream),
    closed: (how) => (how.kind === "result" ? answer.resolve(how.payload) : answer.reject(gone())),
  };
  const stream = deps.mux.open(json(request), events);
  if (deps.body) {
    // A refusal by the guest closes the stream under us: the answer says why, not the write.
    const sent = stream.send(deps.body).then(() => stream.end());
    sent.catch(() => {});
  }
  const result = parseGuest(schema, await answer.promise);
  if (result === null) deps.onFault(`an answer to ${request.op} that does not parse`);
  if (result === null) throw gone();
  if (isFailed(result))
    throw new SmoothError("SANDBOX_FAILED", `${request.op}: ${result.message}`, { details: { code: result.code } });
  return result as Exclude<T, { kind: "failed" }>;
}

interface Payload {
  readonly body?: Uint8Array;
  readonly onData?: (chunk: Buffer, stream: MuxStream) => void;
}

function isFailed(result: { kind: string }): result is { kind: "failed"; code: string; message: string } {
  return result.kind === "failed";
}

export const settle = async (deps: AgentDeps): Promise<void> => void (await ask({ op: "settle" }, DoneResult, deps));
export const powerOff = async (deps: AgentDeps): Promise<void> =>
  void (await ask({ op: "power-off" }, DoneResult, deps));
export const guestStats = (deps: AgentDeps) => ask({ op: "stats" }, StatsResult, deps);

/** K1. A clone becomes its own machine: randomness, time, name. */
export async function wake(hostname: string, deps: AgentDeps): Promise<void> {
  const entropyHex = randomBytes(64).toString("hex");
  const machineId = randomBytes(16).toString("hex");
  await ask({ op: "wake", entropyHex, wallMs: deps.clock.now(), hostname, machineId }, DoneResult, deps);
}

export async function readGuestFile(path: string, maxBytes: number, deps: AgentDeps): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  const onData = (chunk: Buffer, stream: MuxStream): void => {
    total += chunk.length;
    if (total > maxBytes) return stream.reset(); // The guest promised less.
    chunks.push(chunk);
    stream.consumed(chunk.length);
  };
  await ask({ op: "read", path, maxBytes }, DoneResult, { ...deps, onData });
  return Buffer.concat(chunks);
}

export async function writeGuestFile(
  file: { path: string; mode: number; content: Uint8Array },
  deps: AgentDeps,
): Promise<void> {
  await ask({ op: "write", path: file.path, mode: file.mode }, DoneResult, { ...deps, body: file.content });
}

/** Runs a tool of the guest whose output does not matter; anything but exit 0 throws with the end of its stderr. */
export async function expectSuccess(exec: Exec): Promise<void> {
  exec.stdout.resume();
  const complaint: Buffer[] = [];
  exec.stderr.on("data", (chunk: Buffer) => {
    if (complaint.length < 20) complaint.push(chunk);
  });
  const outcome = await exec.outcome;
  if (outcome.kind === "exited" && outcome.code === 0) return;
  await finished(exec.stderr).catch(() => {});
  const why = Buffer.concat(complaint).toString("utf8").slice(-500);
  throw new SmoothError("SANDBOX_FAILED", `guest command failed (${JSON.stringify(outcome)}): ${why}`);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function gone(): SmoothError {
  return new SmoothError("SANDBOX_FAILED", "the VM is gone");
}

export function ignoreAbort(error: unknown): void {
  if ((error as { name?: string } | undefined)?.name !== "AbortError") throw error;
}

/** Credit goes back when the reader took the bytes, so an unread output stops the process, not the host. */
function output(consumed: (bytes: number) => void): Readable {
  const readable = new Readable({ read: () => take(readable, consumed) });
  readable.on("error", () => {});
  readable.once("close", () => take(readable, consumed));
  return readable;
}

const unread = new WeakMap<Readable, number>();

function take(readable: Readable, consumed: (bytes: number) => void): void {
  const bytes = unread.get(readable) ?? 0;
  unread.delete(readable);
  if (bytes > 0) consumed(bytes);
}

function deliver(readable: Readable, chunk: Buffer, consumed: (bytes: number) => void): void {
  if (readable.destroyed || readable.push(chunk)) consumed(chunk.length);
  else unread.set(readable, (unread.get(readable) ?? 0) + chunk.length);
}

function input(stream: MuxStream): Writable {
  const writable = new Writable({
    write: (chunk: Buffer, _encoding, written) => void stream.send(chunk).then(() => written(), written),
    final(done) {
      stream.end();
      done();
    },
  });
  writable.on("error", () => {}); // A process may end without reading its input.
  return writable;
}
