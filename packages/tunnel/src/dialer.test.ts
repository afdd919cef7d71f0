import { ManualClock, memoryLog } from "@smooth/platform/testing";
import { SmoothError } from "@smooth/protocol/errors";
import { CLOSE, HeadPayload } from "@smooth/protocol/thp";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeBatch, decodeJson, encodeBatch, encodeJson, FLAG, type Frame, FRAME } from "./codec.ts";
import { type Dialer, type DialState, startDialer } from "./dialer.ts";
import { echoOrigin, type FakeDial, FakeEdge } from "./fakes.ts";
import { createHostKey, thumbprint } from "./host-key.ts";
import { nodeOrigin } from "./origin.node.ts";
import type { Origin } from "./origin.ts";
import { mintTicket } from "./ticket.ts";

const hostKey = await createHostKey();
const ticket = await mintTicket(
  {
    iss: "https://smooth.example",
    aud: "th.smoo.ai",
    sub: "host-00000001",
    org: "org-1",
    slug: "scratch-abcd1234",
    jti: "ticket-0001",
    iat: 1_800_000_000,
    exp: 1_800_000_060,
    cnf: { jkt: await thumbprint(hostKey) },
  },
  await createHostKey(),
);

interface Scene extends AsyncDisposable {
  readonly edge: FakeEdge;
  readonly clock: ManualClock;
  readonly states: DialState[];
  readonly dialer: Dialer;
  /** The n-th dial, welcomed. */
  served(count: number, resumed?: boolean): Promise<FakeDial>;
  dialled(count: number): Promise<FakeDial>;
}

function scene({
  refusals = 0,
  refuseWith = CLOSE.draining as number,
  origin = echoOrigin() as Origin,
  getTicket = async () => ({ ticket }),
} = {}): Scene {
  const edge = new FakeEdge();
  edge.refusals = refusals;
  edge.refuseWith = refuseWith;
  const clock = new ManualClock();
  const states: DialState[] = [];
  const dialer = startDialer({
    connectUrl: "wss://connect.th.smoo.ai/v1/host",
    hostKey,
    getTicket,
    origin,
    openSocket: edge.openSocket,
    defer: queueMicrotask,
    clock,
    random: () => 1,
    log: memoryLog(),
    onState: (state) => void states.push(state),
  });
  const dialled = async (count: number): Promise<FakeDial> => {
    await expect.poll(() => edge.dials.length, { interval: 1 }).toBe(count);
    return edge.dials[count - 1] as FakeDial;
  };
  const served = async (count: number, resumed = false): Promise<FakeDial> => {
    const dial = await dialled(count);
    dial.challenge();
    await expect.poll(() => dial.sent.some((data) => String(data).includes("hello")), { interval: 1 }).toBe(true);
    dial.welcome(resumed);
    return dial;
  };
  return { edge, clock, states, dialer, served, dialled, [Symbol.asyncDispose]: () => dialer[Symbol.asyncDispose]() };
}

const kinds = (states: DialState[]): string[] => states.map(({ kind }) => kind);

describe("the dialler", () => {
  test("D1: refused dials back off under a doubling ceiling of 10 s, then it serves", async () => {
    await using stage = scene({ refusals: 8 });
    const delays: number[] = [];
    for (let count = 1; count <= 8; count += 1) {
      await expect.poll(() => stage.dialer.state.kind, { interval: 1 }).toBe("offline");
      const state = stage.dialer.state as DialState & { kind: "offline" };
      delays.push(state.retryAtMs - state.sinceMs);
      await stage.clock.advance(state.retryAtMs - state.sinceMs);
      await stage.dialled(count + 1);
    }
    await stage.served(9);

    expect(delays).toEqual([200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
    expect(stage.dialer.state).toMatchObject({ kind: "serving", url: "https://scratch-abcd1234.th.smoo.ai" });
  });

  test("D1: after it served, a lost socket is redialled from the first delay", async () => {
    await using stage = scene();
    (await stage.served(1)).end(1006);
    await expect.poll(() => stage.dialer.state.kind, { interval: 1 }).toBe("offline");
    await stage.clock.advance(100);
    await stage.served(2);
    expect(kinds(stage.states)).toEqual(["dialling", "serving", "offline", "dialling", "serving"]);
  });

  test.each([
    [CLOSE.replaced, "replaced"],
    [CLOSE.revoked, "revoked"],
    [CLOSE.unknownSlug, "unknown-slug"],
  ])("D2: close %i is final: %s", async (code, reason) => {
    await using stage = scene();
    (await stage.served(1)).end(code);
    expect(await stage.dialer.ended).toMatchObject({ kind: "ended", reason });
    await stage.clock.advance(60_000);
    expect(stage.edge.dials).toHaveLength(1);
  });

  test("D2: a dashboard that refuses the ticket ends it; one that is down does not", async () => {
    await using refused = scene({
      getTicket: () => Promise.reject(new SmoothError("POLICY_DENIED", "not in your plan")),
    });
    expect(await refused.dialer.ended).toMatchObject({ reason: "not-entitled", message: "not in your plan" });

    await using down = scene({ getTicket: () => Promise.reject(new Error("ECONNREFUSED")) });
    await expect.poll(() => down.dialer.state).toMatchObject({ kind: "offline", reason: "ECONNREFUSED" });
  });

  test("D3: no welcome in 10 s, or no word for 30 s, and it dials again", async () => {
    await using stage = scene();
    await stage.dialled(1);
    await stage.clock.advance(10_000);
    expect(stage.dialer.state).toMatchObject({ kind: "offline", reason: "no welcome" });
    await stage.clock.advance(200);
    const second = await stage.served(2);
    await stage.clock.advance(10_000);
    expect(second.sent).toContain("ping");
    second.deliver("pong");
    await stage.clock.advance(20_000);
    expect(stage.dialer.state.kind).toBe("serving");
    await stage.clock.advance(20_000);
    expect(stage.dialer.state).toMatchObject({ kind: "offline", reason: "the edge is silent" });
  });

  test("it offers to resume what it holds, and says goodbye when stopped", async () => {
    const stage = scene();
    (await stage.served(1)).end(1006);
    await expect.poll(() => stage.dialer.state.kind, { interval: 1 }).toBe("offline");
    await stage.clock.advance(100);
    const second = await stage.served(2, true);
    expect(JSON.parse(String(second.sent[0]))).toMatchObject({ t: "hello", resume: { sid: "A".repeat(43), recv: 0 } });

    await stage[Symbol.asyncDispose]();

    expect(stage.dialer.state).toMatchObject({ kind: "ended", reason: "stopped" });
  });
});

describe("the host's end", () => {
  const open = (changes: object = {}): Frame => ({
    type: FRAME.open,
    flags: FLAG.fin,
    stream: 1,
    payload: encodeJson({
      method: "GET",
      path: "/",
      headers: [],
      from: { address: "10.0.0.1", proto: "https", host: "scratch-abcd1234.th.smoo.ai" },
      ...changes,
    }),
  });
  const heads = (dial: FakeDial) =>
    dial.sent.flatMap((data) => {
      const batch = typeof data === "string" ? undefined : decodeBatch(data);
      const frames = batch?.kind === "batch" ? batch.frames : [];
      return frames.flatMap(({ type, payload }) => (type === FRAME.head ? [decodeJson(HeadPayload, payload)] : []));
    });

  test.each([
    ["a path to another host", { path: "//evil.example/" }],
    ["an absolute URL", { path: "http://evil.example/" }],
    ["a path with a line break", { path: "/\r\nx: y" }],
    ["TRACE", { method: "TRACE" }],
    ["a method with a space", { method: "GET /x" }],
    ["a host with a line break", { from: { address: "", proto: "https", host: "a\r\nb" } }],
    ["a wrong shape", { headers: "x" }],
  ])("O1: an OPEN with %s is answered 400 and never reaches the origin", async (_, changes) => {
    const origin = echoOrigin();
    await using stage = scene({ origin });
    const dial = await stage.served(1);

    dial.deliver(encodeBatch(1, [open(changes)]));

    await expect.poll(() => heads(dial), { interval: 1 }).toMatchObject([{ status: 400, error: "bad_request" }]);
    expect(origin.seen).toEqual([]);
  });

  test("O2: what the viewer writes about itself is replaced by what the edge vouches for", async () => {
    const seen: (readonly (readonly [string, string])[])[] = [];
    const echo = echoOrigin();
    const origin: Origin = { ...echo, request: (request) => (seen.push(request.headers), echo.request(request)) };
    await using stage = scene({ origin });
    const dial = await stage.served(1);

    const headers = ["x-th-via", "X-Forwarded-For", "host", "accept"].map((name) => [name, "mine"]);
    dial.deliver(encodeBatch(1, [open({ headers })]));

    expect(seen).toEqual([
      [
        ["accept", "mine"],
        ["host", "scratch-abcd1234.th.smoo.ai"],
        ["x-forwarded-for", "10.0.0.1"],
        ["x-forwarded-proto", "https"],
        ["x-forwarded-host", "scratch-abcd1234.th.smoo.ai"],
        ["x-th-via", "tunnel"],
      ],
    ]);
  });

  test("O3: hostile frames in any order never throw, and an honest request is still answered", async () => {
    using unreachable = nodeOrigin({ port: 1 });
    const text = fc.oneof(fc.string(), fc.constantFrom("GET", "/", "//x", "/\r\n", "CONNECT", "x y", "\0"));
    const hostileOpen = fc
      .record({
        method: text,
        path: text,
        headers: fc.array(fc.tuple(text, text)),
        ws: fc.boolean(),
        from: fc.oneof(fc.anything(), fc.constant({ address: "", proto: "https", host: "a.th.smoo.ai" })),
      })
      .map((value) => open(value).payload);
    const hostile = fc.record({
      type: fc.integer({ min: 0, max: 12 }),
      flags: fc.integer({ min: 0, max: 7 }),
      stream: fc.integer({ min: 0, max: 3 }),
      payload: fc.oneof(
        fc.uint8Array({ maxLength: 40 }).map((bytes) => new Uint8Array(bytes)),
        hostileOpen,
        fc.constant(open({ ws: true }).payload),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(hostile, { maxLength: 12 }), async (frames) => {
        await using stage = scene({ origin: unreachable });
        const dial = await stage.served(1);
        dial.deliver(encodeBatch(1, frames));
        dial.deliver(encodeBatch(2, [{ ...open(), stream: 77 }]));
        await expect
          .poll(() => heads(dial).some((head) => head?.error === "origin_unreachable"), { interval: 1 })
          .toBe(true);
        expect(stage.dialer.state.kind).toBe("serving");
      }),
      { numRuns: 60 },
    );
  });

  test("malformed bytes close the line with 4400 and it dials afresh", async () => {
    await using stage = scene();
    const dial = await stage.served(1);
    dial.deliver(new Uint8Array([1, 2]));
    await expect.poll(() => stage.dialer.state.kind, { interval: 1 }).toBe("offline");
    await stage.clock.advance(100);
    const second = await stage.served(2);
    expect(JSON.parse(String(second.sent[0]))).not.toHaveProperty("resume");
  });
});
