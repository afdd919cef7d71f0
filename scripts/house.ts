/** The whole house on one machine: Postgres, dashboard, rendezvous, host. `npm start` and the browser stories use it alike.
 *  W1. Everything listens on loopback only.
 *  W2. Disposing stops every process it started; nothing is left running.
 *  W3. A second start reuses the database, the keys, the build and the enrolment. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newDashboardKey, publicPartOf } from "@smooth/api/keys";
import { createPairingCode } from "@smooth/api/pairing";
import { ensureFirstOwner, mintSignInToken } from "@smooth/api/sign-in";
import { type Db, openDb } from "@smooth/db/client";
import { migrateUp } from "@smooth/db/migrate";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Log } from "@smooth/platform/ports";
import { type Rendezvous, startRendezvous } from "../apps/rendezvous/src/local.node.ts";
import { Children } from "./children.ts";
import { choosePort } from "./ports.ts";
import { startPostgres } from "./postgres.ts";

const root = join(import.meta.dirname, "..");
const node = process.execPath;

export interface HouseOptions {
  /** Databases, keys, logs of the dashboard and the rendezvous. */
  readonly dataDir: string;
  /** SMOOTH_HOME of the host. */
  readonly hostHome: string;
  readonly imagesDir?: string;
  readonly ports: { readonly web: number; readonly rendezvous: number; readonly host: number };
  readonly ownerEmail: string;
  readonly hostEnv?: Readonly<Record<string, string>>;
  readonly say: (line: string) => void;
}

export interface House extends AsyncDisposable {
  readonly webUrl: string;
  readonly hostUrl: string;
  readonly rendezvous: Rendezvous;
  readonly db: Db;
  /** Signs the owner in, once. */
  signInUrl(): Promise<string>;
  /** Kills the host without a word and starts it again: what a power cut does. */
  crashHost(): Promise<void>;
}

interface Secrets {
  readonly authSecret: string;
  readonly dashboardKey: Awaited<ReturnType<typeof newDashboardKey>>;
}

export async function startHouse(options: HouseOptions): Promise<House> {
  const { dataDir, hostHome, ownerEmail, say } = options;
  await using parts = new AsyncDisposableStack();
  mkdirSync(join(dataDir, "logs"), { recursive: true });
  build(say);
  const secrets = await readSecrets(join(dataDir, "secrets.json"));
  const databaseUrl = process.env["DATABASE_URL"] ?? parts.use(await startPostgres(join(dataDir, "postgres"))).url;
  await migrateUp(databaseUrl);
  const db = await openDb(databaseUrl);
  parts.defer(() => db.$disconnect());
  say("database ready");

  const ports = { web: await choosePort(options.ports.web), host: await choosePort(options.ports.host) };
  const webUrl = `http://localhost:${ports.web}`;
  const rendezvous = parts.use(await openRendezvous(options, secrets));
  const children = new Children();
  parts.defer(() => children.stopAll());
  const child = { cwd: root, logs: join(dataDir, "logs") };

  await children.start({
    name: "web",
    command: node,
    args: [join(root, "node_modules/next/dist/bin/next"), "start", "-H", "127.0.0.1", "-p", String(ports.web)],
    cwd: join(root, "apps/web"),
    env: { ...process.env, ...webEnv({ databaseUrl, secrets, webUrl, rendezvous, dataDir }) },
    logFile: join(child.logs, "web.log"),
  });
  await answering(`${webUrl.replace("localhost", "127.0.0.1")}/healthz`);
  say("dashboard ready");

  const deps = { db, clock: systemClock, ids: systemIds };
  const owner = await ensureFirstOwner(deps, { email: ownerEmail, orgName: "Home" });
  const startHost = async () => {
    const { code } = await createPairingCode(deps, { orgId: owner.orgId, by: "npm start" });
    return children.start({
      name: "host",
      command: node,
      args: [join(root, "apps/agent-host/src/bin/th.ts"), "up"],
      cwd: root,
      env: {
        ...process.env,
        SMOOTH_HOME: hostHome,
        SMOOTH_PORT: String(ports.host),
        SMOOTH_DASHBOARD_URL: webUrl,
        SMOOTH_PAIRING_CODE: code,
        SMOOTH_TUNNEL: "1",
        ...(options.imagesDir ? { SMOOTH_IMAGES: options.imagesDir } : {}),
        ...options.hostEnv,
      },
      logFile: join(child.logs, "host.log"),
    });
  };
  let host = await startHost();
  const hostUrl = `http://127.0.0.1:${ports.host}`;
  await answering(`${hostUrl}/healthz`);
  say("host ready");

  const open = parts.move();
  return {
    webUrl,
    hostUrl,
    rendezvous,
    db,
    signInUrl: async () =>
      `${webUrl}/sign-in?token=${await mintSignInToken(deps, { email: owner.email, ttlMs: 3_600_000 })}`,
    async crashHost() {
      host.kill("SIGKILL");
      await new Promise((resolve) => host.once("exit", resolve));
      host = await startHost();
      await answering(`${hostUrl}/healthz`);
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

function build(say: HouseOptions["say"]): void {
  say("building (a few seconds when something changed)");
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", NEXT_TELEMETRY_DISABLED: "1" };
  const { status } = spawnSync(join(root, "node_modules/.bin/turbo"), ["run", "build", "--output-logs=errors-only"], {
    cwd: root,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("the build failed; run `npx turbo run build` to see why");
}

const silent: Log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };

async function openRendezvous({ dataDir, ports }: HouseOptions, { dashboardKey }: Secrets): Promise<Rendezvous> {
  return startRendezvous({
    port: await choosePort(ports.rendezvous),
    dataDir: join(dataDir, "rendezvous"),
    baseDomain: "th.localhost",
    ticketJwk: publicPartOf(dashboardKey),
    log: silent,
  });
}

interface WebParts {
  readonly databaseUrl: string;
  readonly secrets: Secrets;
  readonly webUrl: string;
  readonly rendezvous: Rendezvous;
  readonly dataDir: string;
}

function webEnv({ databaseUrl, secrets, webUrl, rendezvous, dataDir }: WebParts): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    AUTH_SECRET: secrets.authSecret,
    AUTH_URL: webUrl,
    DASHBOARD_KEY: JSON.stringify(secrets.dashboardKey),
    RENDEZVOUS_DOMAIN: "th.localhost",
    RENDEZVOUS_CONNECT_URL: rendezvous.connectUrl,
    RENDEZVOUS_PUBLIC_URL: rendezvous.url("{slug}"),
    DATA_DIR: dataDir,
    NEXT_TELEMETRY_DISABLED: "1",
  };
}

async function readSecrets(file: string): Promise<Secrets> {
  if (!existsSync(file)) {
    const fresh: Secrets = { authSecret: randomBytes(32).toString("base64url"), dashboardKey: await newDashboardKey() };
    writeFileSync(`${file}.new`, JSON.stringify(fresh), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
  return JSON.parse(readFileSync(file, "utf8")) as Secrets;
}

const READY_MS = 60_000;

async function answering(url: string): Promise<void> {
  const untilMs = systemClock.now() + READY_MS;
  while (systemClock.now() < untilMs) {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await systemClock.sleep(100);
  }
  throw new Error(`${url} did not answer within ${READY_MS / 1_000} s; see the logs folder`);
}
