import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { doorOf, type Header, inbound, isOwnOrigin, isPlainRequest, outbound } from "./hygiene.ts";

const names = (headers: Header[]): string[] => headers.map(([name]) => name);

describe("Y1: the host names one slug", () => {
  test.each([
    ["scratch-abcd1234.th.smoo.ai", "slug"],
    ["Scratch-ABCD1234.TH.smoo.ai:443", "slug"],
    ["connect.th.smoo.ai", "connect"],
    ["th.smoo.ai", "wrong-host"],
    ["a.b.th.smoo.ai", "wrong-host"],
    ["xn--80ak6.th.smoo.ai", "wrong-host"],
    ["-abc.th.smoo.ai", "wrong-host"],
    ["abc.th.smoo.ai.", "wrong-host"],
    ["abc.th.smoo.ai:99999", "wrong-host"],
    ["abc.th.smoo.ai@evil.example", "wrong-host"],
    ["abcxth.smoo.ai", "wrong-host"],
    ["abc.th.smoo.ai.evil.example", "wrong-host"],
    ["", "wrong-host"],
  ])("%s is %s", (host, kind) => {
    expect(doorOf(host, "th.smoo.ai").kind).toBe(kind);
  });
});

describe("Y2: inbound", () => {
  test("hop-by-hop names, names listed in Connection and words of proxies are dropped", () => {
    const dirty: Header[] = [
      ["Connection", "close, X-Internal , Cookie2"],
      ["X-Internal", "1"],
      ["cookie2", "1"],
      ["Transfer-Encoding", "chunked"],
      ["Upgrade", "h2c"],
      ["Forwarded", "for=1"],
      ["X-Forwarded-For", "1"],
      ["x-forwarded-anything", "1"],
      ["CF-Connecting-IP", "1"],
      ["X-TH-Via", "1"],
      ["X_TH_Via", "1"],
      ["x_forwarded_for", "1"],
      ["X-Real-IP", "1"],
      ["X-Remote-User", "root"],
      ["X-Auth-Request-Email", "a@b"],
      ["Tailscale-User-Login", "a"],
      ["Sec-WebSocket-Key", "1"],
      ["Sec-WebSocket-Extensions", "1"],
    ];
    const clean: Header[] = [
      ["accept", "*/*"],
      ["cookie", "a=1"],
      ["authorization", "Bearer x"],
      ["sec-websocket-protocol", "chat"],
      ["x-requested-with", "fetch"],
    ];

    expect(inbound([...dirty, ...clean])).toEqual(clean);
  });

  test("no header that comes through can break a line or a name", () => {
    const name = fc.oneof(fc.string(), fc.constantFrom("x\r\ny", "a b", "x:", "é", ""));
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string())), (headers) => {
        for (const [kept, value] of [...inbound(headers), ...outbound(headers)]) {
          expect(kept).toMatch(/^[!#$%&'*+.^_`|~0-9a-z-]+$/);
          expect(value).not.toMatch(/[\r\n\0]/);
        }
      }),
    );
  });
});

describe("Y3: outbound", () => {
  test("an origin cannot speak for the edge or pin the browser", () => {
    const dropped = ["X-TH-Error", "Alt-Svc", "Strict-Transport-Security", "Connection", "Keep-Alive", "Trailer"];
    const answer: Header[] = dropped.map((name) => [name, "1"]);
    expect(names(outbound([...answer, ["Content-Type", "text/plain"], ["ETag", "1"]]))).toEqual([
      "content-type",
      "etag",
    ]);
  });

  test.each([
    ["a=1; Domain=th.smoo.ai; Path=/", "a=1; Path=/"],
    ["a=1;DOMAIN=.smoo.ai;Secure", "a=1;Secure"],
    ["a=1; domain ; Path=/", "a=1; Path=/"],
    ["domain=1; Path=/", "domain=1; Path=/"],
    ["__Host-a=1; Path=/; Secure; HttpOnly", "__Host-a=1; Path=/; Secure; HttpOnly"],
  ])("the cookie %s becomes %s", (cookie, kept) => {
    expect(outbound([["Set-Cookie", cookie]])).toEqual([["set-cookie", kept]]);
  });

  test("events are marked so that nobody buffers or rewrites them", () => {
    expect(outbound([["content-type", "text/event-stream; charset=utf-8"]])).toContainEqual([
      "cache-control",
      "no-transform",
    ]);
  });
});

describe("Y4: only plain requests", () => {
  test.each(["GET", "POST", "PROPFIND", "PURGE"])("%s passes", (method) =>
    expect(isPlainRequest(method, "/")).toBe(true),
  );
  test.each(["CONNECT", "trace", "TRACK", "GE T", "", "GET\r\n"])("%j is refused", (method) =>
    expect(isPlainRequest(method, "/")).toBe(false),
  );
  test.each(["/", "/a//b", "/a?u=http://x", "/%0d%0a"])("%s passes", (path) =>
    expect(isPlainRequest("GET", path)).toBe(true),
  );
  test.each([
    "",
    "a",
    "//evil.example",
    "/\\evil.example",
    "http://evil.example/",
    "*",
    "/a b",
    "/a\r\nb",
    "/a\0",
    "/é",
  ])("%j is refused", (path) => expect(isPlainRequest("GET", path)).toBe(false));
});

test("a page may open sockets on its own origin only", () => {
  expect(isOwnOrigin(null, "a.th.smoo.ai")).toBe(true);
  expect(isOwnOrigin("https://a.th.smoo.ai", "a.th.smoo.ai")).toBe(true);
  for (const origin of [
    "https://b.th.smoo.ai",
    "null",
    "https://a.th.smoo.ai:444",
    "https://a.th.smoo.ai.evil.example",
    "x",
  ]) {
    expect([origin, isOwnOrigin(origin, "a.th.smoo.ai")]).toEqual([origin, false]);
  }
});
