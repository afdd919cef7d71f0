import type { Db } from "@smooth/db/client";
import { countingIds, ManualClock, memoryLog } from "@smooth/platform/testing";
import type { Role } from "@smooth/protocol/gateway";
import { HOST_API, type HostRecord, PairResponse } from "@smooth/protocol/host-sync";
import type { RunEvent, RunEventBody } from "@smooth/protocol/run-events";
import { importJWK, SignJWT } from "jose";
import { memoryBus } from "../bus.ts";
import { createContext, type MemberContext } from "../context.ts";
import { handleHostRequest, type HostSyncDeps } from "../host-sync/handle.ts";
import { memoryRateLimits } from "../host-sync/rate-limit.ts";
import { type DashboardKey, newDashboardKey, publicPartOf } from "../keys.ts";
import { createPairingCode } from "../pairing.ts";
import { createCaller } from "../router.ts";
import { addMember } from "../sign-in.ts";

/** A dashboard with orgs, people and hosts that really sign their requests; only time, ids and the network are not real. */

export interface World {
  readonly deps: HostSyncDeps;
  readonly clock: ManualClock;
  readonly log: ReturnType<typeof memoryLog>;
}

export async function openWorld(db: Db): Promise<World> {
  const clock = new ManualClock();
  const log = memoryLog();
  const deps: HostSyncDeps = {
    db,
    clock,
    log,
    ids: countingIds(),
    bus: memoryBus(),
    signingKey: await newDashboardKey(),
    origin: "http://dashboard.test",
    rendezvous: {
      baseDomain: "th.test",
      connectUrl: "wss://connect.th.test/v1/host",
      publicUrl: "https://{slug}.th.test",
    },
    rateLimits: memoryRateLimits(clock),
  };
  return { deps, clock, log };
}

export type TestOrg = Awaited<ReturnType<typeof openOrg>>;

export async function openOrg({ deps, clock }: World, name: string) {
  const orgId = deps.ids.next("org");
  await deps.db.org.create({ data: { id: orgId, slug: orgId, name, createdAtMs: clock.now() } });
  const context = async (role: Role, email = `${role}@${orgId}.test`) => {
    const { userId } = await addMember(deps, { orgId, email, role, by: "test" });
    return (await createContext(deps, { userId, issuedAtMs: clock.now(), orgId })) as MemberContext;
  };
  return { orgId, context, as: async (role: Role, email?: string) => createCaller(await context(role, email)) };
}

export class TestHost {
  readonly #deps: HostSyncDeps;
  readonly key: DashboardKey;
  hostId = "";
  orgId = "";
  #seq = 0;
  #runSeqs = new Map<string, number>();

  constructor(deps: HostSyncDeps, key: DashboardKey) {
    this.#deps = deps;
    this.key = key;
  }

  static async pair({ deps }: World, { orgId }: { orgId: string }): Promise<TestHost> {
    const host = new TestHost(deps, await newDashboardKey());
    await host.pairWith((await createPairingCode(deps, { orgId, by: "owner" })).code);
    return host;
  }

  async pairWith(code: string, extra: Record<string, unknown> = {}): Promise<Response> {
    const body = { code, publicKey: publicPartOf(this.key), name: "laptop", platform: "test", ...extra };
    const response = await handleHostRequest(request("pair", { body }), this.#deps);
    if (!response.ok) return response;
    const { hostId, org } = PairResponse.parse(await response.clone().json());
    this.hostId = hostId;
    this.orgId = org.id;
    return response;
  }

  async token(claims: Record<string, unknown> = {}, key: DashboardKey = this.key): Promise<string> {
    const iat = Math.floor(this.#deps.clock.now() / 1_000);
    const base = { iss: this.hostId, aud: this.#deps.origin, jti: this.#deps.ids.next("jti"), iat, exp: iat + 60 };
    return new SignJWT({ ...base, ...claims }).setProtectedHeader({ alg: "EdDSA" }).sign(await importJWK(key, "EdDSA"));
  }

  async send(path: string, body: unknown): Promise<Response> {
    return handleHostRequest(request(path, { body, token: await this.token() }), this.#deps);
  }

  /** Numbers the records itself and expects them to be stored. */
  async report(...records: HostRecord[]): Promise<void> {
    const numbered = records.map((record) => ({ seq: (this.#seq += 1), record }));
    const response = await this.send("events", { records: numbered });
    if (!response.ok) throw new TypeError(await response.text());
  }

  event(runId: string, body: RunEventBody): HostRecord {
    const seq = (this.#runSeqs.get(runId) ?? 0) + 1;
    this.#runSeqs.set(runId, seq);
    return { kind: "run.event", event: { runId, seq, atMs: this.#deps.clock.now(), ...body } as RunEvent };
  }

  /** A run that has begun. */
  async startRun(runId: string, title = "a run"): Promise<void> {
    await this.report(
      this.event(runId, { type: "run.started", title, workflow: "operator", pearlId: null, demo: false }),
    );
  }

  async commands(afterN = 0): Promise<SseReader> {
    const response = await handleHostRequest(
      request(`commands?after=${afterN}`, { token: await this.token() }),
      this.#deps,
    );
    return new SseReader(response);
  }
}

export function request(path: string, { body, token }: { body?: unknown; token?: string } = {}): Request {
  return new Request(`http://dashboard.test${HOST_API}/${path}`, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

/** Reads a command stream frame by frame. */
export class SseReader implements AsyncDisposable {
  readonly response: Response;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(response: Response) {
    this.response = response;
    const stream = response.body ?? new ReadableStream<Uint8Array>();
    this.#reader = stream.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  }

  /** The next frame with data, or null when the stream ended. */
  async next(): Promise<{ id: string; data: Record<string, unknown> } | null> {
    for (;;) {
      const frame = await this.#frame();
      if (frame === null) return null;
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (data !== undefined) return { id: /^id: (.*)$/m.exec(frame)?.[1] ?? "", data: JSON.parse(data) };
    }
  }

  async #frame(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const frame = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return frame;
      }
      const { done, value } = await this.#reader.read();
      if (done) return null;
      this.#text += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
  }
}
