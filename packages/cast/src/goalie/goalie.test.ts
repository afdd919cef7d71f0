import { once } from "node:events";
import { connect as tlsConnect } from "node:tls";
import { request, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import { readClientHello } from "./client-hello.ts";
import type { AskOutcome } from "../access/asks.ts";
import type { Answer } from "../access/gate.ts";
import { openGoalie } from "./goalie.node.ts";
import { guestOf, httpOrigin, rawOrigin } from "./testing/loopback.ts";

const SECRET = "sk-real-provider-key-0123456789";

describe("forwarding", () => {
  test("an allowed request reaches the origin whole and its answer comes back whole", async () => {
    await using origin = await httpOrigin(
      (incoming, response) =>
        void incoming
          .toArray()
          .then((chunks) =>
            response.writeHead(201, { "x-reply": "Yes" }).end(`got ${Buffer.concat(chunks as Buffer[])}`),
          ),
    );
    await using guest = await guestOf({});

    const reply = await guest.fetch(`http://api.example.org:${origin.port}/v1/a?b=%20c`, {
      method: "POST",
      headers: { "X-Custom": "1" },
      body: "héllo",
    });

    expect(reply).toMatchObject({ status: 201, text: "got héllo", headers: { "x-reply": "Yes" } });
    expect(origin.seen()).toContain(`POST /v1/a?b=%20c HTTP/1.1\r\nHost: api.example.org:${origin.port}\r\n`);
    expect(origin.seen()).toContain("X-Custom: 1");
    expect(guest.audit).toEqual([
      {
        host: "api.example.org",
        port: origin.port,
        method: "POST",
        path: "/v1/a",
        verdict: "allowed",
        rule: "test",
        status: 201,
        bytesOut: 6,
        bytesIn: 10,
      },
    ]);
  });

  test("answers stream: the first part arrives before the second is written", async () => {
    const second = Promise.withResolvers<void>();
    await using origin = await httpOrigin((_incoming, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: 1\n\n");
      void second.promise.then(() => response.end("data: 2\n\n"));
    });
    await using guest = await guestOf({});

    const sent = request({
      host: "127.0.0.1",
      port: guest.port,
      path: `http://api.example.org:${origin.port}/`,
      headers: { host: `api.example.org:${origin.port}` },
      agent: false,
    }).end();
    const [answer] = (await once(sent, "response")) as [NodeJS.ReadableStream];
    const [first] = (await once(answer, "data")) as [Buffer];
    expect(String(first)).toBe("data: 1\n\n");
    second.resolve();
    const [last] = (await once(answer, "data")) as [Buffer];
    expect(String(last)).toBe("data: 2\n\n");
  });

  test("CONNECT carries bytes both ways untouched", async () => {
    await using origin = await rawOrigin((socket) => void socket.pipe(socket));
    await using guest = await guestOf({});

    const { status, socket } = await guest.connect(`api.example.org:${origin.port}`);
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_unused, index) => index % 256));
    socket.end(sent);
    const back = Buffer.concat((await socket.toArray()) as Buffer[]);

    expect(status).toBe(200);
    expect(back.equals(sent)).toBe(true);
    expect(guest.audit[0]).toMatchObject({
      method: "CONNECT",
      verdict: "allowed",
      bytesOut: 300_000,
      bytesIn: 300_000,
    });
  });

  test("WebSocket upgrades pass through", async () => {
    await using origin = await httpOrigin(() => undefined);
    origin.server.on("upgrade", (incoming, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${incoming.headers["sec-websocket-key"]}\r\n\r\n`,
      );
      socket.pipe(socket);
    });
    await using guest = await guestOf({});

    const sent = request({
      host: "127.0.0.1",
      port: guest.port,
      path: `http://api.example.org:${origin.port}/live`,
      headers: {
        host: `api.example.org:${origin.port}`,
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-key": "k",
      },
      agent: false,
    }).end();
    const [answer, socket] = (await once(sent, "upgrade")) as [{ headers: Record<string, string> }, Socket];
    socket.write("ping");
    const [back] = (await once(socket, "data")) as [Buffer];

    expect([answer.headers["sec-websocket-accept"], String(back)]).toEqual(["k", "ping"]);
    socket.destroy();
  });

  test("each request on a kept connection is judged by itself", async () => {
    await using origin = await httpOrigin((_incoming, response) => void response.end("ok"));
    await using guest = await guestOf({
      judge: async ({ path }) =>
        path === "/open" ? { kind: "allow", rule: "open" } : { kind: "deny", rule: "closed", reason: "no" },
    });
    const at = `http://api.example.org:${origin.port}`;
    const text = await guest.raw(
      `GET ${at}/open HTTP/1.1\r\nHost: api.example.org:${origin.port}\r\n\r\nGET ${at}/shut HTTP/1.1\r\nHost: api.example.org:${origin.port}\r\n\r\n`,
    );

    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 403"]);
    expect(origin.seen()).not.toContain("/shut");
  });

  test("a connection may be any duplex stream, a tunnel through it too", async () => {
    await using origin = await rawOrigin((line) => void line.pipe(line));
    await using goalie = openGoalie({
      judge: async () => ({ kind: "allow", rule: "test" }),
      secrets: () => [],
      audit: () => undefined,
      resolve: async () => ["127.0.0.1"],
      addressAllowed: () => true,
    });
    const [guest, host] = duplexPair();
    goalie.accept(host);
    guest.write(`CONNECT api.example.org:${origin.port} HTTP/1.1\r\nHost: api.example.org:${origin.port}\r\n\r\nearly`);
    let text = "";
    for await (const chunk of guest) {
      text += String(chunk);
      if (text.endsWith("early")) break;
    }
    expect(text).toBe("HTTP/1.1 200 Connection Established\r\n\r\nearly");
  });

  test("close cuts a running tunnel", async () => {
    await using origin = await rawOrigin(() => undefined);
    await using guest = await guestOf({});
    const { socket } = await guest.connect(`api.example.org:${origin.port}`);
    guest.close();
    await once(socket.resume(), "close");
    expect(socket.destroyed).toBe(true);
  });
});

describe("G1, G2: nothing leaves without a yes", () => {
  test.each<[string, () => Promise<Answer>]>([
    ["deny", async () => ({ kind: "deny", rule: "network.default", reason: "no rule names this host" })],
    ["silence", () => new Promise(() => undefined)],
    ["a crash", async () => Promise.reject(new Error("wonk is dead"))],
    ["nonsense", async () => ({ kind: "yes" }) as never],
    ["nothing", async () => undefined as never],
  ])("%s from Wonk is a 403, and no connection is made", async (_name, judge) => {
    await using origin = await rawOrigin(() => undefined);
    await using guest = await guestOf({ judge, limits: { decisionMs: 30 } });

    const plain = await guest.fetch(`http://api.example.org:${origin.port}/`);
    const tunnel = await guest.connect(`api.example.org:${origin.port}`);

    expect([plain.status, tunnel.status]).toEqual([403, 403]);
    expect(origin.connections()).toBe(0);
    expect(guest.audit.map(({ verdict }) => verdict)).toEqual(["blocked", "blocked"]);
  });

  test("the refusal names host, rule and the way to ask", async () => {
    await using guest = await guestOf({
      judge: async () => ({ kind: "deny", rule: "network.default", reason: "no rule names this host" }),
    });
    const { error } = JSON.parse((await guest.fetch("http://api.example.org/")).text) as {
      error: Record<string, string>;
    };
    expect(error).toMatchObject({
      code: "POLICY_DENIED",
      host: "api.example.org",
      rule: "network.default",
      help: expect.stringContaining("a person can allow it") as string,
    });
  });

  test("an ask holds the request, past the decision deadline, until a person says yes", async () => {
    const outcome = Promise.withResolvers<AskOutcome>();
    const asked = Promise.withResolvers<void>();
    await using origin = await httpOrigin((_incoming, response) => void response.end("ok"));
    await using guest = await guestOf({
      limits: { decisionMs: 1 },
      judge: async () => {
        asked.resolve();
        return { kind: "ask", rule: "network.default", question: "?", outcome: outcome.promise };
      },
    });

    const reply = guest.fetch(`http://api.example.org:${origin.port}/`);
    await asked.promise;
    await new Promise((resolve) => setImmediate(resolve));
    expect(origin.connections()).toBe(0);
    outcome.resolve({ kind: "approved", by: "ada" });
    expect(await reply).toMatchObject({ status: 200, text: "ok" });
  });

  test.each<[AskOutcome, string]>([
    [{ kind: "denied", by: "ada", note: "not today" }, "denied by ada: not today"],
    [{ kind: "expired" }, "no answer"],
    [{ kind: "void", reason: "the run ended" }, "withdrawn: the run ended"],
  ])("an ask that ends %j is a 403 that says so", async (outcome, words) => {
    await using origin = await rawOrigin(() => undefined);
    await using guest = await guestOf({
      judge: async () => ({ kind: "ask", rule: "r", question: "?", outcome: Promise.resolve(outcome) }),
    });
    const reply = await guest.fetch(`http://api.example.org:${origin.port}/`);
    expect(reply.status).toBe(403);
    expect(reply.text).toContain(words);
    expect(origin.connections()).toBe(0);
  });
});

describe("G3: one resolution, public addresses only", () => {
  test.each([
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "fd00:ec2::254",
    "64:ff9b::7f00:1",
    "::ffff:127.0.0.1",
    "0.0.0.0",
  ])("a name that leads to %s is refused by default", async (address) => {
    await using origin = await rawOrigin(() => undefined);
    await using guest = await guestOf({ resolve: async () => [address], addressAllowed: undefined as never });
    const { status, text } = await guest.fetch(`http://innocent.example.org:${origin.port}/`);
    expect([status, text.includes("goalie.private-address")]).toEqual([403, true]);
    expect((await guest.connect(`innocent.example.org:${origin.port}`)).status).toBe(403);
    expect(origin.connections()).toBe(0);
  });

  test("one private address among public ones is enough to refuse", async () => {
    await using guest = await guestOf({
      resolve: async () => ["93.184.216.34", "127.0.0.1"],
      addressAllowed: undefined as never,
    });
    expect((await guest.fetch("http://mixed.example.org/")).status).toBe(403);
  });

  test("the name is resolved once and the socket goes to that address, whatever the name says later", async () => {
    await using origin = await httpOrigin((_incoming, response) => void response.end("ok"));
    let asked = 0;
    await using guest = await guestOf({ resolve: async () => ((asked += 1) === 1 ? ["127.0.0.1"] : ["127.0.0.66"]) });
    expect((await guest.fetch(`http://rebind.example.org:${origin.port}/`)).text).toBe("ok");
    expect(asked).toBe(1);
  });
});

describe("one request, one meaning", () => {
  test.each([
    [
      "a Host header for somebody else",
      (port: number) => `GET http://api.example.org:${port}/ HTTP/1.1\r\nHost: other.example.org\r\n\r\n`,
    ],
    [
      "user info",
      (port: number) => `GET http://u:p@api.example.org:${port}/ HTTP/1.1\r\nHost: api.example.org:${port}\r\n\r\n`,
    ],
    [
      "https in absolute form",
      (port: number) => `GET https://api.example.org:${port}/ HTTP/1.1\r\nHost: api.example.org:${port}\r\n\r\n`,
    ],
    ["a bare path", (port: number) => `GET / HTTP/1.1\r\nHost: api.example.org:${port}\r\n\r\n`],
    [
      "two lengths",
      (port: number) =>
        `POST http://api.example.org:${port}/ HTTP/1.1\r\nHost: api.example.org:${port}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ["a NUL in the name", (port: number) => `CONNECT api\0.example.org:${port} HTTP/1.1\r\n\r\n`],
    ["no port", () => "CONNECT api.example.org HTTP/1.1\r\n\r\n"],
  ])("%s is refused", async (_name, bytes) => {
    await using origin = await rawOrigin(() => undefined);
    await using guest = await guestOf({});
    expect(await guest.raw(bytes(origin.port))).not.toContain(" 200 ");
    expect(origin.connections()).toBe(0);
  });

  test("a second request smuggled in the body of a GET stays a body", async () => {
    const seen: string[] = [];
    await using origin = await httpOrigin((incoming, response) => {
      seen.push(`${incoming.method} ${incoming.url}`);
      void incoming.toArray().then(() => response.end("ok"));
    });
    await using guest = await guestOf({});
    const smuggled = "DELETE /everything HTTP/1.1\r\nHost: x\r\n\r\n";
    await guest.raw(
      `GET http://api.example.org:${origin.port}/ HTTP/1.1\r\nHost: api.example.org:${origin.port}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    );
    expect(seen).toEqual(["GET /"]);
    expect(origin.seen()).toContain(`\r\n\r\n${smuggled.length.toString(16)}\r\n`);
  });

  test("hop-by-hop headers and what they name stay here", async () => {
    await using origin = await httpOrigin((_incoming, response) => void response.end("ok"));
    await using guest = await guestOf({});
    await guest.raw(
      `GET http://api.example.org:${origin.port}/ HTTP/1.1\r\nHost: api.example.org:${origin.port}\r\nProxy-Authorization: Basic eA==\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n`,
    );
    expect(origin.seen()).toContain("X-End: 2");
    expect(origin.seen()).not.toMatch(/X-Hop|Proxy-Authorization/i);
  });
});

describe("G5: known secrets do not leave", () => {
  const base64 = Buffer.from(`user:${SECRET}`).toString("base64");
  test.each([
    ["body", { method: "POST", body: `x=${SECRET}&y=1` }],
    ["base64 body", { method: "POST", body: base64 }],
    ["hex body", { method: "POST", body: Buffer.from(SECRET).toString("hex") }],
    ["header", { headers: { authorization: `Bearer ${SECRET}` } }],
    ["basic header", { headers: { authorization: `Basic ${base64}` } }],
  ])("in a %s", async (_name, options) => {
    await using origin = await httpOrigin(
      (incoming, response) =>
        void incoming.toArray().then(
          () => response.end("ok"),
          () => undefined,
        ),
    );
    await using guest = await guestOf({ secrets: () => [SECRET] });
    const { status, text } = await guest.fetch(`http://api.example.org:${origin.port}/`, options);
    expect([status, text.includes("goalie.secret")]).toEqual([403, true]);
    expect(origin.seen()).not.toContain(SECRET);
    expect(origin.seen()).not.toContain(base64.slice(8, 40));
    expect(text).not.toContain(SECRET);
  });

  test("in a query, and cut over many chunks", async () => {
    await using origin = await httpOrigin(
      (incoming, response) =>
        void incoming.toArray().then(
          () => response.end("ok"),
          () => undefined,
        ),
    );
    await using guest = await guestOf({ secrets: () => [SECRET] });
    expect((await guest.fetch(`http://api.example.org:${origin.port}/?k=${SECRET}`)).status).toBe(403);

    const sent = request({
      host: "127.0.0.1",
      port: guest.port,
      method: "POST",
      path: `http://api.example.org:${origin.port}/`,
      headers: { host: `api.example.org:${origin.port}` },
      agent: false,
    }).on("error", () => undefined);
    const answered = once(sent, "response") as Promise<[IncomingMessage]>;
    for (const letter of `before ${SECRET} after`) {
      sent.write(letter);
      await new Promise((resolve) => setImmediate(resolve));
    }
    sent.end();
    expect((await answered)[0].statusCode).toBe(403);
    expect(origin.seen().replace(/\r\n[0-9a-f]+\r\n/g, "")).not.toContain("sk-real-provider");
  });

  test("in a tunnel: it is cut before the secret is through", async () => {
    await using origin = await rawOrigin((socket) => void socket.resume());
    await using guest = await guestOf({ secrets: () => [SECRET] });
    const { socket } = await guest.connect(`api.example.org:${origin.port}`);
    socket.write(`POST / HTTP/1.1\r\n\r\n${SECRET.slice(0, 12)}`);
    socket.write(SECRET.slice(12));
    await once(socket.resume(), "close");
    expect(origin.seen()).not.toContain(SECRET.slice(0, 12));
  });
});

describe("caps", () => {
  test("an answer over the cap is cut", async () => {
    await using origin = await httpOrigin((_incoming, response) => void response.end("x".repeat(100_000)));
    await using guest = await guestOf({ limits: { maxResponseBytes: 1_000 } });
    await expect(guest.fetch(`http://api.example.org:${origin.port}/`)).rejects.toThrow(/aborted|hang up/);
    expect(guest.audit[0]).toMatchObject({ verdict: "blocked", rule: "goalie.cap" });
  });

  test("a request over the cap is a 413", async () => {
    await using origin = await httpOrigin(
      (incoming, response) =>
        void incoming.toArray().then(
          () => response.end("ok"),
          () => undefined,
        ),
    );
    await using guest = await guestOf({ limits: { maxRequestBytes: 1_000 } });
    expect(
      (await guest.fetch(`http://api.example.org:${origin.port}/`, { method: "POST", body: "x".repeat(5_000) })).status,
    ).toBe(413);
    expect(origin.seen().length).toBeLessThan(2_000);
  });

  test("a guest that opens too many connections loses the new ones, and headers are bounded", async () => {
    await using guest = await guestOf({ limits: { maxConnections: 1 } });
    const first = await guest.socket();
    const second = await guest.socket();
    await once(second.resume(), "close");
    expect(first.destroyed).toBe(false);
    first.destroy();
    await using other = await guestOf({});
    expect(await other.raw(`GET http://a.example.org/ HTTP/1.1\r\nX: ${"x".repeat(40_000)}\r\n\r\n`)).not.toContain(
      " 200 ",
    );
  });
});

describe("G7: a tunnel on a TLS port speaks TLS to its own host", () => {
  const dialTls = async (serverName: string | null) => {
    const received = Promise.withResolvers<Buffer>();
    const origin = await rawOrigin((socket) => void socket.once("data", received.resolve));
    const guest = await guestOf({ tlsPorts: [origin.port] });
    const { socket } = await guest.connect(`api.example.org:${origin.port}`);
    if (serverName === null) socket.write("GET / HTTP/1.1\r\n\r\n");
    else tlsConnect({ socket, servername: serverName }).on("error", () => undefined);
    return { origin, guest, socket, received: received.promise };
  };

  test("the right name passes, byte for byte", async () => {
    const { origin, guest, received } = await dialTls("api.example.org");
    expect(readClientHello(await received)).toEqual({ kind: "hello", serverName: "api.example.org" });
    await guest[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  test.each(["hidden.example.net", null])("%s does not", async (name) => {
    const { origin, guest, socket } = await dialTls(name);
    await once(socket.resume(), "close");
    expect(origin.seen()).toBe("");
    expect(guest.audit[0]).toMatchObject({ verdict: "blocked", rule: "goalie.server-name" });
    await guest[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });

  test("any bytes give a reading", () => {
    for (let size = 0; size < 600; size += 7)
      expect(["more", "not-tls", "hello"]).toContain(
        readClientHello(
          Uint8Array.from({ length: size }, (_unused, at) => (at === 0 ? 0x16 : at === 1 ? 3 : (at * 31) % 256)),
        ).kind,
      );
  });
});
