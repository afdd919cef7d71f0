import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { GATEWAY, type MethodName } from "@smooth/protocol/gateway";
import { finishedRun, RUN_ID, serveTestGateway } from "../testing/test-gateway.ts";
import { rawRequest } from "../testing/raw-http.ts";

const json = { "content-type": "application/json" };
const rpc = (method: string) => `/v1/rpc/${method}`;
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const error = (code: string, rest: object = {}) => ({ error: expect.objectContaining({ code, ...rest }) as object });

const everyRoute = [
  ...Object.keys(GATEWAY).map((name) => ["POST", rpc(name)] as const),
  ["GET", rpc("streamRunEvents")] as const,
  ["GET", "/v1/openapi.json"] as const,
  ["GET", "/v1/ws"] as const,
  ["GET", "/v1/whatever"] as const,
  ["POST", rpc("nothingLikeThis")] as const,
];

describe("the door", () => {
  test("N2: every route under /v1 refuses a caller without a token, on both listeners, and runs nothing", async () => {
    let calls = 0;
    const count = () => void (calls += 1) as never;
    const handlers = Object.fromEntries(Object.keys(GATEWAY).map((name) => [name, count]));
    await using host = await serveTestGateway(handlers, { publicOrigins: () => ["https://s.th.smoo.ai"] });
    const tunnel = { url: host.gateway.tunnelUrl, headers: { host: "s.th.smoo.ai" } };

    for (const { url, headers } of [{ url: host.url, headers: {} }, tunnel]) {
      for (const [method, path] of everyRoute) {
        const body = method === "POST" ? "{}" : undefined;
        const sent = { method, headers: { ...json, ...headers }, ...(body !== undefined && { body }) };
        const { status, json: read } = await rawRequest(url + path, sent);
        expect({ path, status, body: read() }).toEqual({ path, status: 401, body: error("UNAUTHENTICATED") });
      }
    }
    expect(calls).toBe(0);
  });

  test("a wrong bearer is nobody, whatever else it brings", async () => {
    await using host = await serveTestGateway({});
    const { secret } = host.sessions.createLink({ role: "owner", ttlMs: 60_000, by: "ada" });
    const session = host.sessions.redeemLink(secret).secret;
    const headers = { ...json, ...bearer("wrong"), cookie: `smooth=${session}` };

    expect((await rawRequest(host.url + rpc("whoAmI"), { method: "POST", headers })).status).toBe(401);
  });

  test("N1: a Host that is not this listener's is refused, with a good token too", async () => {
    await using host = await serveTestGateway({}, { publicOrigins: () => ["https://s.th.smoo.ai"] });
    for (const [url, name] of [
      [host.url, "evil.example"],
      [host.url, "s.th.smoo.ai"],
      [host.url, "127.0.0.1:1"],
      [host.gateway.tunnelUrl, "127.0.0.1"],
      [host.gateway.tunnelUrl, "other.th.smoo.ai"],
    ] as const) {
      for (const path of ["/", "/healthz", "/_session", "/v1/openapi.json"]) {
        const { status, json: read } = await rawRequest(url + path, { headers: { host: name, ...bearer(host.token) } });
        expect({ name, path, status, body: read() }).toEqual({
          name,
          path,
          status: 403,
          body: error("FORBIDDEN_ORIGIN"),
        });
      }
    }
  });

  test("N1: a foreign Origin or a page of another site is refused", async () => {
    await using host = await serveTestGateway({});
    for (const foreign of [
      { origin: "http://evil.example" },
      { origin: "null" },
      { origin: "http://localhost:1" },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]) {
      const headers = { ...json, ...bearer(host.token), ...foreign };
      const { status, json: read } = await rawRequest(host.url + rpc("whoAmI"), { method: "POST", headers });
      expect({ foreign, status, body: read() }).toEqual({ foreign, status: 403, body: error("FORBIDDEN_ORIGIN") });
    }
    const own = { ...json, ...bearer(host.token), origin: host.url, "sec-fetch-site": "same-origin" };
    expect((await rawRequest(host.url + rpc("whoAmI"), { method: "POST", headers: own })).status).toBe(200);
  });

  test("the tunnel's listener says who came by the tunnel", async () => {
    await using host = await serveTestGateway({}, { publicOrigins: () => ["https://s.th.smoo.ai"] });
    const headers = { ...json, ...bearer(host.token), host: "s.th.smoo.ai" };
    const tunnel = await rawRequest(host.gateway.tunnelUrl + rpc("whoAmI"), { method: "POST", headers });
    const local = await rawRequest(host.url + rpc("whoAmI"), {
      method: "POST",
      headers: { ...json, ...bearer(host.token) },
    });

    expect(tunnel.json()).toEqual({ name: "ada", role: "owner", via: "tunnel" });
    expect(local.json()).toEqual({ name: "ada", role: "owner", via: "local" });
  });

  test("N3: a caller over its budget is told when to come back; another caller is not disturbed", async () => {
    await using host = await serveTestGateway({}, { limits: { requests: { burst: 3, perSecond: 0.001 } } });
    const ask = (headers: Record<string, string>) =>
      rawRequest(host.url + rpc("whoAmI"), { method: "POST", headers: { ...json, ...headers } });
    const statuses: number[] = [];
    for (let n = 0; n < 4; n += 1) statuses.push((await ask({})).status);

    expect(statuses).toEqual([401, 401, 401, 429]);
    expect((await ask(bearer(host.token))).status).toBe(200);
    const refused = await ask({});
    expect(refused.json()).toEqual(error("RATE_LIMITED"));
    expect(Number(refused.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  });

  test("L1: nothing listens beyond loopback", async () => {
    await using host = await serveTestGateway({});
    expect([host.url, host.gateway.tunnelUrl].map((url) => new URL(url).hostname)).toEqual(["127.0.0.1", "127.0.0.1"]);
  });
});

describe("bodies", () => {
  const post = async (host: { url: string; token: string }, method: string, body: string, type = "application/json") =>
    rawRequest(host.url + rpc(method), {
      method: "POST",
      headers: { "content-type": type, ...bearer(host.token) },
      body,
    });

  test("a wrong shape is 400 and names the path; nothing runs", async () => {
    let ran = false;
    const steerRun = async () => ({ ok: (ran = true) as true });
    await using host = await serveTestGateway({ steerRun });

    const wrong = await post(host, "steerRun", JSON.stringify({ runId: RUN_ID, text: "", extra: 1 }));
    expect(wrong.status).toBe(400);
    expect(wrong.json()).toEqual(
      error("INVALID_INPUT", { message: expect.stringContaining("steerRun: text:") as string }),
    );
    expect(ran).toBe(false);
  });

  test.each([
    ["not JSON", "{", "application/json", 400, "INVALID_INPUT"],
    ["JSON of another kind", "[]", "application/json", 400, "INVALID_INPUT"],
    ["a form", "a=b", "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["text that hides JSON", "{}", "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE"],
    ["a JSON-ish type", "{}", "application/jsonp", 415, "UNSUPPORTED_MEDIA_TYPE"],
  ])("%s is refused", async (_, body, type, status, code) => {
    await using host = await serveTestGateway({});
    const answer = await post(host, "whoAmI", body, type);

    expect({ status: answer.status, body: answer.json() }).toEqual({ status, body: error(code) });
  });

  test("an empty body is an empty input", async () => {
    await using host = await serveTestGateway({});
    expect((await post(host, "whoAmI", "")).status).toBe(200);
  });

  test("a body over the limit is 413, announced or not", async () => {
    await using host = await serveTestGateway({}, { limits: { bodyBytes: 1_000 } });
    const big = JSON.stringify({ text: "x".repeat(2_000) });
    const chunked = await fetch(host.url + rpc("whoAmI"), {
      method: "POST",
      headers: { ...json, ...bearer(host.token) },
      body: new Blob([big]).stream(),
      duplex: "half",
    } as RequestInit);

    expect((await post(host, "whoAmI", big)).json()).toEqual(error("PAYLOAD_TOO_LARGE"));
    expect(chunked.status).toBe(413);
  });
});

describe("methods", () => {
  test("an unknown name is 404, also one every object has", async () => {
    await using host = await serveTestGateway({});
    for (const name of ["dance", "constructor", "__proto__", "toString"]) {
      const { status, json: read } = await rawRequest(host.url + rpc(name), {
        method: "POST",
        headers: { ...json, ...bearer(host.token) },
      });
      expect({ name, status, body: read() }).toEqual({ name, status: 404, body: error("METHOD_NOT_FOUND") });
    }
  });

  test("the wrong verb is 405 and names the right one", async () => {
    await using host = await serveTestGateway({ ...finishedRun(1) });
    for (const [verb, path, allow] of [
      ["GET", rpc("whoAmI"), "POST"],
      ["PUT", rpc("whoAmI"), "POST"],
      ["DELETE", rpc("streamRunEvents"), "GET, POST"],
      ["POST", "/v1/openapi.json", "GET"],
      ["POST", "/healthz", "GET"],
      ["PUT", "/_session", "GET, POST, DELETE"],
    ] as const) {
      const answer = await rawRequest(host.url + path, { method: verb, headers: bearer(host.token) });
      expect({ path, status: answer.status, allow: answer.headers.allow }).toEqual({ path, status: 405, allow });
    }
  });

  test("D1: a role without the scope is refused before the handler, and it is logged", async () => {
    let ran = false;
    const shutdown = async () => ({ ok: (ran = true) as true });
    await using host = await serveTestGateway({ shutdown });
    const { secret } = host.sessions.createLink({ role: "approver", ttlMs: 60_000, by: "ada" });
    const cookie = `smooth=${host.sessions.redeemLink(secret).secret}`;
    const { status, json: read } = await rawRequest(host.url + rpc("shutdown"), {
      method: "POST",
      headers: { ...json, cookie },
    });

    expect({ status, body: read(), ran }).toEqual({ status: 403, body: error("POLICY_DENIED"), ran: false });
    expect(host.log.map(({ event }) => event)).toContain("gateway.denied");
  });

  test("a bug answers INTERNAL; its text stays in the log", async () => {
    const hostStatus = async () => {
      throw new TypeError("password is hunter2");
    };
    await using host = await serveTestGateway({ hostStatus });
    const answer = await rawRequest(host.url + rpc("hostStatus"), {
      method: "POST",
      headers: { ...json, ...bearer(host.token) },
    });

    expect({ status: answer.status, body: answer.json() }).toEqual({ status: 500, body: error("INTERNAL") });
    expect(answer.text).not.toContain("hunter2");
    expect(JSON.stringify(host.log)).toContain("hunter2");
  });

  test("OpenAPI has every method, with its scope and its refusals", async () => {
    await using host = await serveTestGateway({});
    const { json: read } = await rawRequest(`${host.url}/v1/openapi.json`, { headers: bearer(host.token) });
    const { paths } = read() as { paths: Record<string, { post: { "x-scope": string; responses: object } }> };

    expect(Object.keys(paths)).toEqual(Object.keys(GATEWAY).map(rpc));
    for (const name of Object.keys(GATEWAY) as MethodName[]) {
      expect(paths[rpc(name)]?.post["x-scope"]).toBe(GATEWAY[name].scope);
    }
    expect(Object.keys(paths[rpc("decideAsk")]?.post.responses ?? {})).toEqual(
      expect.arrayContaining(["200", "401", "404", "409"]),
    );
  });

  test("/healthz says only that it lives", async () => {
    await using host = await serveTestGateway({});
    expect((await rawRequest(`${host.url}/healthz`)).json()).toEqual({ ok: true });
  });
});

test("an upgrade to anything but WebSocket is answered like any request", async () => {
  await using host = await serveTestGateway({});
  const headers = { connection: "Upgrade, HTTP2-Settings", upgrade: "h2c", "http2-settings": "AAMAAABk" };

  expect((await rawRequest(`${host.url}/healthz`, { headers })).status).toBe(200);
});

test("bytes that are not HTTP hurt nobody else", async () => {
  await using host = await serveTestGateway({});
  const { hostname, port } = new URL(host.url);
  for (const junk of [
    "\0\0\0\0\r\n\r\n",
    "GET http://evil/ HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: [\r\n\r\n",
    "POST /v1/rpc/x HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
  ]) {
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), hostname, () => socket.end(junk));
      socket
        .on("close", () => resolve())
        .on("error", () => {})
        .resume();
    });
  }
  expect((await rawRequest(`${host.url}/healthz`)).status).toBe(200);
});

test("a taken port is a refusal a person can act on", async () => {
  await using host = await serveTestGateway({});
  const port = Number(new URL(host.url).port);

  await expect(serveTestGateway({}, { port })).rejects.toThrow(
    `port ${port} is taken by another program; choose another`,
  );
});
