import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { AgentVm } from "./agent-vm.ts";

/** A start that is over by its deadline, one way or the other. */

export interface BootDeadline {
  /** Aborted with TIMED_OUT when the time is over. */
  readonly signal: AbortSignal;
  /** The start is over; the deadline no longer counts. */
  lift(): void;
}

export function bootDeadline(bootMs: number, clock: Clock): BootDeadline {
  const deadline = new AbortController();
  const timer = new AbortController();
  clock.sleep(bootMs, timer.signal).then(
    () => deadline.abort(new SmoothError("TIMED_OUT", `the VM did not answer within ${bootMs} ms`)),
    () => {},
  );
  return { signal: deadline.signal, lift: () => timer.abort() };
}

/** Resolves with `up`; rejects when the VM ends first or the deadline passes. */
export async function untilReady(vm: AgentVm, up: Promise<void>, { signal }: BootDeadline): Promise<void> {
  const late = new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  const gone = vm.stopped.then((stop) => {
    throw new SmoothError("SANDBOX_FAILED", `the VM ended while it started: ${JSON.stringify(stop).slice(0, 600)}`);
  });
  await Promise.race([up, late, gone]).finally(() =>
    [late, gone, up].forEach((promise) => void promise.catch(() => {})),
  );
}
