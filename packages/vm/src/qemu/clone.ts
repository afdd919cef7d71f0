import type { AgentVm } from "../agent-vm.ts";
import { settle, wake } from "../channel/agent-client.ts";
import type { VmSnapshot } from "../driver.ts";
import { run } from "../run.ts";

/** What the agent of a machine does around a snapshot.
 *  K1. A clone is not used before `wakeAs` succeeded: randomness, time and name are then its own. */

export const wakeAs = (hostname: string, vm: AgentVm): Promise<void> => wake(hostname, vm.line);

/** Quiet while it is saved, its own machine again afterwards. */
export async function saveQuietly(vm: AgentVm, hostname: string, save: () => Promise<VmSnapshot>): Promise<VmSnapshot> {
  await settle(vm.line);
  try {
    return await save();
  } finally {
    await wakeAs(hostname, vm);
  }
}

/** Everything once, so that a clone finds the agent's code compiled and its pages in memory; then quiet for the snapshot. */
export async function rehearse(vm: AgentVm, hostname: string): Promise<void> {
  await wakeAs(hostname, vm);
  await vm.writeFile("/run/th/rehearsal", Buffer.from("rehearsal"));
  await vm.readFile("/run/th/rehearsal");
  await vm.stats();
  for (let round = 0; round < 5; round += 1) await run(vm, { argv: ["cat"], stdin: "rehearsal" });
  await run(vm, { argv: ["curl", "-sS", "http://rehearsal.test/"] });
  await settle(vm.line);
}
