import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { memoryLog } from "@smooth/platform/testing";
import { systemClock, systemRandom } from "@smooth/platform/node/system";
import { CLOSE, TicketClaims } from "@smooth/protocol/thp";
import { decodeBatch, encodeBatch, encodeJson, encodeText, FRAME } from "@smooth/tunnel/codec";
import { createHostKey, prove, publicHalf, thumbprint } from "@smooth/tunnel/host-key";
import type { DialState } from "@smooth/tunnel/dialer";
import { dial } from "@smooth/tunnel/node/dial";
import fc from "fast-check";
import { decodeJwt } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { ask, begin, openStage, openWire, type Stage, viewerSocket } from "./testing/stage.node.ts";

let stage: Stage;
let slugs = 0;

beforeAll(async () => void (stage = await openStage()));
afterAll(async () => stage[Symbol.asyncDispose]());

/** A served slug of its own per test. */
async function served(more: Parameters<Stage["serve"]>[1] = {}) {
  const slug = `scratch-${String((slugs += 1)).padStart(8, "0")}`;
  const dialer = await stage.serve(slug, more);
  const { port } = stage.rendezvous;
  const host = `${slug}.th.localhost:${port}`;
  return { slug, dialer, port, host, [Symbol.asyncDispose]: () => dialer[Symbol.asyncDispose]() };
}

async function eventually(holds: () => boolean): Promise<void> {
  await expect.poll(holds).toBe(true);
}

function nextMessage(socket: WebSocket): Promise<{ data: Buffer; isBinary: boolean }> {
  return new Promise((resolve) => socket.once("message", (data: Buffer, isBinary) => resolve({ data, isBinary })));
}

describe("requests", () => {
  test("a request reaches the origin as it was, marked as tunnel traffic, and nothing forged survives", async () => {
    await using line = await served();

    const { status, body } = await ask(line.port, "/seen?q=%20a&b=%2F", {
      host: line.host,
      method: "PATCH",
      headers: {
        "content-type": "application/json",
        cookie: "a=1; b=2",
        authorization: "Bearer mine",
        "x-th-via": "loopback",
        "x-th-claims": "{}",
        x_th_via: "loopback",
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-user": "root",
        forwarded: "for=10.0.0.1",
        "cf-connecting-ip": "10.0.0.1",
        "x-real-ip": "10.0.0.1",
        "x-secret-hop": "1",
        connection: "x-secret-hop",
      },
      body: "{}",
    });

    expect(status).toBe(200);
    const { method, url, raw } = JSON.parse(body) as { method: string; url: string; raw: string[] };
    expect({ method, url }).toEqual({ method: "PATCH", url: "/seen?q=%20a&b=%2F" });
    const pairs = raw.flatMap((name, at) => (at % 2 === 0 ? [`${name.toLowerCase()}: ${raw[at + 1]}`] : []));
    expect(pairs).toEqual(
      expect.arrayContaining([
        "cookie: a=1; b=2",
        "authorization: Bearer mine",
        `host: ${line.host}`,
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-proto: http",
        `x-forwarded-host: ${line.host}`,
        "x-th-via: tunnel",
      ]),
    );
    expect(raw.join("\n")).not.toMatch(/10\.0\.0\.1|loopback|x_th|claims|x-forwarded-user|forwarded\n/);
    expect(pairs.filter((pair) => pair.startsWith("x-th-"))).toEqual(["x-th-via: tunnel"]);
  });

  test("an upload and its echo stream at the same time", async () => {
    await using line = await served();
    const body = Buffer.alloc(3 * 1024 * 1024, "y");

    expect((await ask(line.port, "/echo", { host: line.host, method: "POST", body })).body).toBe(body.toString());
    expect((await ask(line.port, "/upload", { host: line.host, method: "PUT", body })).body).toBe(String(body.length));
  });

  test("an early answer arrives while the upload goes on", async () => {
    await using line = await served();
    const body = Buffer.alloc(2 * 1024 * 1024);

    const early = await ask(line.port, "/early", { host: line.host, method: "POST", body });

    expect(early.body).toBe("no need to read it");
    expect((await ask(line.port, "/seen", { host: line.host })).status).toBe(200);
  });

  test("a stream of events is delivered event by event", async () => {
    await using line = await served();

    const events = await begin(line.port, "/events", { host: line.host });
    const [first] = (await once(events, "data")) as [Buffer];

    expect(String(first)).toBe("data: first\n\n");
    expect(events.headers["cache-control"]).toContain("no-transform");
    events.destroy();
  });

  test("compressed bodies, lengths, bodiless statuses and several cookies pass untouched", async () => {
    await using line = await served();
    const get = (path: string, method = "GET") => ask(line.port, path, { host: line.host, method });

    const gzip = await get("/gzip");
    expect(gzip.headers).toMatchObject({ "content-encoding": "gzip" });
    expect(Number(gzip.headers["content-length"])).toBeGreaterThan(20);
    expect((await get("/sized", "HEAD")).headers["content-length"]).toBe("1234");
    expect((await get("/sized")).body).toHaveLength(1234);
    expect((await get("/status?code=204")).status).toBe(204);
    expect((await get("/status?code=304")).status).toBe(304);
    expect((await get("/status?code=500")).status).toBe(500);
    const cookies = await get("/cookies");
    expect(cookies.headers["set-cookie"]).toEqual(["__Host-a=1; Path=/; Secure", "b=2; Path=/"]);
    for (const name of ["alt-svc", "strict-transport-security", "x-th-error"])
      expect(cookies.headers[name]).toBeUndefined();
  });

  test("an answer that the origin breaks off is broken off for the viewer", async () => {
    await using line = await served();

    for (const path of ["/short", "/short?chunked"]) {
      await expect(ask(line.port, path, { host: line.host })).rejects.toThrow(/aborted|hang up|reset/);
    }
  });

  test("a slow reader holds back only its own stream", async () => {
    await using line = await served();
    const slow = await begin(line.port, "/big?mb=64", { host: line.host });
    slow.pause();

    const quick = await Promise.all(Array.from({ length: 20 }, () => ask(line.port, "/sized", { host: line.host })));
    const whole = await ask(line.port, "/big?mb=8&chunked", { host: line.host });

    expect(quick.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    expect(whole.body).toHaveLength(8 * 1024 * 1024);
    let bytes = 0;
    for await (const chunk of slow) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(64 * 1024 * 1024);
  });

  test.each([
    ["a running stream", "/ticks?endless"],
    ["a quiet stream of events", "/events"],
  ])("a viewer that leaves %s cancels it at the origin", async (_, path) => {
    await using line = await served();
    const before = stage.origin.cancelled.length;
    const viewer = await begin(line.port, path, { host: line.host });
    await once(viewer, "data");

    viewer.destroy();

    await expect.poll(() => stage.origin.cancelled.length).toBeGreaterThan(before);
    await expect.poll(() => line.dialer.stats.openRequests).toBe(0);
  });

  test("more than the allowed streams, or too large a body, is refused at the edge", async () => {
    const limits = { tier: "free", streams: 2, bodyBytes: 1024 } as const;
    await using line = await served({
      getTicket: async () => ({ ticket: await stage.ticket(`scratch-${String(slugs).padStart(8, "0")}`, { limits }) }),
    });
    const open = [
      await begin(line.port, "/ticks?endless", { host: line.host }),
      await begin(line.port, "/ticks?endless", { host: line.host }),
    ];

    const third = await ask(line.port, "/seen", { host: line.host });
    for (const response of open) response.destroy();
    await eventually(() => line.dialer.stats.openRequests === 0);
    const body = Buffer.alloc(4096);
    const sized = await ask(line.port, "/upload", { host: line.host, method: "POST", body });
    const chunked = await ask(line.port, "/upload", {
      host: line.host,
      method: "POST",
      headers: { "transfer-encoding": "chunked" },
      body,
    });

    expect([third.status, third.headers["x-th-error"]]).toEqual([429, "too_many_streams"]);
    expect([sized.status, sized.headers["x-th-error"]]).toEqual([413, "body_too_large"]);
    expect([chunked.status, chunked.headers["x-th-error"]]).toEqual([413, "body_too_large"]);
  });
});

describe("sockets", () => {
  test("messages of all sizes and both kinds come back as they went, with the chosen subprotocol", async () => {
    await using line = await served();
    const socket = viewerSocket(line.port, "/ws", { protocols: ["other", "chat"], headers: { host: line.host } });
    await once(socket, "open");

    expect(socket.protocol).toBe("chat");
    for (const size of [0, 1, 65_535, 65_536, 65_537, 5 * 1024 * 1024]) {
      const sent = Buffer.alloc(size, 7);
      socket.send(sent);
      const { data, isBinary } = await nextMessage(socket);
      expect([isBinary, data.equals(sent)]).toEqual([true, true]);
    }
    socket.send("héllo ☃");
    const text = await nextMessage(socket);
    expect([text.isBinary, text.data.toString()]).toEqual([false, "héllo ☃"]);
    socket.terminate();
    await eventually(() => line.dialer.stats.openSockets === 0);
  });

  test("close codes and reasons pass both ways", async () => {
    await using line = await served();
    const headers = { host: line.host };
    // workerd alone keeps the TCP connection after the closing handshake; the client need not wait for it
    const closing = viewerSocket(line.port, "/ws/close?code=4321", { headers, closeTimeout: 100 });
    const [code, reason] = (await once(closing, "close")) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4321, "as you wish"]);

    const leaving = viewerSocket(line.port, "/ws", { headers });
    await once(leaving, "open");
    leaving.close(4005, "thank you");
    await eventually(() => stage.origin.closes.includes("4005 thank you"));
  });

  test("a refused upgrade shows the origin's status", async () => {
    await using line = await served();
    const socket = viewerSocket(line.port, "/nope", { headers: { host: line.host } });
    const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(403);
  });

  test("another site's page cannot open a socket", async () => {
    await using line = await served();
    const own = viewerSocket(line.port, "/ws", { headers: { host: line.host, origin: `http://${line.host}` } });
    await once(own, "open");
    own.terminate();

    const foreign = viewerSocket(line.port, "/ws", { headers: { host: line.host, origin: "https://evil.example" } });
    const [, response] = (await once(foreign, "unexpected-response")) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(403);
  });

  test("after the object slept, the old sockets still echo and new requests are answered", async () => {
    const log = memoryLog();
    await using line = await served({ log });
    const socket = viewerSocket(line.port, "/ws", { headers: { host: line.host } });
    await once(socket, "open");
    socket.send("before");
    await nextMessage(socket);
    const servedBefore = line.dialer.stats.requestsServed;

    await systemClock.sleep(14_000); // workerd hibernates an object that was idle for 10 s

    socket.send("after");
    expect((await nextMessage(socket)).data.toString()).toBe("after");
    expect((await ask(line.port, "/seen", { host: line.host })).status).toBe(200);
    expect(line.dialer.stats.requestsServed).toBe(servedBefore + 1);
    expect(log.lines.map(({ event }) => event)).toContain("tunnel.resync");
    socket.close(4005, "bye");
    await once(socket, "close");
    await eventually(() => line.dialer.stats.openSockets === 0);
  });
});

describe("who may hold a slug", () => {
  async function refusedWith(ticket: string): Promise<number> {
    const socket = new WebSocket(stage.rendezvous.connectUrl.replace("connect.th.localhost", "127.0.0.1"), "thp.1", {
      headers: { host: `connect.th.localhost:${stage.rendezvous.port}`, authorization: `Bearer ${ticket}` },
    });
    const [code] = (await once(socket, "close")) as [number];
    return code;
  }

  test("a ticket that is forged, expired, too long or for another rendezvous is closed with 4401", async () => {
    const now = Math.floor(Date.now() / 1000);
    const [head = "", , signature = ""] = (await stage.ticket("scratch-x0000001")).split(".");
    const forged = `${head}.${btoa(JSON.stringify({ slug: "scratch-x0000001" })).replaceAll("=", "")}.${signature}`;

    expect(await refusedWith("")).toBe(CLOSE.ticket);
    expect(await refusedWith(forged)).toBe(CLOSE.ticket);
    expect(await refusedWith(await stage.ticket("scratch-x0000001", { iat: now - 200, exp: now - 100 }))).toBe(
      CLOSE.ticket,
    );
    expect(await refusedWith(await stage.ticket("scratch-x0000001", { aud: "th.example" }))).toBe(CLOSE.ticket);
  });

  test("three refused tickets end the dialler; a refusing dashboard ends it at once", async () => {
    const bad = await stage.serve("scratch-x0000002", {
      getTicket: async () => ({ ticket: await stage.ticket("scratch-x0000002", { aud: "no" }) }),
    });
    expect(bad.state).toMatchObject({ kind: "ended", reason: "ticket-refused" });
  });

  test("a spent ticket opens nothing", async () => {
    const ticket = await stage.ticket("scratch-x0000003");
    await using _first = await stage.serve("scratch-x0000003", { getTicket: async () => ({ ticket }) });
    const second = await stage.serve("scratch-x0000003", { getTicket: async () => ({ ticket }) });
    expect(second.state).toMatchObject({ kind: "ended", reason: "ticket-refused" });
  });

  test("a stolen ticket is useless without the host's key", async () => {
    const thief = await stage.serve("scratch-x0000004", { hostKey: await createHostKey() });
    expect(thief.state).toMatchObject({ kind: "ended", reason: "ticket-refused" });
    expect((await ask(stage.rendezvous.port, "/", { host: "scratch-x0000004.th.localhost" })).status).toBe(404);
  });

  test("another host is told 4409 and the first keeps serving; the same host replaces itself", async () => {
    await using line = await served();
    const otherKey = await createHostKey();
    const jkt = await thumbprint(otherKey);
    const reasons: string[] = [];
    const other = dial({
      connectUrl: stage.rendezvous.connectUrl,
      hostKey: otherKey,
      getTicket: async () => ({ ticket: await stage.ticket(line.slug, { sub: "host-00000002", cnf: { jkt } }) }),
      origin: { port: stage.origin.port },
      clock: systemClock,
      random: systemRandom,
      log: memoryLog(),
      onState: (state) => state.kind === "offline" && reasons.push(state.reason),
    });

    await eventually(() => reasons.length > 0);
    await other[Symbol.asyncDispose]();

    expect(reasons[0]).toBe("another host holds this address");
    expect((await ask(line.port, "/seen", { host: line.host })).status).toBe(200);
    await using again = await stage.serve(line.slug);
    expect((await line.dialer.ended).reason).toBe("replaced");
    expect(again.state.kind).toBe("serving");
    expect((await ask(line.port, "/seen", { host: line.host })).status).toBe(200);
  });
});

describe("when something is not there", () => {
  test("names outside the base domain are 421, unknown slugs a constant 404", async () => {
    const { port } = stage.rendezvous;
    for (const host of [
      "evil.example",
      "th.localhost",
      "a.b.th.localhost",
      "xn--abc.th.localhost",
      "127.0.0.1",
      "abc.th.localhost.",
    ]) {
      expect([host, (await ask(port, "/", { host })).status]).toEqual([host, 421]);
    }
    const [one, two] = await Promise.all([
      ask(port, "/", { host: "nobody-1.th.localhost" }),
      ask(port, "/_th/health?x", { host: "nobody-2.th.localhost" }),
    ]);
    expect([one.status, one.headers["x-th-error"], one.body]).toEqual([404, "unknown_slug", two.body]);
  });

  test("an offline host is 503: a page that reloads itself for people, JSON for programs", async () => {
    const line = await served();
    await line.dialer[Symbol.asyncDispose]();

    const page = await ask(line.port, "/runs", { host: line.host, headers: { accept: "text/html" } });
    const json = await ask(line.port, "/runs", { host: line.host });

    expect([page.status, page.headers["x-th-error"]]).toEqual([503, "host_offline"]);
    expect(page.body).toContain('http-equiv="refresh"');
    expect(page.body).toContain("prefers-color-scheme:dark");
    expect(JSON.parse(json.body)).toMatchObject({ error: "host_offline" });
    expect((await ask(line.port, "/_th/health", { host: line.host })).body).toContain('"host":"offline"');
    expect((await ask(line.port, "/_th/other", { host: line.host })).status).toBe(404);
  });

  test("an origin that is down is 502", async () => {
    const closed = createServer().listen(0);
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    await using line = await served({ origin: { port } });

    const { status, headers } = await ask(line.port, "/", { host: line.host });

    expect([status, headers["x-th-error"]]).toEqual([502, "origin_unreachable"]);
  });

  test("hostile paths and methods are refused before the origin sees them", async () => {
    await using line = await served();
    const before = line.dialer.stats.requestsServed;

    for (const path of ["//evil.example/", "/\\evil.example"]) {
      expect([path, (await ask(line.port, path, { host: line.host })).status]).toEqual([path, 400]);
    }
    expect((await ask(line.port, "/", { host: line.host, method: "TRACE" })).status).toBeGreaterThanOrEqual(400);

    expect(line.dialer.stats.requestsServed).toBe(before);
  });
});

/** A host of our own making: through the handshake, then whatever the test says. */
async function rawHost(slug: string): Promise<WebSocket> {
  const ticket = await stage.ticket(slug);
  const socket = new WebSocket(`ws://127.0.0.1:${stage.rendezvous.port}/v1/host`, "thp.1", {
    headers: { host: `connect.th.localhost:${stage.rendezvous.port}`, authorization: `Bearer ${ticket}` },
  });
  const { data } = await nextMessage(socket);
  const { nonce } = JSON.parse(data.toString()) as { nonce: string };
  const claims = TicketClaims.parse(decodeJwt(ticket));
  socket.send(
    JSON.stringify({ t: "hello", key: publicHalf(stage.hostKey), sig: await prove(stage.hostKey, nonce, claims) }),
  );
  await nextMessage(socket);
  return socket;
}

/** Resolves when the edge opens a stream; other batches pass by. It listens until then: two batches may come in one turn. */
function nextOpen(socket: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    const hear = (data: Buffer): void => {
      const batch = decodeBatch(new Uint8Array(data));
      if (batch.kind !== "batch" || !batch.frames.some(({ type }) => type === FRAME.open)) return;
      socket.off("message", hear);
      resolve();
    };
    socket.on("message", hear);
  });
}

describe("when something breaks", () => {
  test("a line cut three times loses and repeats nothing of events, a download, an upload or an echo", async () => {
    await using wire = await openWire(stage.rendezvous.port);
    // Every state, in order: a line that is back before anybody looks was cut all the same.
    const states: DialState[] = [];
    const lives = () => states.filter(({ kind }) => kind === "serving");
    await using line = await served({ connectUrl: wire.connectUrl, onState: (state) => void states.push(state) });
    const body = Buffer.alloc(24 * 1024 * 1024, "u");
    const socket = viewerSocket(line.port, "/ws", { headers: { host: line.host } });
    await once(socket, "open");
    const echoes: string[] = [];
    socket.on("message", (data) => echoes.push(data.toString()));

    const ticks = ask(line.port, "/ticks", { host: line.host });
    const download = ask(line.port, "/big?mb=48", { host: line.host });
    const upload = ask(line.port, "/echo", { host: line.host, method: "POST", body });
    for (let round = 0; round < 3; round += 1) {
      for (let count = 0; count < 20; count += 1) socket.send(`${round}-${count}`);
      await systemClock.sleep(300);
      wire.cut();
      await eventually(() => lives().length === round + 2);
      expect(lives().at(-1)).toMatchObject({ resumed: true });
    }

    const events = (await ticks).body.match(/\d+/g)?.map(Number);
    expect(events).toEqual(Array.from({ length: 100 }, (_, count) => count));
    expect((await download).body).toHaveLength(48 * 1024 * 1024);
    expect((await upload).body === body.toString()).toBe(true);
    await eventually(() => echoes.length === 60);
    expect(echoes).toEqual([0, 1, 2].flatMap((round) => Array.from({ length: 20 }, (_, count) => `${round}-${count}`)));
    socket.terminate();
  });

  test("a request waits a little for a host that lost its line, then is told it is offline", async () => {
    const socket = await rawHost("scratch-y0000001");
    const options = { host: "scratch-y0000001.th.localhost" };
    socket.terminate();
    await once(socket, "close");

    const gone = await ask(stage.rendezvous.port, "/", options);

    expect([gone.status, gone.headers["x-th-error"], gone.headers["retry-after"]]).toEqual([503, "host_offline", "5"]);
  });

  test("a connected host that takes nothing is 504", async () => {
    await using wire = await openWire(stage.rendezvous.port);
    await using line = await served({ connectUrl: wire.connectUrl });
    wire.freeze();

    const frozen = await ask(line.port, "/seen", { host: line.host });

    expect([frozen.status, frozen.headers["x-th-error"]]).toEqual([504, "host_unresponsive"]);
    wire.cut();
  });

  test("malformed messages close their sender with 4400 and harm nobody else", async () => {
    await using line = await served();
    let count = 0;
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 0, maxLength: 64 }), async (bytes) => {
        const host = await rawHost(`scratch-z${String((count += 1)).padStart(7, "0")}`);
        const closed = once(host, "close") as Promise<[number]>;
        host.send(bytes);
        host.send(new Uint8Array([0]));
        expect((await closed)[0]).toBe(CLOSE.protocol);
      }),
      { numRuns: 40 },
    );
    expect((await ask(line.port, "/seen", { host: line.host })).status).toBe(200);
  });

  test("a host that answers with nonsense costs the viewer one error, and the next request is served", async () => {
    const slug = "scratch-y0000002";
    const host = await rawHost(slug);
    let sent = 0;
    const answer = (stream: number, frames: [type: number, payload: Uint8Array][]): void =>
      host.send(
        encodeBatch(
          (sent += 1),
          frames.map(([type, payload]) => ({ type, flags: 1, stream, payload: new Uint8Array(payload) })),
        ),
      );
    const nonsense: [number, Uint8Array][][] = [
      [[FRAME.head, encodeText("not json")]],
      [[FRAME.head, encodeJson({ status: 101 })]],
      [[FRAME.head, encodeJson({ status: 900 })]],
      [
        [
          FRAME.head,
          encodeJson({
            status: 200,
            headers: [
              ["bad name", "x"],
              ["x", "a\r\nb: c"],
            ],
          }),
        ],
        [FRAME.data, new Uint8Array(0)],
      ],
      [[FRAME.data, new Uint8Array(1024 * 1024)]],
      [
        [FRAME.window, new Uint8Array(1)],
        [FRAME.reset, new Uint8Array(0)],
      ],
      [
        [99, new Uint8Array(3)],
        [FRAME.wsMessage, new Uint8Array(3)],
        [FRAME.head, encodeJson({ status: 204 })],
      ],
    ];

    const statuses: number[] = [];
    for (const [index, frames] of nonsense.entries()) {
      const asked = ask(stage.rendezvous.port, "/", { host: `${slug}.th.localhost` });
      await nextOpen(host);
      answer(index + 1, frames);
      statuses.push((await asked).status);
    }

    expect(statuses).toEqual([502, 502, 502, 200, 502, 502, 204]);
    host.terminate();
  });
});
