import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { mkdir } from "node:fs/promises";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { SmoothError } from "@smooth/protocol/errors";
import { CONNECT_PATH, type HostPublicJwk } from "@smooth/protocol/thp";
import type { Log } from "@smooth/platform/ports";
import { buildWorker, CONFIG_PATH } from "./bundle.node.ts";

export interface RendezvousOptions {
  /** 0 takes a free port. */
  readonly port: number;
  readonly dataDir: string;
  /** `th.localhost` */
  readonly baseDomain: string;
  /** The public key tickets are signed with. */
  readonly ticketJwk: HostPublicJwk;
  readonly log: Log;
}

export interface Rendezvous extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** Where hosts dial. */
  readonly connectUrl: string;
  /** What viewers open. */
  url(slug: string): string;
  /** Resolves with the exit code when the process is gone, wanted or not. */
  readonly exited: Promise<number | null>;
}

/** The `workerd` package resolves to the binary of this platform. */
const { default: workerd } = createRequire(import.meta.url)("workerd") as { default: string };

/** The whole rendezvous on this machine: standalone workerd with the bundle that is deployed, on loopback only. */
export async function startRendezvous(options: RendezvousOptions): Promise<Rendezvous> {
  const { port, dataDir, baseDomain, ticketJwk, log } = options;
  await Promise.all([buildWorker(), mkdir(dataDir, { recursive: true })]);
  const flags = ["--control-fd=3", `--socket-addr=http=127.0.0.1:${port}`, `--directory-path=disk=${dataDir}`];
  const child = spawn(workerd, ["serve", CONFIG_PATH, ...flags], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
    env: { TICKET_JWK: JSON.stringify(ticketJwk), BASE_DOMAIN: baseDomain },
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  for (const output of [child.stdout, child.stderr]) {
    if (output) createInterface(output).on("line", (text) => log.debug("rendezvous.output", { text }));
  }
  const bound = await Promise.race([
    listening(child),
    exited.then(() => undefined),
    once(child, "error").then(() => undefined),
  ]);
  if (bound === undefined) {
    throw new SmoothError("CONFIG_INVALID", `the rendezvous did not start on port ${port}; is the port taken?`);
  }
  log.info("rendezvous.listening", { port: bound, baseDomain });
  return {
    port: bound,
    pid: child.pid ?? 0,
    connectUrl: `ws://connect.${baseDomain}:${bound}${CONNECT_PATH}`,
    url: (slug) => `http://${slug}.${baseDomain}:${bound}`,
    exited,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL"); // a gentle signal drains for long and keeps the port meanwhile; storage is crash-safe
      await exited;
    },
  };
}

/** workerd announces its sockets on the control descriptor. */
async function listening(child: ChildProcess): Promise<number | undefined> {
  for await (const text of createInterface(child.stdio[3] as Readable)) {
    const event = JSON.parse(text) as { event?: string; socket?: string; port?: number };
    if (event.event === "listen" && event.socket === "http") return event.port;
  }
  return undefined;
}
