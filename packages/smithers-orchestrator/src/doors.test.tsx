/** @jsxImportSource smithers-orchestrator */
/** Who gets in by which door, asked by real requests and sockets on loopback, with the headers that a bent browser or a stranger sends. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createAdaptorServer } from "@hono/node-server";
import { SignJWT } from "jose";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { createSmithers, Gateway, runWorkflow, type GatewayAuthConfig } from "./index.ts";
import { createServeApp, type ServeOptions } from "./serve.ts";
import { startServer } from "./server.ts";

const { Workflow, Task, Approval, smithers, outputs } = createSmithers({
  output: z.object({ by: z.string() }),
  decision: z.object({ approved: z.boolean(), note: z.string().nullable() }),
});
const quick = smithers((ctx) => (
  <Workflow name="quick">
    <Task id="say" output={outputs.output}>
      {{ by: `${ctx.auth?.triggeredBy} ${ctx.auth?.role} ${ctx.auth?.scopes.join(" ")}` }}
    </Task>
  </Workflow>
));
const gated = (only: { readonly allowedUsers?: string[]; readonly allowedScopes?: string[] }) =>
  smithers(() => (
    <Workflow name="gated">
      <Approval id="gate" output={outputs.decision} request={{ title: "Go?" }} {...only} />
    </Workflow>
  ));

let rootDir: string;
const closing: (() => unknown)[] = [];
beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), "doors-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0)) await close();
  rmSync(rootDir, { recursive: true });
});

type Sent = Readonly<Record<string, string | string[]>>;

/** The status of an answer. `fetch` would not let us choose the Host, nor send a header twice. */
async function status(port: number, path: string, headers: Sent = {}, body?: string): Promise<number> {
  const method = body === undefined ? "GET" : "POST";
  const asking = request({ port, host: "127.0.0.1", path, method, headers, agent: false }).end(body);
  const [response] = (await once(asking, "response")) as [{ statusCode: number; resume: () => void }];
  response.resume();
  return response.statusCode;
}

async function gatewayPort(auth?: GatewayAuthConfig): Promise<number> {
  const gateway = new Gateway({ rootDir, ...(auth ? { auth } : {}) }).register("quick", quick);
  closing.push(() => gateway.close());
  return ((await gateway.listen({ port: 0 })).address() as AddressInfo).port;
}

const rpc = (port: number, headers: Sent, method = "listRuns"): Promise<number> =>
  status(port, "/rpc", headers, JSON.stringify({ id: "1", method }));

/** What the upgrade comes to: 101, or the refusal. */
function upgraded(port: number, headers: Record<string, string>): Promise<number> {
  const ws = new WebSocket(`ws://127.0.0.1:${port}`, { headers });
  return new Promise((done) => {
    ws.once("error", () => undefined);
    ws.once("open", () => (ws.terminate(), done(101)));
    ws.once("unexpected-response", (_, { statusCode = 0 }) => (ws.terminate(), done(statusCode)));
  });
}

async function servedPort({ workflow = quick, ...options }: Partial<ServeOptions> = {}): Promise<number> {
  const runId = randomUUID();
  await runWorkflow(workflow, { input: {}, rootDir, runId });
  const adapter = join(rootDir, "smithers.db");
  const app = createServeApp({ workflow, adapter, runId, abort: new AbortController(), ...options });
  const server = createAdaptorServer(app);
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function serverPort(): Promise<number> {
  const server = startServer({ rootDir, port: 0 });
  await once(server, "listening");
  closing.push(async () => {
    server.close();
    await once(server, "close");
  });
  return (server.address() as AddressInfo).port;
}

test("D1: an empty token is refused by the name of where it came from, also on loopback", async () => {
  const refusal = (name: string) =>
    expect.objectContaining({ code: "CONFIG_INVALID", message: expect.stringContaining(name) });
  const started = (options: { readonly authToken?: string }) => () => startServer({ rootDir, port: 0, ...options });

  expect(started({ authToken: "" })).toThrow(refusal("authToken"));
  expect(started({ authToken: "  " })).toThrow(refusal("authToken"));
  await expect(servedPort({ authToken: "" })).rejects.toEqual(refusal("authToken"));
  vi.stubEnv("SMITHERS_API_KEY", "");
  expect(started({})).toThrow(refusal("SMITHERS_API_KEY"));
  await expect(servedPort()).rejects.toEqual(refusal("SMITHERS_API_KEY"));
});

test("W1: an empty credential is none", async () => {
  const port = await servedPort({ authToken: "s3" });
  const asked = (headers: Sent) => status(port, "/", headers);

  expect(await asked({ "x-smithers-key": "" })).toBe(401);
  expect(await asked({ authorization: "Bearer " })).toBe(401);
  expect(await asked({ authorization: "Bearer ", "x-smithers-key": "s3" })).toBe(200);
});

test("D2: without a token a request is answered by this machine's names only, through every door", async () => {
  const [one, many, gateway] = [await servedPort(), await serverPort(), await gatewayPort()];
  const asked = async (host: string): Promise<number[]> => [
    await status(one, "/", { host }),
    await status(many, "/v1/runs", { host }),
    await rpc(gateway, { host }),
    await upgraded(gateway, { host }),
  ];

  for (const own of ["localhost", "localhost:80", "127.0.0.1:9", "[::1]:7331"])
    expect(await asked(own)).toEqual([200, 200, 200, 101]);
  for (const bent of ["evil.example", "127.0.0.1.evil.example:7331", "localhost.evil.example"])
    expect(await asked(bent)).toEqual([403, 403, 403, 403]);
  expect(await upgraded(gateway, { origin: "https://evil.example" })).toBe(403);
});

test("A3: behind a proxy a web page is answered only if its origin is named, by HTTP and by socket", async () => {
  const strict = await gatewayPort({ mode: "trusted-proxy", defaultScopes: ["*"] });
  const page = { "x-user-id": "ann", origin: "https://ours" };
  expect([await rpc(strict, page), await upgraded(strict, page)]).toEqual([403, 403]);
  expect([await rpc(strict, { "x-user-id": "ann" }), await upgraded(strict, { "x-user-id": "ann" })]).toEqual([
    200, 101,
  ]);

  const named = await gatewayPort({ mode: "trusted-proxy", defaultScopes: ["*"], allowedOrigins: ["https://ours"] });
  expect([await rpc(named, page), await upgraded(named, page)]).toEqual([200, 101]);
  expect(await rpc(named, { ...page, origin: "null" })).toBe(403);
});

test("A3: an identity header that came twice is nobody's; `*` beside other scopes is not `*`", async () => {
  const port = await gatewayPort({ mode: "trusted-proxy" });
  const [user, scopes] = [{ "x-user-id": "ann" }, { "x-user-scopes": "run:read" }];

  expect(await rpc(port, { ...user, ...scopes })).toBe(200);
  expect(await rpc(port, { ...scopes, "x-user-id": ["bob", "ann"] })).toBe(401);
  expect(await rpc(port, { ...user, "x-user-scopes": ["run:read", "run:admin"] })).toBe(401);
  expect(await rpc(port, { ...user, ...scopes, "x-user-role": ["admin", "user"] })).toBe(401);
  expect(await rpc(port, { ...user, "x-user-scopes": "*" }, "cronList")).toBe(200);
  expect(await rpc(port, { ...user, "x-user-scopes": "*, run:read" }, "cronList")).toBe(403);
});

test("A4: a proxy is known by its secret or its address; off loopback it must have one", async () => {
  const auth = { mode: "trusted-proxy" as const, defaultScopes: ["*"] };
  const user = { "x-user-id": "ann" };
  const gateway = new Gateway({ rootDir, auth });
  closing.push(() => gateway.close());
  await expect(gateway.listen({ host: "0.0.0.0", port: 0 })).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: expect.stringContaining("proxySecret"),
  });

  const secret = await gatewayPort({ ...auth, proxySecret: { header: "X-Proxy", value: "p4ss" } });
  expect([await rpc(secret, user), await rpc(secret, { ...user, "x-proxy": "guess" })]).toEqual([401, 401]);
  expect(await rpc(secret, { ...user, "x-proxy": "p4ss" })).toBe(200);
  const [far, near] = [
    await gatewayPort({ ...auth, proxyAddresses: ["10.0.0.7"] }),
    await gatewayPort({ ...auth, proxyAddresses: ["::1", "127.0.0.1"] }),
  ];
  expect([await rpc(far, user), await rpc(near, user)]).toEqual([401, 200]);
});

/** What a method comes to: its payload, or the code of its refusal. */
// oxlint-disable-next-line typescript/no-explicit-any
async function called(port: number, token: string, [method, params = {}]: [string, object?]): Promise<any> {
  const headers = { authorization: `Bearer ${token}` };
  const body = JSON.stringify({ id: "1", method, params });
  const response = await fetch(`http://127.0.0.1:${port}/rpc`, { method: "POST", headers, body });
  const { payload, error } = (await response.json()) as { payload?: unknown; error?: { code: string } };
  return error?.code ?? payload;
}

/** Who a finished run of `quick` says it was started by. */
async function starterOf(port: number, token: string, runId: string): Promise<string> {
  for (;;) {
    const output = await called(port, token, ["getNodeOutput", { runId, nodeId: "say" }]);
    if (output.status === "produced") return output.row.by;
  }
}

test("A5: two tokens of one role are two users", async () => {
  const grant = { role: "operator", scopes: ["run:write"] };
  const port = await gatewayPort({ mode: "token", tokens: { "t-1": grant, "t-2": grant } });
  const starter = async (token: string): Promise<string> =>
    starterOf(port, token, (await called(port, token, ["launchRun", { workflow: "quick" }])).runId);

  const [one, two] = [await starter("t-1"), await starter("t-2")];

  expect(one).toMatch(/^token:[0-9a-f]{8} operator run:write$/);
  expect(two).not.toBe(one);
});

test("C4: a socket is closed when the JWT of its caller has run out", async () => {
  const secret = "a secret of thirty-two characters";
  const port = await gatewayPort({ mode: "jwt", issuer: "us", audience: "gw", secret });
  const endsAtS = Math.ceil(Date.now() / 1_000) + 1;
  vi.useFakeTimers({ toFake: ["Date"], now: endsAtS * 1_000 - 50 }); // and so it stays until the caller is let in
  onTestFinished(() => void vi.useRealTimers());
  const token = await new SignJWT({ scope: "run:read" })
    .setProtectedHeader({ alg: "HS256" })
    .setSubject("joe")
    .setIssuer("us")
    .setAudience("gw")
    .setExpirationTime(endsAtS)
    .sign(new TextEncoder().encode(secret));
  const ws = new WebSocket(`ws://127.0.0.1:${port}`);
  await once(ws, "message");
  const params = { minProtocol: 1, maxProtocol: 1, client: { name: "t", version: "1" }, auth: { token } };
  ws.send(JSON.stringify({ type: "req", id: "1", method: "connect", params }));
  const [hello] = (await once(ws, "message")) as [Buffer];
  expect(JSON.parse(hello.toString())).toMatchObject({ ok: true, payload: { auth: { userId: "joe" } } });

  const [code] = (await once(ws, "close")) as [number];

  expect(code).toBe(4401);
});

test("G2: who may only write crons starts no run, neither at once nor by the clock", async () => {
  const tokens = {
    "t-cron": { role: "cron", scopes: ["cron:write"] },
    "t-named": { role: "cron", scopes: ["cron.*", "cronRun"] },
    "t-both": { role: "cron", scopes: ["cron:write", "run:write"] },
  };
  const port = await gatewayPort({ mode: "token", tokens });
  const run: [string, object] = ["cronRun", { workflow: "quick", input: {} }];
  const add: [string, object] = ["cronCreate", { workflow: "quick", pattern: "* * * * *" }];

  for (const token of ["t-cron", "t-named"])
    expect([await called(port, token, run), await called(port, token, add)]).toEqual(["Forbidden", "Forbidden"]);
  expect(await called(port, "t-cron", ["cronList"])).toEqual({ crons: [] });
  expect(await called(port, "t-both", run)).toMatchObject({ workflow: "quick" });
});

test("P3: what a cron starts is its maker's, with his scopes; of a cron whose maker is not known it may nothing", async () => {
  const scopes = ["cron:write", "run:write"];
  const port = await gatewayPort({ mode: "token", tokens: { "t-ann": { role: "dev", scopes, userId: "ann" } } });
  for (const cronId of ["known", "unknown"])
    await called(port, "t-ann", ["cronCreate", { workflow: "quick", pattern: "* * * * *", cronId }]);

  const db = new DatabaseSync(join(rootDir, "smithers.db"));
  db.exec("UPDATE _smithers_schedules SET maker = 'null' WHERE schedule_id = 'unknown'");
  db.exec("UPDATE _smithers_schedules SET seen_ms = seen_ms - 60000"); // a minute is due
  db.close();

  const started = async (): Promise<readonly { readonly runId: string }[]> => {
    for (;;) {
      const { runs } = await called(port, "t-ann", ["listRuns"]);
      if (runs.length >= 2) return runs;
    }
  };
  const starters = await Promise.all((await started()).map(({ runId }) => starterOf(port, "t-ann", runId)));
  expect(new Set(starters)).toEqual(new Set(["ann dev cron:write run:write", "cron:unknown cron "]));
});

test.each([{ allowedUsers: ["alice"] }, { allowedScopes: ["approval:submit"] }])(
  "R1: whoever has the one token is not therefore whom an approval allows: %o",
  async (only) => {
    const port = await servedPort({ workflow: gated(only), authToken: "s3" });
    const decide = (verdict: string): Promise<number> =>
      status(port, `/${verdict}/gate`, { "x-smithers-key": "s3" }, '{"decidedBy":"alice"}');

    expect([await decide("approve"), await decide("deny")]).toEqual([403, 403]);
    const view = await fetch(`http://127.0.0.1:${port}/`, { headers: { "x-smithers-key": "s3" } });
    expect(await view.json()).toMatchObject({ status: "waiting-approval" });
  },
);
