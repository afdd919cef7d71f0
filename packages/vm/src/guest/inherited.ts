import { Socket } from "node:net";
import { PROXY } from "../driver.ts";
import { die, serveAgent } from "./agent.ts";
import { guestStats } from "./stats.ts";

/** The guest agent on the host's own kernel, its lines two inherited sockets. Arguments: the relay's port, the memory in MB.
 *  H1. When the host's end closes, for whatever reason, everything that still runs is killed and the agent ends. */

const [relayPort = 3128, memoryMb = 0] = process.argv.slice(2).map(Number);
const [agent, goalie] = [3, 4].map((fd) => new Socket({ fd, readable: true, writable: true }));
if (!agent || !goalie) throw new TypeError("two descriptors give two sockets");
// The mux listens to `close` first and resets every exec, which kills its process group.
const ended = new Promise<void>((resolve) => agent.once("close", resolve));
await serveAgent({ agent, goalie, relayPort }, ({ egress }) => ({
  // Where the port was not ours to choose, the commands are told the one that is.
  env: (env) =>
    Object.fromEntries(
      Object.entries(env).map(([name, value]) => [name, value === PROXY ? `http://127.0.0.1:${egress.port()}` : value]),
    ),
  async answer(request) {
    if (request.op === "stats") return guestStats(memoryMb * 1024 * 1024);
    if (request.op === "power-off") agent.destroy();
    return { kind: "failed", code: "ENOTSUP", message: `${request.op}: there is no machine here` };
  },
}));
await ended;
setImmediate(() => die("the host's end is closed")); // H1
