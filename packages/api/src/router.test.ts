import { openMemoryDb } from "@smooth/db/testing";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";
import { Role } from "@smooth/protocol/gateway";
import { HostId, PearlId, RunId, AskId } from "@smooth/protocol/ids";
import { TRPCError } from "@trpc/server";
import { fetchRequestHandler } from "@trpc/server/adapters/fetch";
import { jwtVerify, importJWK } from "jose";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ApiContext, createContext } from "./context.ts";
import { publicPartOf } from "./keys.ts";
import { appRouter, createCaller } from "./router.ts";
import { askFact, pearlFact, statusFact } from "./testing/facts.ts";
import { openOrg, openWorld, TestHost, type TestOrg, type World } from "./testing/world.ts";
import { procedure } from "./trpc.ts";

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

const runId = RunId.parse("run-00000000");
const pearlId = PearlId.parse("th-000001");
const otherPearlId = PearlId.parse("th-000002");
const askId = AskId.parse("ask-000001");
const newPearl = { title: "Fix the clock", repo: "/src/clock" };

/** Any answer or refusal as a value. */
async function outcomeOf(call: () => unknown): Promise<{ code: string; message: string } | "ok"> {
  try {
    const answer = await call();
    if (answer && typeof answer === "object" && Symbol.asyncIterator in answer) {
      const iterator = (answer as AsyncIterable<unknown>)[Symbol.asyncIterator]();
      await iterator.next();
      await iterator.return?.();
    }
    return "ok";
  } catch (error) {
    const { code, message } = toSmoothError(error instanceof TRPCError ? error.cause : error);
    return { code, message };
  }
}
const codeOf = async (call: Promise<unknown>) => {
  const outcome = await outcomeOf(() => call);
  return outcome === "ok" ? "ok" : outcome.code;
};

function callPath(ctx: ApiContext, path: string, input: unknown): Promise<unknown> {
  const [group = "", name = ""] = path.split(".");
  const caller = createCaller(ctx) as unknown as Record<string, Record<string, (input: unknown) => Promise<unknown>>>;
  return caller[group]![name]!(input);
}

/** An org with one of everything. */
async function fill(owner: TestOrg, by: TestHost): Promise<void> {
  await by.report(
    { kind: "pearl", pearl: pearlFact(pearlId), by: "ann" },
    { kind: "pearl", pearl: pearlFact(otherPearlId), by: "ann" },
    {
      kind: "status",
      status: statusFact({ tunnel: { kind: "serving", slug: "s", url: "https://s.th.test", sinceMs: 1, viewers: 0 } }),
    },
  );
  await by.startRun(runId, `run of ${owner.orgId}`);
  await by.report(by.event(runId, { type: "ask.opened", ask: askFact(askId, runId) }));
}

/** Every procedure, the role it needs, and an input that names something of the org by id (null: it takes no id). */
const PROCEDURES: Record<string, { access: string; input: (ids: Ids) => object | null }> = {
  "me.get": { access: "signed-in", input: () => null },
  "me.signOutEverywhere": { access: "signed-in", input: () => null },
  "org.members": { access: "viewer", input: () => null },
  "org.addMember": { access: "owner", input: () => null },
  "org.setRole": { access: "owner", input: ({ userId }) => ({ userId, role: "viewer" }) },
  "org.removeMember": { access: "owner", input: ({ userId }) => ({ userId }) },
  "org.audit": { access: "owner", input: () => null },
  "home.summary": { access: "viewer", input: () => null },
  "home.changes": { access: "viewer", input: () => null },
  "pearls.list": { access: "viewer", input: () => null },
  "pearls.get": { access: "viewer", input: (ids) => ({ pearlId: ids.pearlId }) },
  "pearls.create": { access: "steerer", input: (ids) => ({ hostId: ids.hostId, pearl: newPearl }) },
  "pearls.comment": { access: "steerer", input: (ids) => ({ pearlId: ids.pearlId, body: "x" }) },
  "pearls.close": { access: "steerer", input: (ids) => ({ pearlId: ids.pearlId }) },
  "pearls.addDependency": {
    access: "steerer",
    input: (ids) => ({ from: ids.pearlId, to: ids.otherPearlId, type: "blocks" }),
  },
  "runs.list": { access: "viewer", input: () => null },
  "runs.get": { access: "viewer", input: (ids) => ({ runId: ids.runId }) },
  "runs.events": { access: "viewer", input: (ids) => ({ runId: ids.runId }) },
  "runs.feed": { access: "viewer", input: (ids) => ({ runId: ids.runId }) },
  "runs.dispatch": { access: "steerer", input: (ids) => ({ pearlId: ids.pearlId }) },
  "runs.cancel": { access: "steerer", input: (ids) => ({ runId: ids.runId }) },
  "runs.pause": { access: "steerer", input: (ids) => ({ runId: ids.runId }) },
  "runs.unpause": { access: "steerer", input: (ids) => ({ runId: ids.runId }) },
  "runs.steer": { access: "steerer", input: (ids) => ({ runId: ids.runId, text: "x" }) },
  "inbox.list": { access: "viewer", input: () => null },
  "inbox.decide": {
    access: "approver",
    input: (ids) => ({ askId: ids.askId, version: 1, decision: { verdict: "deny" } }),
  },
  "hosts.list": { access: "viewer", input: () => null },
  "hosts.createPairingCode": { access: "owner", input: () => null },
  "hosts.revoke": { access: "owner", input: (ids) => ({ hostId: ids.hostId }) },
  "tunnel.state": { access: "viewer", input: () => null },
  "tunnel.start": { access: "owner", input: (ids) => ({ hostId: ids.hostId }) },
  "tunnel.stop": { access: "owner", input: (ids) => ({ hostId: ids.hostId }) },
  "tunnel.link": { access: "viewer", input: (ids) => ({ hostId: ids.hostId }) },
};
interface Ids {
  pearlId: string;
  otherPearlId: string;
  runId: string;
  askId: string;
  hostId: string;
  userId: string;
}
const UNKNOWN: Ids = {
  pearlId: "th-999991",
  otherPearlId: "th-999992",
  runId: "run-999999",
  askId: "ask-999999",
  hostId: "host-999999",
  userId: "user-999999",
};

test("R1: every procedure is in the table below with the role it declares", () => {
  const procedures = appRouter._def.procedures as unknown as Record<string, { _def: { meta?: { access: string } } }>;
  const declared = Object.entries(procedures).map(([path, { _def }]) => [path, _def.meta?.access]);

  expect(Object.fromEntries(declared)).toEqual(
    Object.fromEntries(Object.entries(PROCEDURES).map(([path, { access }]) => [path, access])),
  );
  // @ts-expect-error a procedure without a role does not compile
  expect(() => procedure()).toBeTypeOf("function");
});

describe.each(Object.entries(PROCEDURES))("%s", (path, { access, input }) => {
  test("R2: asks for its role before it reads the input", async () => {
    const anonymous = await createContext(world.deps, null);
    expect(await outcomeOf(() => callPath(anonymous, path, 42))).toMatchObject({ code: "UNAUTHENTICATED" });
    if (access === "signed-in") return;

    for (const role of Role.options) {
      const outcome = await outcomeOf(async () => callPath(await org.context(role), path, 42));
      const may = Role.options.indexOf(role) >= Role.options.indexOf(access as Role);
      expect([role, outcome === "ok" || outcome.code !== "POLICY_DENIED"]).toEqual([role, may]);
    }
  });

  test("P8: another org's id is answered like an unknown one, and nothing changes", async () => {
    if (input(UNKNOWN) === null) return;
    await fill(org, host);
    const member = (await org.context("steerer")).user;
    const real: Ids = { pearlId, otherPearlId, runId, askId, hostId: host.hostId, userId: member.id };
    const stranger = await (await openOrg(world, "Two")).context("owner");
    const anonymise = (outcome: Awaited<ReturnType<typeof outcomeOf>>, ids: Ids) =>
      Object.values(ids).reduce((text, id) => text.replaceAll(id, "…"), JSON.stringify(outcome));

    const [theirs, unknown] = [
      await outcomeOf(() => callPath(stranger, path, input(real))),
      await outcomeOf(() => callPath(stranger, path, input(UNKNOWN))),
    ];

    expect(theirs).toMatchObject({ code: expect.stringMatching(/NOT_FOUND$/) });
    expect(anonymise(theirs, real)).toBe(anonymise(unknown, UNKNOWN));
    expect(await memory.db.command.count()).toBe(0);
  });
});

test("P8: lists show nothing of another org", async () => {
  await fill(org, host);
  const stranger = await (await openOrg(world, "Two")).as("owner");

  expect((await stranger.runs.list({})).runs).toEqual([]);
  expect((await stranger.pearls.list({})).pearls).toEqual([]);
  expect((await stranger.inbox.list({ status: "all" })).asks).toEqual([]);
  expect((await stranger.hosts.list()).hosts).toEqual([]);
  expect((await stranger.tunnel.state()).tunnels).toEqual([]);
  expect((await stranger.org.members()).members).toHaveLength(1);
  expect(await stranger.home.summary()).toEqual({ asks: [], hosts: [], running: [], failed: [], finished: [] });
});

test("T1: a changed role or removal counts from the next request on, and the last owner stays", async () => {
  const owner = await org.context("owner");
  const steerer = await org.context("steerer");
  const session = { userId: steerer.user.id, issuedAtMs: world.clock.now() };

  await createCaller(owner).org.setRole({ userId: steerer.user.id, role: "viewer" });
  expect((await createContext(world.deps, session)).role).toBe("viewer");
  await createCaller(owner).org.removeMember({ userId: steerer.user.id });
  expect((await createContext(world.deps, session)).org).toBeNull();

  expect(await codeOf(createCaller(owner).org.removeMember({ userId: owner.user.id }))).toBe("CONFLICT");
});

test("R2: a denial is audited, and the chain of the audit notices tampering", async () => {
  const owner = await org.as("owner");
  await codeOf((await org.as("viewer")).hosts.createPairingCode());

  const before = await owner.org.audit({});
  expect(before.entries[0]).toMatchObject({
    action: "denied",
    subject: "hosts.createPairingCode",
    details: { needed: "owner" },
  });
  expect(before.intact).toBe(true);

  await memory.db.auditEntry.updateMany({ where: { action: "denied" }, data: { actor: "somebody else" } });
  expect((await owner.org.audit({})).intact).toBe(false);
});

test("U+0000 in any input is refused, not a bug", async () => {
  const owner = await org.as("owner");

  expect(await codeOf(owner.pearls.create({ pearl: { ...newPearl, title: "a\0b" } }))).toBe("INVALID_INPUT");
});

test("R3: over HTTP an error carries its code, and a bug keeps its text", async () => {
  const over = async (ctx: ApiContext, path: string) => {
    const request = new Request(`http://dashboard.test/api/trpc/${path}`);
    const answer = await fetchRequestHandler({
      endpoint: "/api/trpc",
      req: request,
      router: appRouter,
      createContext: () => ctx,
    });
    return { status: answer.status, text: await answer.text() };
  };
  const ctx = await org.context("viewer");
  const input = encodeURIComponent(JSON.stringify({ json: { runId } }));

  const missing = await over(ctx, `runs.get?input=${input}`);
  const invalid = await over(ctx, "runs.get");
  const unknown = await over(ctx, "runs.nothing");
  const bug = await over(
    { ...ctx, db: { secretDetail: 1 } as unknown as ApiContext["db"] },
    "runs.list?input=%7B%22json%22%3A%7B%7D%7D",
  );

  expect([missing.status, invalid.status, unknown.status, bug.status]).toEqual([404, 400, 404, 500]);
  expect(missing.text).toContain('"code":"RUN_NOT_FOUND"');
  expect(invalid.text).toContain('"code":"INVALID_INPUT"');
  expect(unknown.text).toContain('"code":"METHOD_NOT_FOUND"');
  expect(bug.text).toContain("something went wrong on our side");
  expect(bug.text).not.toMatch(/undefined|db\.|stack/);
  expect(world.log.lines.at(-1)).toMatchObject({ event: "api.bug", fields: { path: "runs.list" } });
});

describe("pearls", () => {
  test("P1: a new pearl and a comment are there at once, under the ids the host will use", async () => {
    const owner = await org.as("owner");

    const { pearl, command } = await owner.pearls.create({ pearl: newPearl });
    const { comment } = await owner.pearls.comment({ pearlId: pearl.id, body: "hm" });
    await host.report(
      { kind: "pearl", pearl: { ...pearl, updatedAtMs: 9 }, by: "ann" },
      { kind: "pearl.comment", comment },
    );

    const page = await owner.pearls.get({ pearlId: pearl.id });
    expect(command).toMatchObject({ kind: "createPearl", state: "sent", hostId: host.hostId });
    expect(page).toMatchObject({
      pearl: { updatedAtMs: 9 },
      comments: [comment],
      commands: [{ kind: "commentPearl" }, { kind: "createPearl" }],
    });
  });

  test.each([
    ["viewer", "POLICY_DENIED", "POLICY_DENIED", "POLICY_DENIED"],
    ["steerer", "ok", "POLICY_DENIED", "ok"],
    ["approver", "ok", "POLICY_DENIED", "ok"],
    ["owner", "ok", "ok", "ok"],
  ] as const)(
    "P3: as %s: on a known repository %s, on a new one %s, a comment %s",
    async (role, known, fresh, said) => {
      await fill(org, host);
      const { repo } = pearlFact(pearlId);
      const other = await openOrg(world, "Two");
      await (
        await TestHost.pair(world, other)
      ).report({
        kind: "pearl",
        pearl: pearlFact("th-000003", { repo: "/theirs" }),
        by: "eve",
      });
      const member = await org.as(role);

      expect(await codeOf(member.pearls.create({ pearl: { ...newPearl, repo } }))).toBe(known);
      expect(await codeOf(member.pearls.create({ pearl: { ...newPearl, repo: "/theirs" } }))).toBe(fresh);
      expect(await codeOf(member.pearls.comment({ pearlId, body: "hm" }))).toBe(said);
      const kinds = (await memory.db.command.findMany()).map(({ kind }) => kind).toSorted();
      const allowed = [said, known, fresh].filter((code) => code === "ok").length;
      expect(kinds).toEqual(["commentPearl", "createPearl", "createPearl"].slice(0, allowed));
    },
  );

  test("P1: closing waits for the host's word", async () => {
    const owner = await org.as("owner");
    await fill(org, host);

    const { pearl, command } = await owner.pearls.close({ pearlId, reason: "done" });

    expect([pearl.status, command?.state]).toEqual(["open", "sent"]);
  });

  test("P2: without a host a pearl is kept, changed and linked here, and moves with its dispatch", async () => {
    const alone = await openOrg(world, "Alone");
    const owner = await alone.as("owner");
    const { pearl: first, command } = await owner.pearls.create({ pearl: newPearl });
    const { pearl: second } = await owner.pearls.create({ pearl: newPearl });
    await owner.pearls.addDependency({ from: first.id, to: second.id, type: "blocks" });

    expect(command).toBeNull();
    expect((await owner.pearls.list({ ready: true })).pearls.map(({ pearl }) => pearl.id)).toEqual([second.id]);
    expect(await codeOf(owner.runs.dispatch({ pearlId: second.id }))).toBe("HOST_OFFLINE");

    const later = await TestHost.pair(world, alone);
    expect(await codeOf(owner.runs.dispatch({ pearlId: first.id }))).toBe("CONFLICT"); // blocked
    await owner.pearls.close({ pearlId: second.id });
    await owner.runs.dispatch({ pearlId: first.id });
    const page = await owner.pearls.get({ pearlId: first.id });
    expect(page).toMatchObject({ host: { hostId: later.hostId }, blockedBy: [] });
    expect((await owner.pearls.get({ pearlId: second.id })).history).toMatchObject([
      { before: '"open"', after: '"closed"' },
    ]);
  });

  test("a dependency that closes a cycle is refused by name, on itself as bad input", async () => {
    const owner = await org.as("owner");
    await fill(org, host);
    await host.report({ kind: "pearl.dependency", dependency: { from: pearlId, to: otherPearlId, type: "blocks" } });

    expect(await codeOf(owner.pearls.addDependency({ from: otherPearlId, to: pearlId, type: "blocks" }))).toBe(
      "PEARL_CYCLE",
    );
    expect(await codeOf(owner.pearls.addDependency({ from: pearlId, to: pearlId, type: "blocks" }))).toBe(
      "INVALID_INPUT",
    );
  });

  test("the list finds by text and orders by priority", async () => {
    await host.report(
      { kind: "pearl", pearl: pearlFact("th-000001", { title: "Clock", priority: 3 }), by: "ann" },
      {
        kind: "pearl",
        pearl: pearlFact("th-000002", { title: "Door", description: "near the CLOCK", priority: 0 }),
        by: "ann",
      },
      { kind: "pearl", pearl: pearlFact("th-000003", { title: "Roof 100%" }), by: "ann" },
    );
    const viewer = await org.as("viewer");
    const ids = async (text: string) => (await viewer.pearls.list({ text })).pearls.map(({ pearl }) => pearl.id);

    expect(await ids("clock")).toEqual(["th-000002", "th-000001"]);
    expect(await ids("%")).toEqual(["th-000003"]);
  });
});

describe("dispatch", () => {
  beforeEach(() => fill(org, host));

  test("D2: to an offline host it waits, visibly", async () => {
    const steerer = await org.as("steerer");

    const { runId: dispatched } = await steerer.runs.dispatch({ pearlId });

    const { run, view, commands } = await steerer.runs.get({ runId: dispatched });
    expect(run).toMatchObject({ status: "queued", reason: expect.stringContaining("offline"), pearlId });
    expect(view).toMatchObject({ status: "queued", title: "Fix the clock" });
    expect(commands).toMatchObject([{ kind: "dispatch", state: "sent", by: expect.stringContaining("steerer") }]);
    expect((await steerer.home.summary()).running.map((other) => other.runId)).toContain(dispatched);
  });

  test("D1: a double click is one run", async () => {
    const steerer = await org.as("steerer");

    const clicks = await Promise.allSettled([steerer.runs.dispatch({ pearlId }), steerer.runs.dispatch({ pearlId })]);

    expect(clicks.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await memory.db.command.count()).toBe(1);
  });

  test("C3: what waits too long expires, and its run says why", async () => {
    const steerer = await org.as("steerer");
    const { runId: dispatched } = await steerer.runs.dispatch({ pearlId, expiresInMs: 60_000 });
    await world.clock.advance(60_000);

    const { run, commands } = await steerer.runs.get({ runId: dispatched });
    expect(run).toMatchObject({ status: "failed", reason: "the host was not there in time" });
    expect(commands).toMatchObject([{ state: "expired" }]);
  });

  test("C3: a host that cannot start the run fails it, in its words", async () => {
    const steerer = await org.as("steerer");
    const { runId: dispatched, command } = await steerer.runs.dispatch({ pearlId });
    const outcome = { state: "failed", code: "SANDBOX_UNAVAILABLE", message: "no KVM here" };
    await host.send("acks", { acks: [{ commandId: command.commandId, outcome }] });

    const { run, commands } = await steerer.runs.get({ runId: dispatched });
    expect(run).toMatchObject({ status: "failed", reason: "no KVM here" });
    expect(commands).toMatchObject([{ state: "failed", error: { code: "SANDBOX_UNAVAILABLE" } }]);
    expect(await codeOf(steerer.runs.cancel({ runId: dispatched }))).toBe("CONFLICT");
  });

  test("several hosts: somebody has to say which", async () => {
    await TestHost.pair(world, org);
    const owner = await org.as("owner");

    expect(await codeOf(owner.pearls.create({ pearl: newPearl }))).toBe("INVALID_INPUT");
    expect(await codeOf(owner.pearls.create({ hostId: HostId.parse(host.hostId), pearl: newPearl }))).toBe("ok");
  });
});

describe("inbox", () => {
  beforeEach(() => fill(org, host));
  const approve = { askId, version: 1, decision: { verdict: "approve", grant: "once" } } as const;

  test("I1: of two deciders one wins and the other learns who was first", async () => {
    const [ann, bob] = [await org.as("approver", "ann@x.test"), await org.as("approver", "bob@x.test")];

    await ann.inbox.decide(approve);
    const refusal = await bob.inbox
      .decide({ ...approve, decision: { verdict: "deny" } })
      .catch((error: TRPCError) => error.cause);

    expect(refusal).toBeInstanceOf(SmoothError);
    expect(refusal).toMatchObject({
      code: "ALREADY_DECIDED",
      details: { decidedBy: "ann@x.test", verdict: "approve" },
    });
    expect((await ann.inbox.list({})).asks).toMatchObject([
      { ask: { status: "pending" }, deciding: { by: "ann@x.test", state: "sent" } },
    ]);
  });

  test("I1: decided at the same moment there is still one decision", async () => {
    const [ann, bob] = [await org.as("approver", "ann@x.test"), await org.as("approver", "bob@x.test")];

    const codes = await Promise.all([codeOf(ann.inbox.decide(approve)), codeOf(bob.inbox.decide(approve))]);

    expect(codes.toSorted()).toEqual(["ALREADY_DECIDED", "ok"]);
    expect(await memory.db.command.count()).toBe(1);
  });

  test("I2: a decision on a version that changed is refused, and a newer version is free", async () => {
    const approver = await org.as("approver");
    await host.report(host.event(runId, { type: "ask.opened", ask: askFact(askId, runId, { version: 2 }) }));

    expect(await codeOf(approver.inbox.decide(approve))).toBe("CONFLICT");
    expect(await codeOf(approver.inbox.decide({ ...approve, version: 2 }))).toBe("ok");
  });

  test("I3: when the host refuses the decision the ask is free again", async () => {
    const approver = await org.as("approver");
    const { command } = await approver.inbox.decide(approve);
    const outcome = { state: "failed", code: "CONFLICT", message: "busy" };
    await host.send("acks", { acks: [{ commandId: command.commandId, outcome }] });

    expect(await codeOf(approver.inbox.decide(approve))).toBe("ok");
  });

  test("what the host closed, or time ended, is no longer pending and cannot be decided", async () => {
    const approver = await org.as("approver");
    const closed = { status: "decided", decision: { verdict: "deny" }, decidedBy: "cli", decidedAtMs: 5 } as const;
    await host.report(
      host.event(runId, { type: "ask.closed", ask: askFact(askId, runId, closed) }),
      host.event(runId, {
        type: "ask.opened",
        ask: askFact("ask-000002", runId, { expiresAtMs: world.clock.now() + 1_000 }),
      }),
    );
    await world.clock.advance(1_000);

    expect((await approver.inbox.list({})).asks).toEqual([]);
    expect((await approver.inbox.list({ status: "all" })).asks.map(({ ask }) => ask.status).toSorted()).toEqual([
      "decided",
      "expired",
    ]);
    expect(await codeOf(approver.inbox.decide(approve))).toBe("ALREADY_DECIDED");
    expect(await codeOf(approver.inbox.decide({ ...approve, askId: AskId.parse("ask-000002") }))).toBe("ASK_VOID");
  });
});

describe("live", () => {
  const take = async <T>(iterable: AsyncIterable<T>, count: number): Promise<T[]> => {
    const taken: T[] = [];
    for await (const item of iterable) if (taken.push(item) === count) break;
    return taken;
  };
  const note = (text: string) => host.event(runId, { type: "note", text });
  /** What `tracked` yields is a pair at run time. */
  const idOf = (item: unknown): string => (item as readonly [string])[0];

  test("F1: a feed yields what was, then what comes, each once, and resumes after the last id", async () => {
    await host.startRun(runId);
    await host.report(note("two"));
    const viewer = await org.as("viewer");

    const live = take(await viewer.runs.feed({ runId }), 4);
    await host.report(note("three"));
    await host.report(note("four"), note("five"));
    const resumed = await take(await viewer.runs.feed({ runId, lastEventId: "3" }), 2);

    expect((await live).map(idOf)).toEqual(["1", "2", "3", "4"]);
    expect(resumed.map(idOf)).toEqual(["4", "5"]);
  });

  test("F1: under random drops a reader that resumes has every event exactly once", async () => {
    await host.startRun(runId);
    const viewer = await org.as("viewer");
    const writing = (async () => {
      for (let turn = 0; turn < 30; turn += 1) await host.report(note(`a ${turn}`), note(`b ${turn}`));
    })();

    const seen: number[] = [];
    while (seen.length < 61) {
      const wanted = Math.min(1 + (seen.length % 5), 61 - seen.length);
      const piece = await take(await viewer.runs.feed({ runId, lastEventId: String(seen.at(-1) ?? 0) }), wanted);
      seen.push(...piece.map((item) => Number(idOf(item))));
    }
    await writing;

    expect(seen).toEqual(Array.from({ length: 61 }, (_, index) => index + 1));
  });

  test("a removed member's open feed ends", async () => {
    await host.startRun(runId);
    const viewer = await org.context("viewer");
    const feed = await createCaller(viewer).runs.feed({ runId });
    const all = take(feed, 99).catch((error: unknown) => toSmoothError(error).code);

    await (await org.as("owner")).org.removeMember({ userId: viewer.user.id });
    await host.report(note("secret"));

    expect(await all).toBe("UNAUTHENTICATED");
  });

  test("home hears of a change at once", async () => {
    await host.startRun(runId);
    const heard = take(await (await org.as("viewer")).home.changes(), 2);
    await host.report(note("x"));

    expect(await heard).toHaveLength(2);
  });
});

test("P5: a live link is the dashboard's signed word for this member, for one host and 60 s", async () => {
  await fill(org, host);
  await using stream = await host.commands();
  void stream.next();
  const viewer = await org.context("viewer");
  await expect.poll(async () => (await createCaller(viewer).hosts.list()).hosts[0]?.presence.kind).toBe("online");

  const { url } = await createCaller(viewer).tunnel.link({ hostId: HostId.parse(host.hostId) });

  const { origin, pathname, hash } = new URL(url);
  const key = await importJWK(publicPartOf(world.deps.signingKey), "EdDSA");
  const options = {
    audience: host.hostId,
    issuer: "smooth-web",
    currentDate: new Date(world.clock.now()),
    maxTokenAge: 60,
  };
  const { payload } = await jwtVerify(hash.replace("#assertion=", ""), key, options);
  expect([origin, pathname]).toEqual(["https://s.th.test", "/_session"]);
  expect(payload).toMatchObject({ sub: viewer.user.id, role: "viewer", exp: (payload.iat ?? 0) + 60 });
});

test("without a serving tunnel there is no link", async () => {
  expect(await codeOf((await org.as("viewer")).tunnel.link({ hostId: HostId.parse(host.hostId) }))).toBe(
    "HOST_OFFLINE",
  );
});
