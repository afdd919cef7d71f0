import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ApiDeps } from "@smooth/api/context";
import { type DashboardKey, newDashboardKey, publicPartOf } from "@smooth/api/keys";
import { createPairingCode } from "@smooth/api/pairing";
import { addMember, ensureFirstOwner, mintSignInToken } from "@smooth/api/sign-in";
import { type Db, openDb } from "@smooth/db/client";
import { migrateUp } from "@smooth/db/migrate";
import { systemClock, systemIds } from "@smooth/platform/node/system";
import type { Role } from "@smooth/protocol/gateway";
import { HOST_API, HostCommand, type HostRecord, PairResponse } from "@smooth/protocol/host-sync";
import type { RunEvent, RunEventBody } from "@smooth/protocol/run-events";
import { importJWK, SignJWT } from "jose";
import { choosePort } from "../../../../scripts/ports.ts";
import { startPostgres } from "../../../../scripts/postgres.ts";
import { ROOT } from "../workspaces.ts";

/** The built dashboard in its own process on a Postgres of its own; hosts are played, but sign and speak as real ones do. */

const OWNER = "ada@example.com";
const READY_MS = 180_000;
type Deps = Pick<ApiDeps, "db" | "clock" | "ids">;

export class PlayedDashboard implements AsyncDisposable {
  readonly url: string;
  readonly #dir: string;
  readonly #deps: Deps;
  readonly #orgId: string;
  readonly #parts: AsyncDisposableStack;

  private constructor(url: string, parts: AsyncDisposableStack, rest: { dir: string; deps: Deps; orgId: string }) {
    this.url = url;
    this.#parts = parts;
    this.#dir = rest.dir;
    this.#deps = rest.deps;
    this.#orgId = rest.orgId;
  }

  static async start(): Promise<PlayedDashboard> {
    await using parts = new AsyncDisposableStack();
    const dir = mkdtempSync(join(tmpdir(), "smooth-dashboard-"));
    parts.defer(() => rmSync(dir, { recursive: true, force: true }));
    const { url: databaseUrl } = parts.use(await startPostgres(join(dir, "postgres")));
    await migrateUp(databaseUrl);
    const db: Db = await openDb(databaseUrl);
    parts.defer(() => db.$disconnect());
    const deps: Deps = { db, clock: systemClock, ids: systemIds };
    const { orgId } = await ensureFirstOwner(deps, { email: OWNER, orgName: "Home" });
    const port = await choosePort(0);
    const url = `http://localhost:${port}`;
    const web = serve(port, await envOf(url, databaseUrl, dir));
    parts.defer(() => stop(web));
    await answering(`http://127.0.0.1:${port}/healthz`);
    return new PlayedDashboard(url, parts.move(), { dir, deps, orgId });
  }

  async signInUrl(email = OWNER): Promise<string> {
    return `${this.url}/sign-in?token=${await mintSignInToken(this.#deps, { email, ttlMs: 600_000 })}`;
  }

  /** A member with this role; signs in like anybody. */
  async member(role: Role): Promise<string> {
    const email = `${role}@example.com`;
    await addMember(this.#deps, { orgId: this.#orgId, email, role, by: OWNER });
    return email;
  }

  /** What the dashboard has stored. */
  get db(): Db {
    return this.#deps.db;
  }

  async pairingCode(): Promise<string> {
    return (await createPairingCode(this.#deps, { orgId: this.#orgId, by: OWNER })).code;
  }

  async pairHost(name: string): Promise<PlayedHost> {
    return PlayedHost.pair(this.url, { code: await this.pairingCode(), name });
  }

  letters(): string[] {
    const outbox = join(this.#dir, "outbox");
    return existsSync(outbox) ? readdirSync(outbox).map((name) => readFileSync(join(outbox, name), "utf8")) : [];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#parts.disposeAsync();
  }
}

async function envOf(url: string, databaseUrl: string, dir: string): Promise<NodeJS.ProcessEnv> {
  return {
    ...process.env,
    NODE_ENV: "production",
    DATABASE_URL: databaseUrl,
    AUTH_SECRET: "a secret of a test, long enough to be one",
    AUTH_URL: url,
    DASHBOARD_KEY: JSON.stringify(await newDashboardKey()),
    RENDEZVOUS_DOMAIN: "th.localhost",
    RENDEZVOUS_CONNECT_URL: "ws://127.0.0.1:1/v1/host",
    RENDEZVOUS_PUBLIC_URL: "http://{slug}.th.localhost:1",
    DATA_DIR: dir,
    NEXT_TELEMETRY_DISABLED: "1",
  };
}

function serve(port: number, env: NodeJS.ProcessEnv): ChildProcess {
  const next = join(ROOT, "node_modules/next/dist/bin/next");
  const cwd = join(ROOT, "apps/web");
  if (!existsSync(join(cwd, ".next/BUILD_ID"))) {
    const { status, stderr } = spawnSync(process.execPath, [next, "build"], { cwd, env, encoding: "utf8" });
    if (status !== 0) throw new Error(`the dashboard does not build:\n${stderr}`);
  }
  return spawn(process.execPath, [next, "start", "-H", "127.0.0.1", "-p", String(port)], { cwd, env, stdio: "ignore" });
}

async function stop(child: ChildProcess): Promise<void> {
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  await gone;
}

async function answering(url: string): Promise<void> {
  const untilMs = Date.now() + READY_MS;
  while (Date.now() < untilMs) {
    const answer = await fetch(url).catch(() => undefined);
    await answer?.body?.cancel();
    if (answer?.ok) return;
    await systemClock.sleep(50);
  }
  throw new Error(`${url} did not answer within ${READY_MS / 1_000} s`);
}

/** Numbers its records and runs as a host must. */
export class PlayedHost {
  readonly #url: string;
  readonly #key: DashboardKey;
  readonly #hostId: string;
  readonly #runSeqs = new Map<string, number>();
  #seq = 0;

  private constructor(url: string, key: DashboardKey, hostId: string) {
    this.#url = url;
    this.#key = key;
    this.#hostId = hostId;
  }

  static async pair(url: string, { code, name }: { code: string; name: string }): Promise<PlayedHost> {
    const key = await newDashboardKey();
    const answer = await fetch(`${url}${HOST_API}/pair`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code, publicKey: publicPartOf(key), name, platform: "linux x64" }),
    });
    return new PlayedHost(url, key, PairResponse.parse(await answer.json()).hostId);
  }

  async report(...records: HostRecord[]): Promise<void> {
    const numbered = records.map((record) => ({ seq: (this.#seq += 1), record }));
    const answer = await this.#request("events", { records: numbered });
    if (!answer.ok) throw new Error(await answer.text());
  }

  async happens(runId: string, ...bodies: RunEventBody[]): Promise<void> {
    const events = bodies.map((body) => {
      const seq = (this.#runSeqs.get(runId) ?? 0) + 1;
      this.#runSeqs.set(runId, seq);
      return { runId, seq, atMs: Date.now(), ...body } as RunEvent;
    });
    await this.report(...events.map((event): HostRecord => ({ kind: "run.event", event })));
  }

  /** Takes orders, hands each to `perform`, acknowledges it; online until `signal`. */
  async serve(perform: (body: HostCommand["body"]) => Promise<void>, signal: AbortSignal): Promise<void> {
    const answer = await this.#request("commands?after=0", undefined, signal);
    let text = "";
    for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += piece;
      const frames = text.split("\n\n");
      text = frames.pop() ?? "";
      for (const frame of frames) {
        const data = /^data: (.*)$/m.exec(frame)?.[1];
        if (data === undefined) continue;
        const { commandId, body } = HostCommand.parse(JSON.parse(data));
        await perform(body);
        await this.#request("acks", { acks: [{ commandId, outcome: { state: "consumed" } }] });
      }
    }
  }

  async #request(path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    return fetch(`${this.#url}${HOST_API}/${path}`, {
      method: body === undefined ? "GET" : "POST",
      headers: { authorization: `Bearer ${await this.#token()}`, "content-type": "application/json" },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    });
  }

  async #token(): Promise<string> {
    const iat = Math.floor(Date.now() / 1_000);
    const claims = { iss: this.#hostId, aud: this.#url, jti: systemIds.next("jti"), iat, exp: iat + 60 };
    return new SignJWT(claims).setProtectedHeader({ alg: "EdDSA" }).sign(await importJWK(this.#key, "EdDSA"));
  }
}
