/** The whole house on one machine: Postgres, dashboard, rendezvous, host. `npm start` and the browser stories use it alike.
 *  W1. Everything listens on loopback only.
 *  W2. Disposing stops every process it started, and so does the end of this process, whatever the reason; nothing is left.
 *  W3. A second start reuses the database, the keys, the build and the enrolment. */
import { type ChildProcess, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { newDashboardKey, publicPartOf } from "@smooth/api/keys";
import { createPairingCode } from "@smooth/api/pairing";
import { ensureFirstOwner, mintSignInToken } from "@smooth/api/sign-in";
import { readHostFile } from "@smooth/cli/host-file";
import { type Db, openDb } from "@smooth/db/client";
import { migrateUp } from "@smooth/db/migrate";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Log } from "@smooth/platform/ports";
import { SmoothError } from "@smooth/protocol/errors";
import { START_FLAGS } from "../apps/agent-host/src/bin/flags.mjs";
import { type Rendezvous, startRendezvous } from "../apps/rendezvous/src/local.node.ts";
import { Children } from "./children.ts";
import { choosePort } from "./ports.ts";
import { startPostgres } from "./postgres.ts";
import { startWarden, type Warden } from "./warden.ts";

const root = join(import.meta.dirname, "..");
const node = process.execPath;

export interface HouseOptions {
  /** Databases, keys, logs of the dashboard and the rendezvous. */
  readonly dataDir: string;
  /** SMOOTH_HOME of the host. */
  readonly hostHome: string;
  readonly ports: { readonly web: number; readonly rendezvous: number; readonly host: number };
  readonly ownerEmail: string;
  readonly say: (line: string) => void;
}

export interface House extends AsyncDisposable {
  readonly webUrl: string;
  readonly rendezvous: Rendezvous;
  readonly db: Db;
  /** Signs the owner in, once. */
  signInUrl(): Promise<string>;
}

interface Secrets {
  readonly authSecret: string;
  readonly dashboardKey: Awaited<ReturnType<typeof newDashboardKey>>;
}

export async function startHouse(options: HouseOptions): Promise<House> {
  const { dataDir, say } = options;
  await using parts = new AsyncDisposableStack();
  mkdirSync(join(dataDir, "logs"), { recursive: true });
  build(say);
  const secrets = await readSecrets(join(dataDir, "secrets.json"));
  const warden = parts.use(startWarden());
  const databaseUrl = givenDatabase() ?? (await openPostgres(dataDir, { parts, warden }));
  await migrateUp(databaseUrl);
  const db = await openDb(databaseUrl);
  parts.defer(() => db.$disconnect());
  say("database ready");

  const webPort = await choosePort(options.ports.web);
  const webUrl = `http://localhost:${webPort}`;
  const rendezvous = parts.use(await openRendezvous(options, secrets));
  warden.watch({ pid: rendezvous.pid, signal: "SIGKILL" });
  void rendezvous.exited.then(() => warden.forget(rendezvous.pid));
  const children = new Children(warden);
  parts.defer(() => children.stopAll());

  const running = { options, children, databaseUrl, secrets, webUrl, rendezvous, db };
  const [host] = await Promise.all([startHost(running), startWeb(running, webPort)]);
  const open = parts.move();
  return {
    webUrl,
    rendezvous,
    db,
    signInUrl: async () =>
      `${webUrl}/sign-in?token=${await mintSignInToken({ db, clock: systemClock }, { email: host.ownerEmail, ttlMs: 3_600_000 })}`,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Two processes work on it, and PGlite serves one (docs/decisions/008). */
function givenDatabase(): string | undefined {
  const url = process.env["DATABASE_URL"];
  if (url?.startsWith("pglite:"))
    throw new SmoothError(
      "CONFIG_INVALID",
      `DATABASE_URL=${url}: the house needs a Postgres server; leave it out to get one`,
    );
  return url;
}

interface Kept {
  readonly parts: AsyncDisposableStack;
  readonly warden: Warden;
}

async function openPostgres(dataDir: string, { parts, warden }: Kept): Promise<string> {
  const { url, pid, ...postgres } = await startPostgres(join(dataDir, "postgres"));
  warden.watch({ pid, signal: "SIGINT" });
  parts.defer(async () => {
    await postgres[Symbol.asyncDispose]();
    warden.forget(pid);
  });
  return url;
}

interface Running {
  readonly options: HouseOptions;
  readonly children: Children;
  readonly databaseUrl: string;
  readonly secrets: Secrets;
  readonly webUrl: string;
  readonly rendezvous: Rendezvous;
  readonly db: Db;
}

async function startWeb(running: Running, port: number): Promise<void> {
  const { options, children } = running;
  const logFile = join(options.dataDir, "logs/web.log");
  const child = await children.start({
    command: node,
    args: [join(root, "node_modules/next/dist/bin/next"), "start", "-H", "127.0.0.1", "-p", String(port)],
    cwd: join(root, "apps/web"),
    env: { ...process.env, ...webEnv(running) },
    logFile,
  });
  await answering(() => `http://127.0.0.1:${port}`, { child, logFile });
  options.say("dashboard ready");
}

/** The first owner and the pairing of the host on this machine happen here: nobody has to type a code. A host whose usual port
 *  is taken finds one itself and says which: one found here could be gone again when it starts. */
async function startHost({ options, children, webUrl, db }: Running): Promise<{ ownerEmail: string }> {
  const deps = { db, clock: systemClock, ids: systemIds };
  const { orgId, email } = await ensureFirstOwner(deps, { email: options.ownerEmail, orgName: "Home" });
  const { code } = await createPairingCode(deps, { orgId, by: "npm start" });
  const { host: usual } = options.ports;
  const port = (await choosePort(usual)) === usual ? usual : 0;
  const logFile = join(options.dataDir, "logs/host.log");
  const child = await children.start({
    command: node,
    args: [...START_FLAGS, join(root, "apps/agent-host/src/bin/th.mjs"), "up"],
    cwd: root,
    env: {
      ...process.env,
      SMOOTH_HOME: options.hostHome,
      SMOOTH_PORT: String(port),
      SMOOTH_DASHBOARD_URL: webUrl,
      SMOOTH_PAIRING_CODE: code,
      SMOOTH_TUNNEL: "1",
    },
    logFile,
  });
  const url = (): string | undefined => {
    const file = readHostFile(options.hostHome);
    return file?.pid === child.pid ? file?.url : undefined;
  };
  await answering(url, { child, logFile });
  options.say("host ready");
  return { ownerEmail: email };
}

function build(say: HouseOptions["say"]): void {
  say("building (a few seconds when something changed)");
  buildBy(node, join(root, "scripts/bundle.mjs"));
  buildBy(join(root, "node_modules/.bin/turbo"), "run", "build", "--output-logs=errors-only");
}

function buildBy(command: string, ...args: readonly string[]): void {
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: "1", NEXT_TELEMETRY_DISABLED: "1" };
  const { status } = spawnSync(command, args, { cwd: root, env, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error(`the build failed; run \`${[command, ...args].join(" ")}\` to see why`);
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

function webEnv({ options, databaseUrl, secrets, webUrl, rendezvous }: Running): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    AUTH_SECRET: secrets.authSecret,
    AUTH_URL: webUrl,
    DASHBOARD_KEY: JSON.stringify(secrets.dashboardKey),
    RENDEZVOUS_DOMAIN: "th.localhost",
    RENDEZVOUS_CONNECT_URL: rendezvous.connectUrl,
    RENDEZVOUS_PUBLIC_URL: rendezvous.url("{slug}"),
    DATA_DIR: options.dataDir,
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

const READY_MS = 180_000;

interface Starting {
  readonly child: ChildProcess;
  readonly logFile: string;
}

/** `url` is undefined until it is known. */
async function answering(url: () => string | undefined, { child, logFile }: Starting): Promise<void> {
  const untilMs = systemClock.now() + READY_MS;
  while (systemClock.now() < untilMs && child.exitCode === null) {
    const base = url();
    const answer = base === undefined ? undefined : await fetch(`${base}/healthz`).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await systemClock.sleep(100);
  }
  const why = child.exitCode === null ? `did not answer within ${READY_MS / 1_000} s` : "ended at once";
  throw new Error(`${basename(logFile, ".log")} ${why}; its last words are in ${logFile}`);
}
