/** Runs the program in a sandbox to its end and reads what it says of it.
 *  X1. Whatever it prints is proof of life; lines of ours are events, all else is shown as its words.
 *  X2. A share of a CPU is kept by stopping the program for the rest of every tenth of a second. */
import { StringDecoder } from "node:string_decoder";
import type { Readable } from "node:stream";
import type { SandboxCall } from "@smooth/engine/sandboxes";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { Exec, ExecOutcome, Vm } from "@smooth/vm/driver";
import { MAX_MANIFEST_BYTES, parseManifest, type Manifest } from "./manifest.ts";
import { MARK, placesIn, Said } from "./request.ts";

const MAX_LINE = 64 * 1024;

/** Throws SANDBOX_EXECUTION_FAILED, SANDBOX_BUNDLE_INVALID, SANDBOX_BUNDLE_TOO_LARGE, TASK_TIMEOUT. */
export async function execute(vm: Vm, call: SandboxCall, clock: Clock): Promise<Manifest> {
  const { spec, nodeId, timeoutMs, idempotencyKey, attempt } = call;
  const places = placesIn(vm.workspace);
  const exec = vm.exec({
    argv: spec.command ?? ["node", "--no-warnings", places.program],
    cwd: vm.workspace,
    env: {
      ...spec.env,
      SMOOTH_BUNDLE: places.manifest,
      SMOOTH_REQUEST: places.request,
      SMOOTH_PROGRAM: places.program,
      SMOOTH_IDEMPOTENCY_KEY: idempotencyKey,
      SMOOTH_ATTEMPT: String(attempt),
    },
    ...(timeoutMs === null ? {} : { timeoutMs }),
  });
  exec.stdin.end();
  const over = new AbortController();
  if (spec.cpus !== null && spec.cpus % 1 !== 0) void throttle(exec, spec.cpus / Math.ceil(spec.cpus), { clock, over });
  const tail = { text: "" };
  const read = [
    lines(exec.stdout, (line) => hear(line, call)),
    lines(exec.stderr, (line) => {
      tail.text = `${tail.text}${line}\n`.slice(-2_000);
      call.beat({ says: "something" });
      call.say("stderr", `${line}\n`);
    }),
  ];
  const outcome = await exec.outcome;
  over.abort();
  await Promise.all(read);
  const manifest = await manifestOf(vm, nodeId);
  if (manifest !== null && (spec.command === null || ended(outcome))) return parseManifest(nodeId, manifest);
  throw new SmoothError(
    "SANDBOX_EXECUTION_FAILED",
    `sandbox ${nodeId} ${saidOf(outcome)}, and left no manifest${tailOf(tail.text)}`,
  );
}

/** X1 */
function hear(line: string, { beat, say }: SandboxCall): void {
  const said = line.startsWith(MARK) ? Said.safeParse(orNull(line.slice(MARK.length))) : undefined;
  if (!said?.success) {
    beat({ says: "something" });
    return say("stdout", `${line}\n`);
  }
  if (said.data.kind === "alive") return beat({ alive: true });
  const { type, nodeId } = said.data;
  beat({ event: type, nodeId: nodeId ?? null });
  if (nodeId !== undefined && WORTH_SAYING.has(type)) say("stdout", `${type} ${nodeId}\n`);
}

const WORTH_SAYING = new Set(["node.started", "node.finished", "node.failed", "node.skipped"]);

function orNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A line without end is cut: it is a stranger's. */
async function lines(source: Readable, onLine: (line: string) => void): Promise<void> {
  const decoder = new StringDecoder("utf8");
  let held = "";
  for await (const chunk of source as AsyncIterable<Buffer>) {
    held += decoder.write(chunk);
    const parts = held.split("\n");
    held = parts.pop() ?? "";
    for (const line of parts) onLine(line.slice(0, MAX_LINE));
    if (held.length > MAX_LINE) {
      onLine(held.slice(0, MAX_LINE));
      held = "";
    }
  }
  if (held !== "") onLine(held);
}

/** X2 */
async function throttle(
  exec: Exec,
  share: number,
  { clock, over }: { clock: Clock; over: AbortController },
): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(100 * share, over.signal);
      exec.signal("SIGSTOP");
      await clock.sleep(100 * (1 - share), over.signal);
      exec.signal("SIGCONT");
    }
  } catch {
    // it is over
  }
}

/** Null: there is none. */
async function manifestOf(vm: Vm, id: string): Promise<string | null> {
  try {
    return (await vm.readFile(placesIn(vm.workspace).manifest, MAX_MANIFEST_BYTES)).toString("utf8");
  } catch (error) {
    if (!(error instanceof SmoothError)) throw error;
    if (error.details["code"] === "EFBIG")
      throw new SmoothError(
        "SANDBOX_BUNDLE_TOO_LARGE",
        `the manifest of sandbox ${id} is over ${MAX_MANIFEST_BYTES} bytes`,
        {
          details: { failureRetryable: false },
        },
      );
    return null;
  }
}

const ended = (outcome: ExecOutcome): boolean => outcome.kind === "exited" && outcome.code === 0;

function saidOf(outcome: ExecOutcome): string {
  switch (outcome.kind) {
    case "exited":
      return `ended with exit code ${outcome.code}`;
    case "signaled":
      return `was ended by ${outcome.signal}`;
    case "timed-out":
      return "ran longer than its timeoutMs";
    case "not-started":
      return `could not start: ${outcome.reason}`;
    case "vm-gone":
      return "died under its program";
  }
}

const tailOf = (text: string): string => (text === "" ? "" : `; it last said:\n${text.trim()}`);
