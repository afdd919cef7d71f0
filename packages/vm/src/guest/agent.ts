import { writeSync } from "node:fs";
import type { Duplex } from "node:stream";
import { Mux, type MuxStream, type StreamEvents } from "../channel/mux.ts";
import type { AgentRequest, AgentResult, Hello } from "../channel/messages.ts";
import { exec } from "./exec.ts";
import { answerWith, readInto, writeFrom } from "./files.ts";
import { relay, type Relay } from "./relay.ts";

/** The guest agent, the same in a machine, a namespace and a process. It trusts the host and nobody trusts it. */

export interface AgentLines {
  readonly agent: Duplex;
  readonly goalie: Duplex;
  /** 0 for any that is free. */
  readonly relayPort: number;
}

/** What a guest does its own way. */
export interface GuestWays {
  answer(request: Exclude<AgentRequest, { op: "exec" | "read" | "write" }>): Promise<AgentResult>;
  env(env: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
}

export interface ServedAgent {
  readonly mux: Mux;
  readonly egress: Relay;
}

/** Says hello when everything listens. */
export async function serveAgent(lines: AgentLines, waysOf: (served: ServedAgent) => GuestWays): Promise<void> {
  const base = {
    after: (ms: number, wake: () => void) => void setTimeout(wake, ms),
    nowMs: () => performance.now(),
    onFault: die,
  };
  process.on("uncaughtException", (error) => die(error.stack ?? error.message));
  const goalie = new Mux({ ...base, port: lines.goalie, peer: "host" });
  const egress = relay(goalie, lines.relayPort);
  const onOpen = (stream: MuxStream, payload: Buffer): StreamEvents => {
    const request = JSON.parse(payload.toString("utf8")) as AgentRequest;
    if (request.op === "exec") return exec({ ...request, env: ways.env(request.env) }, stream);
    if (request.op === "read") return readInto(request, stream);
    if (request.op === "write") return writeFrom(request, stream);
    void answerWith(ways.answer(request), stream);
    return { closed: () => {} };
  };
  const mux = new Mux({ ...base, port: lines.agent, peer: "host", onOpen });
  const ways = waysOf({ mux, egress });
  await egress.listening();
  const hello: Hello = { version: 1, node: process.version, uptimeMs: Math.round(process.uptime() * 1000) };
  mux.hello(Buffer.from(JSON.stringify(hello)));
}

/** Not `exit`, which would wait for the threads that read the ports. */
export function die(reason: string): void {
  writeSync(2, `guest agent: ${reason}\n`);
  process.kill(process.pid, "SIGKILL");
}
