import type { Clock, Log } from "@smooth/platform/ports";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";
import type { SandboxState } from "@smooth/protocol/gateway";
import type { Vm, VmDriver, VmSpec } from "@smooth/vm/driver";

/** The host's sandboxes: prepared in the background, handed out up to a capacity, never replaced by something weaker.
 *  B1. No usable driver, no operator: SANDBOX_UNAVAILABLE names the fixes (invariant of SANDBOX).
 *  B2. At most `capacity` VMs live at once; whoever comes later waits in line. */

export interface Sandboxes {
  state(): SandboxState;
  /** Waits for the image and for a free place. Disposing the VM frees the place. */
  acquire(spec: VmSpec, signal: AbortSignal): Promise<Vm>;
}

interface SandboxDeps {
  readonly driver: VmDriver;
  readonly capacity: number;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  readonly onChange: () => void;
}

/** Starts preparing at once. */
export function openSandboxes(deps: SandboxDeps): Sandboxes {
  let state: SandboxState = { kind: "preparing", phase: "looking at this machine", percent: 0 };
  const become = (next: SandboxState): void => {
    state = next;
    deps.onChange();
  };
  const prepared = prepare(deps, become);
  const line = new Line(deps.capacity);
  return {
    state: () => state,
    async acquire(spec, signal) {
      await orAborted(prepared, signal);
      if (state.kind === "unavailable") {
        const fixes = state.fixes.length > 0 ? `; to fix it: ${state.fixes.join("; ")}` : "";
        throw new SmoothError("SANDBOX_UNAVAILABLE", `${state.reasons.join("; ")}${fixes}`); // B1
      }
      await line.enter(signal); // B2
      try {
        const vm = await deps.driver.create(spec);
        void vm.stopped.then(() => line.leave());
        return vm;
      } catch (error) {
        line.leave();
        throw error;
      }
    },
  };
}

/** Never rejects: what went wrong is the state. */
async function prepare({ driver, log }: SandboxDeps, become: (state: SandboxState) => void): Promise<void> {
  try {
    await driver.reap();
    const probe = await driver.probe();
    if (probe.kind === "unusable")
      return become({ kind: "unavailable", reasons: [...probe.reasons], fixes: [...probe.fixes] });
    let percent = -1;
    await driver.prepare((progress) => {
      if (Math.floor(progress.percent) === percent) return;
      percent = Math.floor(progress.percent);
      become({ kind: "preparing", phase: progress.message, percent: progress.percent });
    });
    become({ kind: "ready", driver: driver.name, level: probe.level });
  } catch (error) {
    const { code, message } = toSmoothError(error);
    log.error("sandbox.prepare-failed", { code, message, cause: String(error) });
    become({ kind: "unavailable", reasons: [`preparing the VM image failed: ${message}`], fixes: ["th doctor"] });
  }
}

class Line {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(places: number) {
    this.#free = places;
  }

  async enter(signal: AbortSignal): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    let enter = (): void => undefined;
    const turn = new Promise<void>((resolve) => (enter = resolve));
    this.#waiting.push(enter);
    try {
      await orAborted(turn, signal);
    } catch (error) {
      const at = this.#waiting.indexOf(enter);
      if (at >= 0) this.#waiting.splice(at, 1);
      else this.leave();
      throw error;
    }
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free += 1;
  }
}

export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
