import { exportJWK, generateKeyPair, SignJWT, type CryptoKey } from "jose";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemIds } from "@smooth/platform/node/system";
import { ManualClock } from "@smooth/platform/testing";
import { PublicJwk } from "@smooth/protocol/host-sync";
import { CLOSE, SESSION_PATH, SOCKET_PATH } from "../wire.ts";
import { endlessRun, RUN_ID, serveTestGateway } from "../testing/test-gateway.ts";
import { rawRequest } from "../testing/raw-http.ts";
import { readOrMintToken } from "./auth.ts";
import { openSessions, sessionLink } from "./sessions.ts";

const hostId = "host-00000001";
const { publicKey, privateKey } = await generateKeyPair("EdDSA");
const key = PublicJwk.parse(await exportJWK(publicKey));

function bench() {
  const sql = openSqlite(":memory:");
  onTestFinished(() => sql.close());
  const clock = new ManualClock();
  return { sql, clock, sessions: openSessions({ sql, clock, ids: systemIds, dashboard: () => ({ key, hostId }) }) };
}

let serial = 0;
function assertion(clock: ManualClock, change: object = {}, signer: CryptoKey = privateKey): Promise<string> {
  const iat = Math.floor(clock.now() / 1_000);
  const jti = `assertion-${String((serial += 1)).padStart(10, "0")}`;
  const claims = {
    iss: "smooth-web",
    aud: hostId,
    sub: "user-1",
    name: "Bob",
    role: "steerer",
    jti,
    iat,
    exp: iat + 60,
  };
  return new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg: "EdDSA" }).sign(signer);
}

describe("links", () => {
  test("S2: a link signs in one person, once", () => {
    const { sessions } = bench();
    const { secret } = sessions.createLink({ role: "approver", ttlMs: 60_000, by: "ada" });
    const signedIn = sessions.redeemLink(secret);

    expect(sessions.find(signedIn.secret)).toEqual(signedIn.session);
    expect(signedIn.session.role).toBe("approver");
    expect(() => sessions.redeemLink(secret)).toThrow(/used already or has expired/);
    expect(sessions.find(secret)).toBeNull();
  });

  test("a link and a session end when their time is over", async () => {
    const { sessions, clock } = bench();
    const [early, late] = [1, 2].map(() => sessions.createLink({ role: "viewer", ttlMs: 60_000, by: "ada" }).secret);
    const { secret } = sessions.redeemLink(early as string);
    await clock.advance(60_000);
    expect(() => sessions.redeemLink(late as string)).toThrow(/expired/);

    expect(sessions.find(secret)).not.toBeNull();
    await clock.advance(12 * 3_600_000);
    expect(sessions.find(secret)).toBeNull();
    expect(sessions.list()).toEqual([]);
  });

  test("S1: no secret is at rest", () => {
    const { sessions, sql } = bench();
    const links = [1, 2].map(() => sessions.createLink({ role: "viewer", ttlMs: 60_000, by: "ada" }).secret);
    const { secret } = sessions.redeemLink(links[0] as string);
    const rows = [...sql.all("SELECT * FROM session"), ...sql.all("SELECT * FROM session_link")];
    const bytes = rows.flatMap((row) =>
      Object.values(row).map((value) =>
        value instanceof Uint8Array ? Buffer.from(value).toString("latin1") : String(value),
      ),
    );

    expect(rows).toHaveLength(2);
    for (const leaked of [...links, secret]) expect(bytes.join("\n")).not.toContain(leaked);
  });

  test("revoking takes one session, or all of a person", () => {
    const { sessions } = bench();
    const join = () => sessions.redeemLink(sessions.createLink({ role: "viewer", ttlMs: 60_000, by: "ada" }).secret);
    const [first, second] = [join(), join()];

    expect(sessions.revoke({ id: first.session.id })).toBe(1);
    expect(sessions.revoke({ name: second.session.name })).toBe(1);
    expect([sessions.find(first.secret), sessions.find(second.secret)]).toEqual([null, null]);
  });

  test("the secret is in the fragment only", () => {
    expect(sessionLink("https://s.th.smoo.ai", "abc")).toBe("https://s.th.smoo.ai/_session#link=abc");
  });
});

describe("the dashboard's word", () => {
  test("signs in the member with the role it says", async () => {
    const { sessions, clock } = bench();
    const { session } = await sessions.redeemAssertion(await assertion(clock));

    expect(session).toMatchObject({ name: "Bob", role: "steerer" });
  });

  test("S2: holds once", async () => {
    const { sessions, clock } = bench();
    const word = await assertion(clock);
    const outcomes = await Promise.allSettled([sessions.redeemAssertion(word), sessions.redeemAssertion(word)]);

    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await clock.advance(64_000);
    await expect(sessions.redeemAssertion(word)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  const iatIn = (clock: ManualClock, seconds: number) => Math.floor(clock.now() / 1_000) + seconds;
  test.each([
    ["for another host", async (clock: ManualClock) => assertion(clock, { aud: "host-00000002" })],
    ["from somebody else", async (clock: ManualClock) => assertion(clock, { iss: "smooth-rendezvous" })],
    [
      "with another key",
      async (clock: ManualClock) => assertion(clock, {}, (await generateKeyPair("EdDSA")).privateKey),
    ],
    [
      "that is stale",
      async (clock: ManualClock) => assertion(clock, { iat: iatIn(clock, -130), exp: iatIn(clock, -70) }),
    ],
    ["that lives long", async (clock: ManualClock) => assertion(clock, { exp: iatIn(clock, 3_600) })],
    [
      "from the future",
      async (clock: ManualClock) => assertion(clock, { iat: iatIn(clock, 120), exp: iatIn(clock, 180) }),
    ],
    ["without an id", async (clock: ManualClock) => assertion(clock, { jti: undefined })],
    ["with an unknown role", async (clock: ManualClock) => assertion(clock, { role: "root" })],
    ["unsigned", async (clock: ManualClock) => `${(await assertion(clock)).split(".").slice(0, 2).join(".")}.`],
    ["with alg none", async () => `${btoa('{"alg":"none"}')}.${btoa("{}")}.`],
  ])("%s does not hold", async (_, make) => {
    const { sessions, clock } = bench();
    await expect(sessions.redeemAssertion(await make(clock))).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(sessions.list()).toEqual([]);
  });

  test("means nothing to a host that is not paired", async () => {
    const { sql, clock } = bench();
    const alone = openSessions({ sql, clock, ids: systemIds, dashboard: () => null });
    await expect(alone.redeemAssertion(await assertion(clock))).rejects.toThrow(/not paired/);
  });
});

describe("over HTTP", () => {
  const json = { "content-type": "application/json" };
  const site = { host: "s.th.smoo.ai", origin: "https://s.th.smoo.ai" };
  const publicOrigins = () => ["https://s.th.smoo.ai", "http://s.th.localhost:8788"];

  test("I1, I2: looking uses nothing up; the POST gives a cookie that scripts and other sites cannot use", async () => {
    await using host = await serveTestGateway({}, { publicOrigins });
    const { secret } = host.sessions.createLink({ role: "viewer", ttlMs: 60_000, by: "ada" });
    const page = await rawRequest(host.gateway.tunnelUrl + SESSION_PATH, { headers: { host: site.host } });
    const script = await rawRequest(`${host.gateway.tunnelUrl}${SESSION_PATH}/landing.js`, {
      headers: { host: site.host },
    });
    const post = () =>
      rawRequest(host.gateway.tunnelUrl + SESSION_PATH, {
        method: "POST",
        headers: { ...json, ...site },
        body: JSON.stringify({ secret }),
      });
    const answer = await post();
    const [cookie] = answer.headers["set-cookie"] ?? [];

    expect([page.status, script.headers["content-type"]]).toEqual([200, "text/javascript"]);
    expect(page.headers).toMatchObject({
      "referrer-policy": "no-referrer",
      "x-robots-tag": "noindex",
      "cache-control": "no-store",
    });
    expect(answer.json()).toMatchObject({ role: "viewer" });
    expect(cookie).toMatch(/^__Host-smooth=[\w-]{43}; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Strict$/);
    expect((await post()).status).toBe(401);

    const whoAmI = { method: "POST", headers: { ...json, ...site, cookie: (cookie ?? "").split(";")[0] ?? "" } };
    expect((await rawRequest(`${host.gateway.tunnelUrl}/v1/rpc/whoAmI`, whoAmI)).json()).toMatchObject({
      role: "viewer",
      via: "tunnel",
    });
    await rawRequest(host.gateway.tunnelUrl + SESSION_PATH, { ...whoAmI, method: "DELETE" });
    expect((await rawRequest(`${host.gateway.tunnelUrl}/v1/rpc/whoAmI`, whoAmI)).status).toBe(401);
  });

  test("the assertion's way, and bodies of another shape", async () => {
    const dashboard = () => ({ key, hostId });
    await using host = await serveTestGateway({}, { dashboard });
    const clock = new ManualClock(Date.now());
    const post = (path: string, body: object, headers: object = {}) =>
      rawRequest(host.url + SESSION_PATH + path, {
        method: "POST",
        headers: { ...json, ...headers },
        body: JSON.stringify(body),
      });

    const answer = await post("/assertion", { assertion: await assertion(clock) });
    expect(answer.json()).toMatchObject({ name: "Bob", role: "steerer" });
    expect(answer.headers["set-cookie"]?.[0]).toMatch(/^smooth=.*HttpOnly; SameSite=Strict$/);
    expect((await post("", { secret: "" })).status).toBe(400);
    expect((await post("/assertion", { assertion: "x".repeat(30) })).status).toBe(401);
    expect((await post("", { secret: "x".repeat(43) }, { "sec-fetch-site": "same-site" })).status).toBe(403);
  });

  test("C1: a revoked session loses its open stream and socket", async () => {
    await using host = await serveTestGateway(endlessRun().handlers);
    const { secret } = host.sessions.createLink({ role: "viewer", ttlMs: 60_000, by: "ada" });
    const { session, secret: cookie } = host.sessions.redeemLink(secret);
    const headers = { cookie: `smooth=${cookie}` };
    const input = encodeURIComponent(JSON.stringify({ runId: RUN_ID }));
    const stream = rawRequest(`${host.url}/v1/rpc/streamRunEvents?input=${input}`, { headers });
    const socket = new WebSocket(host.url.replace("http", "ws") + SOCKET_PATH, { headers });
    const closed = new Promise((resolve) => socket.on("close", resolve));
    await expect.poll(() => host.gateway.watching().length).toBe(2);
    host.sessions.revoke({ id: session.id });

    expect((await stream).text).toMatch(/event: error\ndata: .*"UNAUTHENTICATED"/);
    expect(await closed).toBe(CLOSE.signedOut);
    await expect.poll(() => host.gateway.watching()).toEqual([]);
  });
});

test("the owner's token is made once, in a file for its user alone", () => {
  const folder = mkdtempSync(join(tmpdir(), "gateway-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "new", "token");

  expect(readOrMintToken(path)).toBe(readOrMintToken(path));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readOrMintToken(path)).toHaveLength(43);
});
