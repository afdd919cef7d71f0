import { writeFileSync } from "node:fs";
import type { AgentRequest, AgentResult } from "../channel/messages.ts";
import { type ServedAgent, serveAgent } from "./agent.ts";
import { openPort } from "./port.ts";
import { machineStats } from "./stats.ts";
import { prepareWaker } from "./wake.ts";

/** The guest agent of a machine: child of PID 1, the only program of ours in the VM, bundled to one file.
 *  When it ends, PID 1 powers the machine off. */

writeFileSync("/proc/self/oom_score_adj", "-1000");
const waker = prepareWaker();
const lines = { goalie: openPort("th.goalie"), agent: openPort("th.agent"), relayPort: 3128 };
await serveAgent(lines, (served) => ({ env: (env) => env, answer: (request) => answer(request, served) }));

async function answer(
  request: Exclude<AgentRequest, { op: "exec" | "read" | "write" }>,
  { mux, egress }: ServedAgent,
): Promise<AgentResult> {
  switch (request.op) {
    case "stats":
      return machineStats();
    case "settle":
      egress.settle();
      mux.expectNewPeer();
      waker.arm();
      writeFileSync("/proc/sys/vm/drop_caches", "3");
      writeFileSync("/proc/sys/vm/compact_memory", "1");
      return { kind: "done" };
    case "wake":
      egress.wake();
      return waker.wake(request);
    case "power-off":
      writeFileSync("/proc/sysrq-trigger", "o");
      return { kind: "done" };
  }
}
