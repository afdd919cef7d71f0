import { openMemoryDb } from "@smooth/db/testing";
import { HostCommand, TicketResponse } from "@smooth/protocol/host-sync";
import { RunId } from "@smooth/protocol/ids";
import { verifyTicket } from "@smooth/tunnel/ticket";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { newDashboardKey, publicPartOf, thumbprintOf } from "../keys.ts";
import { createPairingCode } from "../pairing.ts";
import { askFact, pearlFact, statusFact } from "../testing/facts.ts";
import { openOrg, openWorld, request, TestHost, type TestOrg, type World } from "../testing/world.ts";
import { handleHostRequest } from "./handle.ts";

let memory: Awaited<ReturnType<typeof openMemoryDb>>;
let world: World;
let org: TestOrg;
let host: TestHost;

beforeAll(async () => void (memory = await openMemoryDb()));
afterAll(() => memory[Symbol.asyncDispose]());
beforeEach(async () => {
  await memory.db.org.deleteMany();
  await memory.db.user.deleteMany();
  await memory.db.spentToken.deleteMany();
  world = await openWorld(memory.db);
  org = await openOrg(world, "One");
  host = await TestHost.pair(world, org);
});

const codeOf = async (response: Response) => ({
  status: response.status,
  code: ((await response.json()) as { error: { code: string } }).error.code,
});
const runId = RunId.parse("run-00000000");
const note = (text: string) => host.event(runId, { type: "note", text });
const titles = async () => (await (await org.as("viewer")).runs.list({})).runs.map(({ title }) => title);

describe("pairing", () => {
  const newCode = async () => (await createPairingCode(world.deps, { orgId: org.orgId, by: "owner" })).code;

  test("P1: a code enrols one host, once", async () => {
    const code = await newCode();
    const [first, second] = [
      new TestHost(world.deps, await newDashboardKey()),
      new TestHost(world.deps, await newDashboardKey()),
    ];

    expect((await first.pairWith(code)).status).toBe(200);
    expect(await codeOf(await second.pairWith(code))).toEqual({ status: 401, code: "UNAUTHENTICATED" });
  });

  test("P1: of two hosts racing with one code one wins", async () => {
    const code = await newCode();
    const hosts = [
      new TestHost(world.deps, await newDashboardKey()),
      new TestHost(world.deps, await newDashboardKey()),
    ];

    const answers = await Promise.all(hosts.map((racer) => racer.pairWith(code)));

    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(1);
  });

  test("P1: an expired or invented code is refused alike, and is stored only as a hash", async () => {
    const code = await newCode();
    await world.clock.advance(15 * 60_000);

    expect(await codeOf(await host.pairWith(code))).toEqual({ status: 401, code: "UNAUTHENTICATED" });
    expect(await codeOf(await host.pairWith("abcde-fghjk-mnpqr"))).toEqual({ status: 401, code: "UNAUTHENTICATED" });
    expect(JSON.stringify(await memory.db.pairingCode.findMany())).not.toContain(code);
  });

  test("P2, P3: pairing again is the same host, takes its counters and lifts a revocation", async () => {
    const before = host.hostId;
    await (await org.as("owner")).hosts.revoke({ hostId: before });

    await host.pairWith(await newCode(), { nextSeq: 41, lastN: 7 });

    expect(host.hostId).toBe(before);
    expect(await memory.db.host.findUnique({ where: { id: before } })).toMatchObject({
      lastSeq: 40,
      lastN: 7,
      revokedAtMs: null,
    });
  });
});

describe("device signatures", () => {
  const send = async (token: string) => handleHostRequest(request("acks", { body: { acks: [] }, token }), world.deps);
  const refused = { status: 401, code: "UNAUTHENTICATED" };

  test("A1: a good token is good once", async () => {
    const token = await host.token();

    expect((await send(token)).status).toBe(400); // let in: the empty list is what is refused
    expect(await codeOf(await send(token))).toEqual(refused);
  });

  test.each([
    ["another dashboard", { aud: "http://elsewhere.test" }],
    ["a long life", { exp: 1_800_000_000 + 120 }],
    ["the past", { iat: 1_800_000_000 - 200, exp: 1_800_000_000 - 140 }],
    ["the future", { iat: 1_800_000_000 + 200, exp: 1_800_000_000 + 260 }],
    ["an unknown host", { iss: "host-99999999" }],
    ["no jti", { jti: undefined }],
  ])("A1, A2: a token for %s is refused", async (_, claims) => {
    expect(await codeOf(await send(await host.token(claims)))).toEqual(refused);
  });

  test("A1: another key, no token, garbage and alg none are refused alike", async () => {
    const claims = Buffer.from(JSON.stringify({ iss: host.hostId })).toString("base64url");
    const none = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${claims}.`;

    for (const token of [await host.token({}, await newDashboardKey()), "garbage", none]) {
      expect(await codeOf(await send(token))).toEqual(refused);
    }
    expect(await codeOf(await handleHostRequest(request("acks", { body: {} }), world.deps))).toEqual(refused);
  });

  test("A2: a revoked host learns that it was revoked", async () => {
    await (await org.as("owner")).hosts.revoke({ hostId: host.hostId });

    expect(await codeOf(await send(await host.token()))).toEqual({ status: 403, code: "POLICY_DENIED" });
  });
});

describe("events", () => {
  const batch = (...seqs: number[]) => seqs.map((seq) => ({ seq, record: note(`record ${seq}`) }));
  const push = (records: unknown) => host.send("events", { records });
  const stored = async () => (await memory.db.runEvent.findMany({ orderBy: { seq: "asc" } })).length;

  test("E2: a batch is stored once, however often it comes", async () => {
    const records = batch(1, 2, 3);

    for (let turn = 0; turn < 3; turn += 1) expect(await (await push(records)).json()).toEqual({ ackedSeq: 3 });

    expect(await stored()).toBe(3);
  });

  test("E2: a gap stores nothing and names what is expected", async () => {
    await push(batch(1, 2));

    const response = await push(batch(4, 5));
    const { error } = (await response.json()) as { error: { code: string; details: unknown } };

    expect(response.status).toBe(409);
    expect(error).toMatchObject({ code: "CONFLICT", details: { expectedSeq: 3 } });
    expect(await stored()).toBe(2);
  });

  test("E2: a gap or a repeat inside a batch stores nothing of it", async () => {
    expect((await push(batch(1, 3))).status).toBe(409);
    expect((await push(batch(1, 1))).status).toBe(409);
    expect(await stored()).toBe(0);
  });

  test("E2: a batch that overlaps is stored from where the last one ended", async () => {
    const all = batch(1, 2, 3, 4);
    await push(all.slice(0, 3));

    expect(await (await push(all)).json()).toEqual({ ackedSeq: 4 });

    expect(await stored()).toBe(4);
  });

  test("E1: batches sent at the same time are stored once and without gap", async () => {
    const all = batch(1, 2, 3, 4, 5, 6);

    const answers = await Promise.all([push(all.slice(0, 3)), push(all.slice(0, 3)), push(all), push(all.slice(3))]);

    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([]);
    await push(all);
    expect(await stored()).toBe(6);
  });

  test("every kind of record becomes what members see", async () => {
    const pearl = pearlFact("th-000001");
    await host.report(
      { kind: "pearl", pearl, by: "ann" },
      { kind: "pearl", pearl: pearlFact("th-000002", { status: "closed" }), by: "ann" },
      { kind: "pearl.comment", comment: { id: "c1", pearlId: pearl.id, author: "ann", body: "é\r\n ", atMs: 1 } },
      {
        kind: "pearl.change",
        change: { pearlId: pearl.id, field: "title", before: '"a"', after: '"b"', by: "ann", atMs: 2 },
      },
      { kind: "pearl.dependency", dependency: { from: pearl.id, to: pearlFact("th-000002").id, type: "blocks" } },
      { kind: "status", status: statusFact() },
    );
    await host.report(
      host.event(runId, { type: "run.started", title: "Fix", workflow: "operator", pearlId: pearl.id, demo: false }),
      host.event(runId, {
        type: "usage",
        slot: "default",
        provider: "p",
        model: "m",
        inputTokens: 1,
        outputTokens: 1,
        costUsd: 0.25,
        estimated: false,
      }),
      host.event(runId, { type: "ask.opened", ask: askFact("ask-000001", runId) }),
      host.event(runId, { type: "run.status", status: "waiting", reason: "an ask" }),
    );
    const viewer = await org.as("viewer");

    const page = await viewer.pearls.get({ pearlId: pearl.id });
    const { run, view } = await viewer.runs.get({ runId });

    expect(page).toMatchObject({ pearl, blockedBy: [], comments: [{ body: "é\r\n " }], history: [{ before: '"a"' }] });
    expect(page.runs).toMatchObject([{ runId, status: "waiting" }]);
    expect(run).toMatchObject({
      title: "Fix",
      status: "waiting",
      reason: "an ask",
      costUsd: 0.25,
      pendingAsks: 1,
      lastSeq: 4,
    });
    expect(view).toMatchObject({ status: "waiting", lastSeq: 4, asks: [{ id: "ask-000001" }] });
    expect((await viewer.hosts.list()).hosts).toMatchObject([{ sandbox: { kind: "ready" } }]);
  });

  test("R2: terminal output with U+0000 and half surrogates is kept", async () => {
    const text = "a\0b\ud800c";
    await host.report(note(text), { kind: "pearl", pearl: pearlFact("th-000001", { title: "x\0y" }), by: "ann" });

    const { events } = await (await org.as("viewer")).runs.events({ runId });

    expect(events).toMatchObject([{ text }]);
    expect((await (await org.as("viewer")).pearls.list({})).pearls[0]?.pearl.title).toBe("x\uFFFDy");
  });

  test("R1: a host cannot write another host's run, ask or pearl; what it sends is skipped and audited", async () => {
    await host.startRun(runId, "mine");
    await host.report({ kind: "pearl", pearl: pearlFact("th-000001", { title: "mine" }), by: "ann" });
    const other = await TestHost.pair(world, org);

    await other.startRun(runId, "stolen");
    await other.report(
      { kind: "pearl", pearl: pearlFact("th-000001", { title: "stolen" }), by: "eve" },
      {
        kind: "pearl.comment",
        comment: { id: "c1", pearlId: pearlFact("th-000001").id, author: "eve", body: "x", atMs: 1 },
      },
    );

    expect(await titles()).toEqual(["mine"]);
    expect((await (await org.as("viewer")).pearls.get({ pearlId: pearlFact("th-000001").id })).comments).toEqual([]);
    const { entries } = await (await org.as("owner")).org.audit({});
    expect(entries.filter(({ action, actor }) => action === "denied" && actor === other.hostId)).toHaveLength(2);
  });

  test("P8: the same ids in two orgs are two things", async () => {
    const elsewhere = await openOrg(world, "Two");
    const theirs = await TestHost.pair(world, elsewhere);
    await host.startRun(runId, "ours");
    await theirs.startRun(runId, "theirs");

    expect(await titles()).toEqual(["ours"]);
    expect((await (await elsewhere.as("viewer")).runs.list({})).runs).toMatchObject([{ title: "theirs" }]);
  });
});

describe("commands", () => {
  const steer = async (text: string) => (await org.as("steerer")).runs.steer({ runId, text });
  const texts = async (afterN: number, count: number) => {
    await using stream = await host.commands(afterN);
    const seen: unknown[] = [];
    while (seen.length < count) seen.push(HostCommand.parse((await stream.next())?.data).body);
    return seen.map((body) => (body as { text: string }).text);
  };
  beforeEach(() => host.startRun(runId));

  test("S1: waiting commands come in order, unacknowledged ones again on every stream", async () => {
    for (const text of ["one", "two", "three"]) await steer(text);

    expect(await texts(0, 3)).toEqual(["one", "two", "three"]);
    expect(await texts(0, 3)).toEqual(["one", "two", "three"]);
    expect(await texts(1, 2)).toEqual(["two", "three"]);
  });

  test("S1: a consumed command does not come again", async () => {
    const { command } = await steer("one");
    await steer("two");
    await host.send("acks", { acks: [{ commandId: command.commandId, outcome: { state: "consumed" } }] });

    expect(await texts(0, 1)).toEqual(["two"]);
  });

  test("an open stream wakes at once, no time passing", async () => {
    await using stream = await host.commands();
    const waiting = stream.next();

    await steer("now");

    expect((await waiting)?.data).toMatchObject({ n: 1, body: { kind: "steer", text: "now" } });
  });

  test("S2: a newer stream ends the older one; a revocation ends every one", async () => {
    await using older = await host.commands();
    const ended = older.next();
    await using newer = await host.commands();
    const alsoEnded = newer.next();

    expect(await ended).toBeNull();
    await (await org.as("owner")).hosts.revoke({ hostId: host.hostId });
    expect(await alsoEnded).toBeNull();
  });

  test("presence follows the stream", async () => {
    const presence = async () => (await (await org.as("viewer")).hosts.list()).hosts[0]?.presence.kind;
    const states = [await presence()];
    {
      await using stream = await host.commands();
      const pending = stream.next();
      void pending;
      await expect.poll(presence).toBe("online");
    }
    await expect.poll(presence).toBe("offline");
    expect(states).toEqual(["offline"]);
  });

  test("A1: acks are idempotent, the first outcome stays, unknown ones are ignored", async () => {
    const { command } = await steer("one");
    const state = async () => (await (await org.as("viewer")).runs.get({ runId })).commands[0]?.state;
    const ack = (outcome: object) =>
      host.send("acks", {
        acks: [
          { commandId: command.commandId, outcome },
          { commandId: "cmd-99999999", outcome },
        ],
      });

    await ack({ state: "delivered" });
    expect(await state()).toBe("delivered");
    await ack({ state: "consumed" });
    await ack({ state: "failed", code: "CONFLICT", message: "no" });
    await ack({ state: "delivered" });

    expect(await state()).toBe("consumed");
  });

  test("a host cannot acknowledge another host's command", async () => {
    const { command } = await steer("one");
    const other = await TestHost.pair(world, org);

    await other.send("acks", { acks: [{ commandId: command.commandId, outcome: { state: "consumed" } }] });

    expect((await (await org.as("viewer")).runs.get({ runId })).commands[0]?.state).toBe("sent");
  });

  test("C1: commands written at the same time are numbered without gap", async () => {
    await Promise.all(Array.from({ length: 8 }, (_, index) => steer(`word ${index}`)));

    const rows = await memory.db.command.findMany({ where: { hostId: host.hostId }, orderBy: { n: "asc" } });

    expect(rows.map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });
});

describe("tickets", () => {
  const ticket = async (body: object = {}) => TicketResponse.parse(await (await host.send("ticket", body)).json());

  test("T1: the first ticket claims a scratch slug, the next ones keep it", async () => {
    const first = await ticket();

    expect(first.slug).toMatch(/^scratch-[0-9a-hjkmnp-tv-z]{8}$/);
    expect(first).toMatchObject({
      publicUrl: `https://${first.slug}.th.test`,
      connectUrl: "wss://connect.th.test/v1/host",
    });
    expect((await ticket()).slug).toBe(first.slug);
    expect((await ticket({ slug: first.slug })).slug).toBe(first.slug);
  });

  test("T1: two first requests at once claim one slug", async () => {
    const [one, two] = await Promise.all([ticket(), ticket()]);

    expect(one.slug).toBe(two.slug);
  });

  test("T1: another host's slug is NOT_FOUND, like an unknown one", async () => {
    const { slug } = await ticket();
    const other = await TestHost.pair(world, org);

    expect(await codeOf(await other.send("ticket", { slug }))).toEqual({ status: 404, code: "NOT_FOUND" });
    expect(await codeOf(await other.send("ticket", { slug: "nobodys" }))).toEqual({ status: 404, code: "NOT_FOUND" });
  });

  test("T2: the rendezvous accepts it, bound to the device key, for 120 s", async () => {
    const { slug, ticket: jws, expiresAtMs } = await ticket();
    const key = publicPartOf(world.deps.signingKey);
    const nowMs = world.clock.now();

    const verdict = await verifyTicket(jws, { key, baseDomain: "th.test", nowMs });

    expect(verdict).toMatchObject({
      kind: "valid",
      claims: {
        sub: host.hostId,
        org: org.orgId,
        slug,
        iss: "http://dashboard.test",
        cnf: { jkt: await thumbprintOf(host.key) },
        limits: { tier: "free" },
      },
    });
    expect(expiresAtMs - nowMs).toBe(120_000);
    expect(await verifyTicket(jws, { key, baseDomain: "elsewhere", nowMs })).toMatchObject({ kind: "refused" });
  });
});

describe("the door", () => {
  const call = (path: string, init: RequestInit = {}) =>
    handleHostRequest(new Request(`http://dashboard.test/api/host/v1/${path}`, init), world.deps);
  const signed = async (path: string, { headers, ...init }: RequestInit) => {
    const signature = { authorization: `Bearer ${await host.token()}` };
    return call(path, {
      method: "POST",
      ...init,
      headers: new Headers([...new Headers(headers), ...Object.entries(signature)]),
    });
  };
  const jsonType = { "content-type": "application/json" };

  test("unknown paths, methods, types and shapes are named as such", async () => {
    expect(await codeOf(await call("nothing"))).toEqual({ status: 404, code: "METHOD_NOT_FOUND" });
    expect(await codeOf(await call("toString"))).toEqual({ status: 404, code: "METHOD_NOT_FOUND" });
    expect(await codeOf(await call("events"))).toEqual({ status: 405, code: "METHOD_NOT_ALLOWED" });
    expect(await codeOf(await signed("events", { body: "x" }))).toEqual({
      status: 415,
      code: "UNSUPPORTED_MEDIA_TYPE",
    });
    expect(await codeOf(await signed("events", { body: "{", headers: jsonType }))).toEqual({
      status: 400,
      code: "INVALID_INPUT",
    });
    expect(await codeOf(await signed("events", { body: '{"records":[]}', headers: jsonType }))).toMatchObject({
      status: 400,
    });
    expect(await codeOf(await call("pair", { method: "POST", body: '{"code":1}', headers: jsonType }))).toMatchObject({
      status: 400,
    });
  });

  test("a body over its limit is refused, whatever its header promises", async () => {
    const large = `{"slug":"${"x".repeat(5_000)}"}`;
    const lying = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("x".repeat(1_000))),
    });

    expect(await codeOf(await signed("ticket", { body: large, headers: jsonType }))).toEqual({
      status: 413,
      code: "PAYLOAD_TOO_LARGE",
    });
    const init = { body: lying, duplex: "half", headers: jsonType } as RequestInit;
    expect(await codeOf(await signed("ticket", init))).toEqual({ status: 413, code: "PAYLOAD_TOO_LARGE" });
  });

  test("a runaway caller is told when to come back", async () => {
    const answers = [];
    for (let turn = 0; turn < 21; turn += 1)
      answers.push(await call("pair", { method: "POST", body: "{}", headers: jsonType }));

    const last = answers.at(-1);
    expect(last?.status).toBe(429);
    expect(Number(last?.headers.get("retry-after"))).toBeGreaterThan(0);
    await world.clock.advance(3_000);
    expect((await call("pair", { method: "POST", body: "{}", headers: jsonType })).status).toBe(400);
  });

  test("H1: a bug answers INTERNAL without its text, which goes to the log", async () => {
    const broken = { ...world.deps, db: {} as typeof memory.db };

    const response = await handleHostRequest(request("acks", { body: {}, token: await host.token() }), broken);

    expect(await response.json()).toEqual({
      error: { code: "INTERNAL", message: "something went wrong on our side", details: {} },
    });
    expect(world.log.lines.at(-1)).toMatchObject({ level: "error", event: "host-sync.bug" });
  });
});
