/** @jsxImportSource smithers-orchestrator */
/** The Gateway by real sockets and requests on loopback. */
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { mayCall, METHODS, methodCalled } from "./gateway/contract.ts";
import { createSmithers, Gateway, type GatewayAuthConfig, type GatewayOptions } from "./index.ts";

const { Workflow, Task, Approval, Signal, smithers, outputs } = createSmithers({
  output: z.object({ by: z.string(), n: z.number().nullable().describe("How many") }),
  decision: z.object({ approved: z.boolean(), note: z.string().nullable() }),
  go: z.object({ on: z.boolean() }),
});
const quick = smithers((ctx) => (
  <Workflow name="quick">
    <Task id="say" output={outputs.output}>
      {{ by: `${ctx.auth?.triggeredBy} ${ctx.auth?.role}`, n: null }}
    </Task>
  </Workflow>
));
const gated = smithers(() => (
  <Workflow name="gated">
    <Approval id="gate" output={outputs.decision} request={{ title: "Go?" }} allowedUsers={["ann"]} />
  </Workflow>
));
const waiting = smithers(() => (
  <Workflow name="waiting">
    <Signal id="go" schema={outputs.go} />
  </Workflow>
));

const TOKENS: GatewayAuthConfig = {
  mode: "token",
  tokens: {
    "t-ann": { role: "operator", scopes: ["*"], userId: "ann" },
    "t-bob": { role: "operator", scopes: ["*"], userId: "bob" },
    "t-root": { role: "admin", scopes: ["run:admin"], userId: "root" },
    "t-look": { role: "viewer", scopes: ["run:read"], userId: "look" },
  },
};

let rootDir: string;
const open: Gateway[] = [];
beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), "gateway-"));
});
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
  rmSync(rootDir, { recursive: true });
});

// What comes back is looked at, field by field.
// oxlint-disable-next-line typescript/no-explicit-any
type Any = any;

async function listening(options: GatewayOptions = {}) {
  const gateway = new Gateway({ rootDir, auth: TOKENS, ...options });
  open.push(gateway);
  gateway.register("quick", quick, { schedule: "0 8 * * 1-5" }).register("gated", gated).register("waiting", waiting);
  const server = await gateway.listen({ port: 0 });
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const rpc = async (token: string, method: string, params?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`http://${host}/rpc`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, ...headers },
      body: JSON.stringify({ id: "1", method, params }),
    });
    const json = (await response.json()) as Any;
    return {
      status: response.status,
      payload: json.payload as Any,
      code: json.error?.code as string | undefined,
      message: json.error?.message as string,
    };
  };
  const ended = async (token: string, runId: string): Promise<Any> => {
    for (;;) {
      const { payload } = await rpc(token, "getRun", { runId });
      if (["finished", "failed", "cancelled"].includes(payload.status)) return payload;
    }
  };
  const dial = (token = "t-ann", more: object = {}) => socketTo(host, token, more);
  return { gateway, host, rpc, ended, dial };
}

/** A client that connects and remembers what it is told. */
async function socketTo(host: string, token: string, more: object) {
  const ws = new WebSocket(`ws://${host}`);
  const frames: Any[] = [];
  const waiters = new Set<() => void>();
  ws.on("message", (data) => {
    frames.push(JSON.parse(String(data as Buffer)));
    for (const wake of waiters) wake();
  });
  const closed = new Promise<number>((done) => ws.once("close", done));
  const heard = async (wanted: (frame: Any) => boolean): Promise<Any> => {
    for (;;) {
      const found = frames.find(wanted);
      if (found) return found;
      await new Promise<void>((done) => void waiters.add(done));
    }
  };
  let calls = 0;
  const call = async (method: string, params: object): Promise<Any> => {
    const id = `c${(calls += 1)}`;
    ws.send(JSON.stringify({ type: "req", id, method, params }));
    return heard((frame) => frame.type === "res" && frame.id === id);
  };
  const event = (name: string) => heard((frame) => frame.event === name);
  await event("connect.challenge");
  const client = { name: "test", version: "1" };
  const hello = call("connect", { minProtocol: 1, maxProtocol: 1, client, auth: { token }, ...more });
  await Promise.race([hello, closed]);
  return { ws, frames, call, event, heard, closed };
}

describe("who may call what", () => {
  const may = (grants: string[], name: string): boolean => {
    const called = methodCalled(name);
    return called !== null && mayCall(grants, METHODS[called.name], called.names);
  };

  test("G1: a scope opens its methods and those of the scopes it implies, and no others", () => {
    expect([may(["run:write"], "launchRun"), may(["run:write"], "getRun"), may(["run:write"], "rewindRun")]).toEqual([
      true,
      true,
      false,
    ]);
    expect([may(["run:admin"], "rewindRun"), may(["run:admin"], "submitApproval")]).toEqual([true, false]);
    expect([may(["cron:write"], "cronList"), may(["cron:read"], "cronCreate")]).toEqual([true, false]);
    expect([
      may(["*"], "rewindRun"),
      may([], "getRun"),
      may(["getRun"], "getRun"),
      may(["getRun"], "listRuns"),
    ]).toEqual([true, false, true, false]);
  });

  test("older names and grants go on: cron.*, read, execute, approve, admin", () => {
    expect([may(["cron.*"], "cron.remove"), may(["cron.*"], "runs.get"), may(["runs.get"], "getRun")]).toEqual([
      true,
      false,
      true,
    ]);
    expect([may(["read"], "runs.list"), may(["read"], "launchRun"), may(["execute"], "launchRun")]).toEqual([
      true,
      false,
      true,
    ]);
    expect([
      may(["execute"], "submitApproval"),
      may(["approve"], "submitApproval"),
      may(["admin"], "rewindRun"),
    ]).toEqual([false, true, true]);
    expect(methodCalled("toString")).toBeNull();
  });
});

describe("who is let in", () => {
  test("A2: a token that is known", async () => {
    const { rpc, host } = await listening();

    expect(await rpc("t-look", "listRuns")).toMatchObject({ status: 200, payload: { runs: [] } });
    expect(await rpc("other", "listRuns")).toMatchObject({ status: 401, code: "Unauthorized" });
    expect(await rpc("t-look", "launchRun", { workflow: "quick" })).toMatchObject({ status: 403, code: "Forbidden" });
    expect((await fetch(`http://${host}/health`)).status).toBe(200);
  });

  test("A2: a JWT that is signed for us and valid now; its claims are its user, role and scopes", async () => {
    const secret = "a secret of thirty-two characters";
    const { rpc, ended } = await listening({
      auth: { mode: "jwt", issuer: "us", audience: "gw", secret, scopesClaim: "perm" },
    });
    const signed = (
      claims: { iss?: string; aud?: string; exp?: string; perm?: unknown },
      key = secret,
    ): Promise<string> =>
      new SignJWT({ perm: claims.perm ?? ["run:write"], role: "dev" })
        .setProtectedHeader({ alg: "HS256" })
        .setSubject("joe")
        .setIssuer(claims.iss ?? "us")
        .setAudience(claims.aud ?? "gw")
        .setExpirationTime(claims.exp ?? "1m")
        .sign(new TextEncoder().encode(key));
    const good = await signed({});
    const { payload } = await rpc(good, "launchRun", { workflow: "quick" });
    const bad = [{ iss: "them" }, { aud: "other" }, { exp: "-1m" }];

    for (const claims of bad) expect((await rpc(await signed(claims), "listRuns")).status).toBe(401);
    expect((await rpc(await signed({}, "another secret of that many chars"), "listRuns")).status).toBe(401);
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${good.split(".")[1]}.`;
    expect((await rpc(unsigned, "listRuns")).status).toBe(401);
    expect((await rpc(await signed({ perm: "run:read,cron:read" }), "cronList")).status).toBe(200);
    expect((await rpc(await signed({ perm: "cron:read" }), "listRuns")).status).toBe(403);
    await ended(good, payload.runId);
    const { payload: output } = await rpc(good, "getNodeOutput", { runId: payload.runId, nodeId: "say" });
    expect(output.row).toEqual({ by: "joe dev", n: null });
  });

  test("A2: whom a trusted proxy names, from the origins that are allowed", async () => {
    const { rpc } = await listening({
      auth: { mode: "trusted-proxy", allowedOrigins: ["https://ours"], defaultScopes: ["run:read"] },
    });
    const as = async (headers: Record<string, string>) => (await rpc("", "listRuns", {}, headers)).status;

    expect(await as({})).toBe(401);
    expect(await as({ "x-user-id": "ann" })).toBe(200);
    expect(await as({ "x-user-id": "ann", "x-user-scopes": "cron:read" })).toBe(403);
    expect(await as({ "x-user-id": "ann", origin: "https://theirs" })).toBe(403);
    expect(await as({ "x-user-id": "ann", origin: "https://ours" })).toBe(200);
  });

  test("A1: without auth programs of this machine, no web page, and no other interface", async () => {
    const gateway = new Gateway({ rootDir });
    open.push(gateway);
    await expect(gateway.listen({ host: "0.0.0.0", port: 0 })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    const url = `http://127.0.0.1:${((await gateway.listen({ port: 0 })).address() as AddressInfo).port}/rpc`;
    const as = async (headers: Record<string, string>) =>
      (await fetch(url, { method: "POST", headers, body: '{"id":"1","method":"listRuns"}' })).status;

    expect([await as({}), await as({ origin: "https://evil" })]).toEqual([200, 403]);
  });
});

test("older methods: a run is made again, its frames and what waits for a decision are listed; what is not here says why", async () => {
  const { rpc, ended } = await listening();
  const first = (await rpc("t-ann", "launchRun", { workflow: "quick" })).payload.runId;
  await ended("t-ann", first);
  const again = (await rpc("t-bob", "runs.rerun", { runId: first })).payload;
  await ended("t-bob", again.runId);
  const { runId } = (await rpc("t-ann", "launchRun", { workflow: "gated" })).payload;
  let open: Any[] = [];
  while (open.length === 0) open = (await rpc("t-look", "approvals.list", { runId })).payload.approvals;

  expect([again.workflow, again.runId === first]).toEqual(["quick", false]);
  expect((await rpc("t-look", "runs.rerun", { runId: first })).code).toBe("Forbidden");
  expect(open).toMatchObject([{ runId, nodeId: "gate" }]);
  const { frames } = (await rpc("t-look", "frames.list", { runId: first, limit: 2 })).payload;
  expect((await rpc("t-look", "frames.get", { runId: first, frameNo: frames[1].frameNo })).payload).toEqual(frames[1]);
  expect((await rpc("t-ann", "frames.get", { runId: first, frameNo: 999 })).code).toBe("InvalidInput");
  expect((await rpc("t-ann", "frames.get", { runId: "run-none" })).code).toBe("RunNotFound");
  expect(await rpc("t-ann", "hijackRun", { runId })).toMatchObject({
    code: "InvalidRequest",
    message: expect.stringContaining("hijackRun: a session") as string,
  });
});

describe("over a socket", () => {
  test("a run is launched, asks, is decided by whom it allows, and completes; the client hears it without asking", async () => {
    const { dial, rpc } = await listening();
    const { call, event, frames } = await dial("t-ann", { subscribe: [] });
    expect(frames.find(({ id }) => id === "c1").payload).toMatchObject({
      protocol: 1,
      auth: { userId: "ann", role: "operator" },
    });

    const launched = await call("launchRun", { workflow: "gated" });
    const { runId } = launched.payload;
    const asked = await rpc("t-ann", "getRun", { runId });
    expect(asked.status).toBe(200);
    const decision = { runId, nodeId: "gate", decision: { approved: true, note: "fine" } };
    for (;;) if ((await rpc("t-bob", "submitApproval", decision)).code === "Forbidden") break;
    expect((await call("submitApproval", decision)).payload).toEqual({
      runId,
      nodeId: "gate",
      iteration: 0,
      approved: true,
    });

    expect((await event("run.completed")).payload).toMatchObject({ type: "RunFinished", runId });
    expect((await rpc("t-ann", "submitApproval", decision)).code).toBe("Busy");
    const seqs = frames.filter(({ type }) => type === "event").map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_: number, at: number) => at + 1));
  });

  test("C2: a client hears of no run it did not ask for, and of none at all without run:read", async () => {
    const { dial, rpc, ended } = await listening();
    const [all, none] = [await dial("t-look"), await dial("t-ann", { subscribe: ["run-other"] })];
    const { runId } = (await rpc("t-bob", "launchRun", { workflow: "quick" })).payload;

    await all.event("run.completed");
    await ended("t-ann", runId);

    await none.call("listRuns", {});
    expect(none.frames.filter(({ payload }) => payload?.runId === runId)).toEqual([]);
  });

  test("a stream is taken up after its last seq, in another connection, without gap or repetition", async () => {
    const { dial, rpc, ended } = await listening();
    const { runId } = (await rpc("t-ann", "launchRun", { workflow: "waiting" })).payload;
    const first = await dial();
    await first.call("streamRunEvents", { runId });
    await first.heard(({ payload }) => payload?.event?.type === "NodePending");
    first.ws.terminate();
    const told = (frames: Any[]) =>
      frames.filter(({ event, payload }) => event === "run.event" && payload.streamId).map(({ payload }) => payload);
    const before = told(first.frames);
    await rpc("t-ann", "submitSignal", { runId, correlationKey: "go", payload: { on: true } });
    await ended("t-ann", runId);

    const second = await dial();
    const reply = await second.call("streamRunEvents", { runId, afterSeq: before.at(-1).seq });
    await second.heard(
      ({ payload }) => payload?.event?.type === "RunFinished" && payload.streamId === reply.payload.streamId,
    );

    const all = [...before, ...told(second.frames)];
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, at) => at));
    expect(reply.payload.currentSeq).toBe(all.length - 1);
  });

  test("the tree of a run is shown, and shown again when it has changed", async () => {
    const { dial, rpc } = await listening();
    const { runId } = (await rpc("t-ann", "launchRun", { workflow: "quick" })).payload;
    const { call, heard } = await dial();

    await call("streamDevTools", { runId });

    const frame = await heard(({ payload }) => payload?.snapshot?.root?.children[0]?.task?.state === "finished");
    expect(frame.payload).toMatchObject({
      version: 1,
      kind: "snapshot",
      snapshot: { runId, root: { id: 1, type: "workflow", depth: 0 } },
    });
  });

  test("C1: nothing before connect, no unknown token, no other protocol, no frame that is too large", async () => {
    const { dial, host } = await listening({ maxPayload: 2_000, maxConnections: 2 });
    const unknown = await dial("nobody");
    expect(await unknown.closed).toBe(4401);
    const rude = new WebSocket(`ws://${host}`);
    rude.once("open", () => rude.send('{"type":"req","id":"1","method":"listRuns"}'));
    expect(await new Promise((done) => rude.once("close", done))).toBe(1002);
    const modern = await dial("t-ann", { minProtocol: 2, maxProtocol: 3 });
    expect(await modern.closed).toBe(1002);
    const loud = await dial();
    loud.ws.once("error", () => {});
    loud.ws.send("x".repeat(3_000));
    expect(await loud.closed).toBe(1009);

    await Promise.all([dial(), dial()]);
    const third = new WebSocket(`ws://${host}`);
    const { message } = await new Promise<Error>((done) => third.once("error", done));
    expect(message).toContain("503");
  });
});

test("one idempotency key is one run; a run is listed, read and cancelled", async () => {
  const { rpc, ended } = await listening();
  const params = { workflow: "waiting", options: { idempotencyKey: "deploy-7" } };
  const [one, two] = [await rpc("t-ann", "launchRun", params), await rpc("t-ann", "launchRun", params)];
  expect(two).toEqual(one);
  const { runId } = one.payload;

  expect((await rpc("t-ann", "listRuns", { filter: { limit: 5 } })).payload.runs).toMatchObject([
    { runId, workflowName: "waiting" },
  ]);
  expect((await rpc("t-ann", "getNodeOutput", { runId, nodeId: "nobody" })).code).toBe("NodeNotFound");
  expect((await rpc("t-ann", "runs.cancel", { runId })).payload).toEqual({ runId, status: "cancelling" });
  expect(await ended("t-ann", runId)).toMatchObject({ status: "cancelled" });
  expect((await rpc("t-ann", "cancelRun", { runId })).code).toBe("Busy");
});

test("H1: a run of a workflow that is not registered any more is left as it is", async () => {
  const first = await listening();
  const { runId } = (await first.rpc("t-ann", "launchRun", { workflow: "waiting" })).payload;
  await first.gateway.close();
  const gateway = new Gateway({ rootDir });
  open.push(gateway);
  const { port } = (await gateway.listen({ port: 0 })).address() as AddressInfo;
  const rpc = async (method: string, params: object): Promise<Any> =>
    (
      await fetch(`http://127.0.0.1:${port}/rpc`, { method: "POST", body: JSON.stringify({ id: "1", method, params }) })
    ).json();

  await rpc("submitSignal", { runId, correlationKey: "go", payload: { on: true } });

  expect((await rpc("resumeRun", { runId })).error.message).toContain("not known here");
  expect((await rpc("getRun", { runId })).payload.status).not.toBe("finished");
});

test("what cannot be read or is not there is a typed 4xx", async () => {
  const { rpc } = await listening({ maxBodyBytes: 500 });
  const refused = [
    await rpc("t-ann", "explode"),
    await rpc("t-ann", "launchRun", { workflow: 7 }),
    await rpc("t-ann", "launchRun", { workflow: "nowhere" }),
    await rpc("t-ann", "getRun", { runId: "run-none" }),
    await rpc("t-ann", "streamRunEvents", { runId: "run-none" }),
    await rpc("t-ann", "launchRun", { workflow: "quick", input: { text: "x".repeat(600) } }),
    await rpc("t-ann", "listRuns", { filter: { status: "sleepy" } }),
  ];

  expect(refused.map(({ status, code }) => [status, code])).toEqual([
    [400, "InvalidRequest"],
    [400, "InvalidRequest"],
    [400, "InvalidRequest"],
    [404, "RunNotFound"],
    [400, "InvalidRequest"],
    [413, "PayloadTooLarge"],
    [400, "InvalidInput"],
  ]);
  expect(() => new Gateway({ eventWindowSize: 3 } as GatewayOptions)).toThrow("eventWindowSize");
});

test("an output is read with its fields; a run is sent back only by who started it or an admin, and only on their word", async () => {
  const { rpc, ended } = await listening();
  const { runId } = (await rpc("t-ann", "launchRun", { workflow: "quick" })).payload;
  await ended("t-ann", runId);
  expect((await rpc("t-look", "getNodeOutput", { runId, nodeId: "say" })).payload).toEqual({
    status: "produced",
    row: { by: "ann operator", n: null },
    schema: {
      fields: [
        { name: "by", type: "string", optional: false, nullable: false },
        { name: "n", type: "number", optional: false, nullable: true, description: "How many" },
      ],
    },
  });

  expect((await rpc("t-bob", "rewindRun", { runId, frameNo: 1, confirm: true })).code).toBe("Forbidden");
  expect((await rpc("t-root", "rewindRun", { runId, frameNo: 1 })).code).toBe("InvalidRequest");
  expect((await rpc("t-root", "rewindRun", { runId, frameNo: 999, confirm: true })).code).toBe("FrameOutOfRange");
  expect((await rpc("t-root", "jumpToFrame", { runId, frameNo: 1, confirm: true })).payload).toMatchObject({
    ok: true,
    newFrameNo: 1,
  });
});

test("P1: the cron a workflow was registered with is there once, also after a restart; others are made, run and deleted", async () => {
  const first = await listening();
  await first.gateway.close();
  const { rpc, ended } = await listening();
  const own = { cronId: "gateway:quick", workflow: "quick", pattern: "0 8 * * 1-5", enabled: true };
  expect((await rpc("t-ann", "cronList")).payload.crons).toMatchObject([own]);

  expect((await rpc("t-ann", "cronCreate", { workflow: "quick", pattern: "nonsense" })).code).toBe("InvalidInput");
  expect((await rpc("t-ann", "cronCreate", { workflow: "nowhere", pattern: "* * * * *" })).code).toBe("InvalidRequest");
  const made = await rpc("t-ann", "cronCreate", {
    workflow: "quick",
    pattern: "0 0 1 1 *",
    cronId: "yearly",
    enabled: false,
  });
  expect(made.payload).toMatchObject({ cronId: "yearly", enabled: false });
  const { runId } = (await rpc("t-ann", "cron.trigger", { cronId: "yearly" })).payload;
  expect(await ended("t-ann", runId)).toMatchObject({ status: "finished" });
  expect((await rpc("t-ann", "cronDelete", { cronId: "yearly" })).payload).toEqual({ cronId: "yearly", removed: true });
  expect((await rpc("t-ann", "cronDelete", { cronId: "yearly" })).code).toBe("InvalidRequest");
});
