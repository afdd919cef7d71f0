/** Who gets in by which door, asked by real requests and sockets on loopback, with the headers that a bent browser or a stranger sends. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createSmithers, Gateway, runWorkflow, type GatewayAuthConfig } from "./index.ts";
import { createServeApp } from "./serve.ts";
import { startServer } from "./server.ts";

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
  const gateway = new Gateway({ rootDir, ...(auth ? { auth } : {}) });
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

async function servedPort(options: { readonly authToken?: string } = {}): Promise<number> {
  const { smithers, Workflow } = createSmithers({});
  const runId = randomUUID();
  const workflow = smithers(() => Workflow({ name: "empty", children: [] }));
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
