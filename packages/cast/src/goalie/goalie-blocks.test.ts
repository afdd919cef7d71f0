/** What does not pass: G1, G2, G3, G5, G7. */
import { once } from "node:events";
import { connect as tlsConnect } from "node:tls";
import { request, type IncomingMessage } from "node:http";
import { describe, expect, test } from "vitest";
import { readClientHello } from "./client-hello.ts";
import type { AskOutcome } from "../access/asks.ts";
import type { Answer } from "../access/gate.ts";
import { guestOf, httpOrigin, rawOrigin } from "./testing/loopback.ts";

const SECRET = "sk-real-provider-key-0123456789";

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

/** Reads whatever it is sent, and says ok. */
const readingOrigin = () =>
  httpOrigin(
    (incoming, response) =>
      void incoming.toArray().then(
        () => response.end("ok"),
        () => undefined,
      ),
  );

describe("G5: known secrets do not leave", () => {
  const base64 = Buffer.from(`user:${SECRET}`).toString("base64");
  test.each([
    ["body", { method: "POST", body: `x=${SECRET}&y=1` }],
    ["base64 body", { method: "POST", body: base64 }],
    ["hex body", { method: "POST", body: Buffer.from(SECRET).toString("hex") }],
    ["header", { headers: { authorization: `Bearer ${SECRET}` } }],
    ["basic header", { headers: { authorization: `Basic ${base64}` } }],
  ])("in a %s", async (_name, options) => {
    await using origin = await readingOrigin();
    await using guest = await guestOf({ secrets: () => [SECRET] });
    const { status, text } = await guest.fetch(`http://api.example.org:${origin.port}/`, options);
    expect([status, text.includes("goalie.secret")]).toEqual([403, true]);
    expect(origin.seen()).not.toContain(SECRET);
    expect(origin.seen()).not.toContain(base64.slice(8, 40));
    expect(text).not.toContain(SECRET);
  });

  test("in a query, and cut over many chunks", async () => {
    await using origin = await readingOrigin();
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
