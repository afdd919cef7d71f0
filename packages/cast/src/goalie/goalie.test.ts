/** What passes: requests, answers, sockets and tunnels, each as it is. */
import { once } from "node:events";
import { request } from "node:http";
import type { Socket } from "node:net";
import { duplexPair } from "node:stream";
import { describe, expect, test } from "vitest";
import { openGoalie } from "./goalie.node.ts";
import { guestOf, httpOrigin, rawOrigin } from "./testing/loopback.ts";

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
