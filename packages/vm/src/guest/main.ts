import { writeFileSync, writeSync } from "node:fs";
import { Mux, type MuxStream, type StreamEvents } from "../channel/mux.ts";
import type { AgentRequest, AgentResult, Hello } from "../channel/messages.ts";
import { exec } from "./exec.ts";
import { answerWith, readInto, writeFrom } from "./files.ts";
import { openPort } from "./port.ts";
import { relay } from "./relay.ts";
import { prepareWaker, stats } from "./wake.ts";

/** The guest agent: child of PID 1, the only program of ours in the VM, bundled to one file.
 *  It trusts the host and nobody trusts it. When it ends, PID 1 powers the machine off. */

const base = {
  after: (ms: number, wake: () => void) => void setTimeout(wake, ms),
  nowMs: () => performance.now(),
  onFault: die,
};
process.on("uncaughtException", (error) => die(error.stack ?? error.message));

writeFileSync("/proc/self/oom_score_adj", "-1000");
const goalie = new Mux({ ...base, port: openPort("th.goalie"), firstId: 2 });
const agent = new Mux({ ...base, port: openPort("th.agent"), firstId: 2, onOpen });
const egress = relay(goalie);
const waker = prepareWaker();
await egress.listening();
const hello: Hello = { version: 1, node: process.version, uptimeMs: Math.round(process.uptime() * 1000) };
agent.hello(Buffer.from(JSON.stringify(hello)));

/** Not `exit`, which would wait for the threads that read the ports. */
function die(reason: string): void {
  writeSync(2, `guest agent: ${reason}\n`);
  process.kill(process.pid, "SIGKILL");
}

function onOpen(stream: MuxStream, payload: Buffer): StreamEvents {
  const request = JSON.parse(payload.toString("utf8")) as AgentRequest;
  if (request.op === "exec") return exec(request, stream);
  if (request.op === "read") return readInto(request, stream);
  if (request.op === "write") return writeFrom(request, stream);
  void answerWith(answer(request), stream);
  return { closed: () => {} };
}

async function answer(request: Exclude<AgentRequest, { op: "exec" | "read" | "write" }>): Promise<AgentResult> {
  switch (request.op) {
    case "stats":
      return stats();
    case "settle":
      egress.settle();
      agent.expectNewPeer();
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
