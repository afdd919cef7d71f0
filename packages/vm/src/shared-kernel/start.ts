import type { Clock } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import type { IsolationLevel } from "@smooth/protocol/policy";
import { AgentVm } from "../agent-vm.ts";
import { bootDeadline, untilReady } from "../boot.ts";
import type { Guest } from "../channel/agent-client.ts";
import type { Vm, VmSpec } from "../driver.ts";
import { noteOwner, rssBytes } from "../run-folder.ts";
import { type InheritedLaunch, launchInherited } from "./launch.ts";

/** From a command line to an answering guest on the host's kernel, by the deadline or not at all. */

export interface GuestStart {
  readonly id: string;
  readonly driver: string;
  readonly level: IsolationLevel;
  readonly spec: VmSpec;
  readonly guest: Guest;
  readonly launch: InheritedLaunch;
  readonly bootMs: number;
  /** The run folder, which says who owns the guest. */
  readonly folder: string;
  readonly clock: Clock;
  readonly cleanUp: () => Promise<void>;
}

export async function startGuest({ spec, folder, clock, launch, ...start }: GuestStart): Promise<Vm> {
  const deadline = bootDeadline(spec.limits?.bootMs ?? start.bootMs, clock);
  const process = launchInherited(launch);
  const { pid } = process;
  try {
    const vm = new AgentVm({
      ...start,
      process,
      clock,
      restored: false,
      limits: spec.limits ?? {},
      onEgress: spec.onEgress,
      hostRssBytes: async () => (pid === null ? 0 : rssBytes(pid)),
      save: () => Promise.reject(refuseSnapshot(start.driver)),
    });
    await noteOwner(folder, pid);
    await untilReady(vm, vm.hello, deadline);
    vm.enforceLimits();
    return vm;
  } catch (error) {
    await process.kill();
    throw error;
  } finally {
    deadline.lift();
  }
}

export function refuseSnapshot(driver: string): SmoothError {
  return new SmoothError(
    "SANDBOX_UNAVAILABLE",
    `${driver} makes no snapshots: use a driver that runs virtual machines`,
  );
}
