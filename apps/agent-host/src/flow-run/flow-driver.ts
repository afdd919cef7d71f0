import type { Vm, VmDriver, VmSpec } from "@smooth/vm/driver";
import type { Sandboxes } from "../pearl-run/sandboxes.ts";

/** The host's VMs as a driver for <Sandbox> elements: they stand in the same line as operators do, for a VM prepared by the host. */
export function flowDriver(
  start: (spec: VmSpec, signal: AbortSignal) => Promise<Vm>,
  sandboxes: Pick<Sandboxes, "state">,
): VmDriver {
  return {
    name: "host",
    async probe() {
      const state = sandboxes.state();
      if (state.kind === "unavailable") return { kind: "unusable", reasons: state.reasons, fixes: state.fixes };
      // A host has VMs or nothing; while it prepares, the least of them is promised.
      const level = state.kind === "ready" ? state.level : "emulated-vm";
      return { kind: "usable", level, accel: "host", reasons: [], lacks: [] };
    },
    prepare: async () => {}, // the host does
    reap: async () => 0, // the host has
    create: (spec) => start(spec, new AbortController().signal),
  };
}
