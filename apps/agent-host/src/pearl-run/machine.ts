import { readFile } from "node:fs/promises";
import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunEventBody } from "@smooth/protocol/run-events";
import { type Exec, type Vm, type VmSpec, WORKSPACE } from "@smooth/vm/driver";
import type { Sandboxes } from "./sandboxes.ts";
import type { Workspace } from "./workspace.ts";

/** The VM of one run, from the step that first needs it to the one that no longer does.
 *  M1. It exists only while a step needs it; one that died is forgotten, and the next step gets a new one.
 *  M2. A new one holds the operator program and the workspace of the latest checkpoint before any step sees it. */

/** Where the operator program lies in the guest. */
export const OPERATOR = "/run/smooth/operator.mjs";
const VERIFY_MS = 15 * 60_000;
export const OUTPUT_CHARS = 20_000;

interface MachineDeps {
  readonly sandboxes: Sandboxes;
  readonly workspace: Workspace;
  readonly clock: Pick<Clock, "now">;
  /** The operator program, one file. */
  readonly operatorFile: string;
  readonly onEgress: NonNullable<VmSpec["onEgress"]>;
  readonly emit: (...bodies: RunEventBody[]) => void;
}

export class Machine {
  readonly #deps: MachineDeps;
  #vm: Vm | null = null;

  constructor(deps: MachineDeps) {
    this.#deps = deps;
  }

  async get(signal: AbortSignal): Promise<Vm> {
    if (this.#vm) return this.#vm;
    const { sandboxes, clock, emit, onEgress, operatorFile, workspace } = this.#deps;
    const fromMs = clock.now();
    const vm = await sandboxes.acquire({ onEgress }, signal);
    this.#vm = vm;
    void vm.stopped.then((why) => {
      if (this.#vm === vm) this.#vm = null; // M1
      emit({ type: "vm.stopped", reason: why.kind });
    });
    const { driver, level, restored } = vm;
    emit({ type: "vm.started", driver, level, restored, tookMs: clock.now() - fromMs });
    await vm.writeFile(OPERATOR, await readFile(operatorFile), 0o644); // M2
    await workspace.putInto(vm);
    return vm;
  }

  async letGo(): Promise<void> {
    const vm = this.#vm;
    this.#vm = null;
    await vm?.kill();
  }
}

/** One shell command to its end, with both streams as they came. */
export async function runShell(
  vm: Vm,
  command: string,
  signal: AbortSignal,
): Promise<{ exitCode: number | null; output: string }> {
  const exec = vm.exec({ argv: ["bash", "-lc", command], cwd: WORKSPACE, timeoutMs: VERIFY_MS });
  const stop = (): void => exec.signal("SIGKILL");
  signal.addEventListener("abort", stop, { once: true });
  const output = tail(exec);
  const outcome = await exec.outcome;
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
  if (outcome.kind === "vm-gone") throw new SmoothError("SANDBOX_FAILED", "the VM died during the verify command");
  return { exitCode: outcome.kind === "exited" ? outcome.code : null, output: await output };
}

/** Of a flood only the end. */
async function tail({ stdout, stderr }: Exec): Promise<string> {
  let text = "";
  const take = (chunk: Buffer): void => {
    text = (text + chunk.toString("utf8")).slice(-4 * OUTPUT_CHARS);
  };
  const ended = [stdout, stderr].map(
    (stream) => new Promise<void>((resolve) => stream.on("data", take).once("close", resolve)),
  );
  await Promise.all(ended);
  return text;
}
