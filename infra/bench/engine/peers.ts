/** The engines we compare with: installed into a folder of their own, never into the product.
 *  A peer that cannot be installed or started is skipped with its reason. */
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { startPostgres } from "../../../scripts/postgres.ts";
import type { Peer } from "./bars.ts";

interface Package {
  readonly dependencies: Readonly<Record<string, string>>;
  /** Versions that exist where its own ranges name ones that do not. */
  readonly overrides?: Readonly<Record<string, string>>;
}

const PACKAGES: Readonly<Record<Peer, Package>> = {
  openworkflow: { dependencies: { openworkflow: "0.10.1" } },
  dbos: { dependencies: { "@dbos-inc/dbos-sdk": "5.3.0" } },
  restate: { dependencies: { "@restatedev/restate-server": "1.7.12", "@restatedev/restate-sdk": "1.17.2" } },
  smithers: {
    dependencies: { "smithers-orchestrator": "0.32.0", "@oven/bun-linux-x64": "1.4.5", zod: "4.4.3" },
    overrides: {
      "@tanstack/electric-db-collection": "0.3.15",
      "@vectorize-io/hindsight-client": "0.9.1",
      "@effect/platform-node-shared": "4.0.0-beta.102",
    },
  },
};

export interface ReadyPeer extends AsyncDisposable {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Throws with the reason when the peer cannot be had here. */
export async function readyPeer(peer: Peer, root: string): Promise<ReadyPeer> {
  const folder = join(root, peer);
  install(folder, PACKAGES[peer]);
  copyFileSync(join(import.meta.dirname, "measure.ts"), join(folder, "measure.ts"));
  copyFileSync(join(import.meta.dirname, "peers", `${peer}.mjs`), join(folder, `${peer}.mjs`));
  const script = join(folder, `${peer}.mjs`);
  const alone = { env: {}, [Symbol.asyncDispose]: async () => {} };
  switch (peer) {
    case "openworkflow":
      return { command: process.execPath, args: [script], ...alone };
    case "smithers": {
      const bun = join(folder, "node_modules/@oven/bun-linux-x64/bin/bun");
      return { command: bun, args: [script], ...alone };
    }
    case "dbos":
      return { command: process.execPath, args: [script], ...(await dbosServer(root)) };
    case "restate":
      return { command: process.execPath, args: [script], ...(await restateServer(folder)) };
  }
}

function install(folder: string, wanted: Package): void {
  mkdirSync(folder, { recursive: true });
  if (existsSync(join(folder, "node_modules/.installed"))) return;
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", ...wanted }));
  const flags = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
  const { status, stderr } = spawnSync("npm", flags, { cwd: folder, encoding: "utf8" });
  if (status !== 0) throw new Error(`npm install: ${stderr.trim().slice(0, 300)}`);
  writeFileSync(join(folder, "node_modules/.installed"), "");
}

async function dbosServer(root: string) {
  const postgres = await startPostgres(join(root, "dbos-data"));
  const pid = readFileSync(join(root, "dbos-data/postmaster.pid"), "utf8").split("\n", 1)[0] ?? "";
  return {
    env: { DATABASE_URL: postgres.url, SERVER_PID: pid },
    [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose](),
  };
}

async function restateServer(folder: string) {
  const [ingress, admin, node] = await Promise.all([freePort(), freePort(), freePort()]);
  const packages = join(folder, "node_modules/@restatedev");
  const name = readdirSync(packages).find((entry) => entry.startsWith("restate-server-"));
  if (!name) throw new Error("restate has no server for this machine");
  const data = join(folder, `data-${process.pid}`);
  const server = spawn(
    join(packages, name, "bin/restate-server"),
    ["--no-logo", "--listen-mode", "tcp", "--bind-ip", "127.0.0.1", "--bind-port", String(node), "--base-dir", data],
    {
      cwd: folder,
      stdio: "ignore",
      env: {
        ...process.env,
        RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
        RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
        RESTATE_LOG_FILTER: "error",
      },
    },
  );
  const urls = { INGRESS: `http://127.0.0.1:${ingress}`, ADMIN: `http://127.0.0.1:${admin}` };
  await answers(`${urls.ADMIN}/health`);
  await answers(`${urls.INGRESS}/restate/health`);
  return {
    env: { ...urls, SERVER_PID: String(server.pid) },
    [Symbol.asyncDispose]: async () => void server.kill(),
  };
}

async function answers(url: string): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const answer = await fetch(url).catch(() => null);
    if (answer?.ok) return;
    await sleep(200);
  }
  throw new Error(`${url} does not answer`);
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
