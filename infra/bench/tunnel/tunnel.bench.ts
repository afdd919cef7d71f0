import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { systemClock, systemRandom } from "@smooth/platform/node/system";
import { createHostKey, publicHalf, thumbprint } from "@smooth/tunnel/host-key";
import { dial } from "@smooth/tunnel/node/dial";
import { mintTicket } from "@smooth/tunnel/ticket";
import { WebSocket, WebSocketServer } from "ws";
import { startRendezvous } from "../../../apps/rendezvous/src/local.node.ts";

/** What the tunnel costs on this machine: small GETs and WebSocket echoes, direct and through, taking turns so that noise
 *  hits both; then throughput one way. `node infra/bench/tunnel/tunnel.bench.ts [--rounds 2000] [--megabytes 256]` */

const { values } = parseArgs({ options: { rounds: { type: "string" }, megabytes: { type: "string" } } });
const rounds = Number(values.rounds ?? 2_000);
const megabytes = Number(values.megabytes ?? 256);
const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

const block = Buffer.alloc(256 * 1024, "x");
const origin = createServer((incoming, answer) => {
  if (incoming.url !== "/big") return void answer.end("a".repeat(1024));
  let left = megabytes * 4;
  const more = (): void => {
    while (left > 0) {
      left -= 1;
      if (!answer.write(block)) return void answer.once("drain", more);
    }
    answer.end();
  };
  more();
});
const echoes = new WebSocketServer({ server: origin, perMessageDeflate: false });
echoes.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
const originPort = (origin.address() as AddressInfo).port;

const dataDir = await mkdtemp(join(tmpdir(), "smooth-bench-"));
const [saasKey, hostKey] = await Promise.all([createHostKey(), createHostKey()]);
const slug = "scratch-bench0001";
const rendezvous = await startRendezvous({
  port: 0,
  dataDir,
  baseDomain: "th.localhost",
  ticketJwk: publicHalf(saasKey),
  log: quiet,
});
const serving = Promise.withResolvers<void>();
const iat = Math.floor(Date.now() / 1000);
const line = dial({
  connectUrl: rendezvous.connectUrl,
  hostKey,
  getTicket: async () => ({
    ticket: await mintTicket(
      {
        iss: "bench",
        aud: "th.localhost",
        sub: "host-00000001",
        org: "bench",
        slug,
        jti: "bench-ticket",
        iat,
        exp: iat + 60,
        cnf: { jkt: await thumbprint(hostKey) },
      },
      saasKey,
    ),
  }),
  origin: { port: originPort },
  clock: systemClock,
  random: systemRandom,
  log: quiet,
  onState: ({ kind }) => kind === "serving" && serving.resolve(),
});
await serving.promise;

interface Way {
  readonly name: string;
  readonly port: number;
  readonly host: string;
  readonly agent: Agent;
}
const ways: Way[] = [
  { name: "direct", port: originPort, host: "localhost", agent: new Agent({ keepAlive: true, maxSockets: 1 }) },
  {
    name: "tunnel",
    port: rendezvous.port,
    host: `${slug}.th.localhost`,
    agent: new Agent({ keepAlive: true, maxSockets: 1 }),
  },
];

function get({ port, host, agent }: Way, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ port, host: "127.0.0.1", path, agent, headers: { host } }, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => (bytes += chunk.length));
      response.on("end", () => resolve(bytes));
    });
    outgoing.on("error", reject).end();
  });
}

async function openEcho({ port, host }: Way): Promise<() => Promise<void>> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, { headers: { host }, perMessageDeflate: false });
  await new Promise((resolve) => socket.once("open", resolve));
  return () =>
    new Promise((resolve) => {
      socket.once("message", () => resolve());
      socket.send("0123456789abcdef");
    });
}

async function measure(title: string, acts: (() => Promise<unknown>)[]): Promise<void> {
  const samples = acts.map((): number[] => []);
  for (let round = -100; round < rounds; round += 1) {
    for (const [index, act] of acts.entries()) {
      const startedMs = performance.now();
      await act();
      if (round >= 0) samples[index]?.push(performance.now() - startedMs);
    }
  }
  const sorted = samples.map((list) => list.toSorted((a, b) => a - b));
  const at = (list: number[], share: number): number => (list[Math.floor(list.length * share)] ?? 0) * 1000;
  const base = at(sorted[0] ?? [], 0.5);
  for (const [index, list] of sorted.entries()) {
    const [p50, p99] = [at(list, 0.5), at(list, 0.99)];
    console.log(
      `${title.padEnd(10)} ${ways[index]?.name.padEnd(8)} p50 ${p50.toFixed(0)} µs  p99 ${p99.toFixed(0)} µs  ×${(p50 / base).toFixed(1)}`,
    );
  }
}

await measure(
  "GET 1 KiB",
  ways.map((way) => () => get(way, "/")),
);
await measure("WS echo", await Promise.all(ways.map(openEcho)));
for (const way of ways) {
  const startedMs = performance.now();
  const bytes = await get(way, "/big");
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(`download   ${way.name.padEnd(8)} ${(bytes / 2 ** 20 / seconds).toFixed(0)} MiB/s`);
}

for (const { agent } of ways) agent.destroy();
for (const client of echoes.clients) client.terminate();
await line[Symbol.asyncDispose]();
await rendezvous[Symbol.asyncDispose]();
origin.closeAllConnections();
origin.close();
await rm(dataDir, { recursive: true, force: true });
process.exit(0);
