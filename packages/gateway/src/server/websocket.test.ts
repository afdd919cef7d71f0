import { once } from "node:events";
import { ManualClock } from "@smooth/platform/testing";
import { expect, onTestFinished, test } from "vitest";
import { WebSocket } from "ws";
import type { Handlers } from "@smooth/protocol/gateway";
import { CLOSE, ServerFrame, SOCKET_PATH, type ClientFrame } from "../wire.ts";
import { endlessRun, finishedRun, RUN_ID, serveTestGateway } from "../testing/test-gateway.ts";

interface Talk {
  readonly ws: WebSocket;
  readonly frames: ServerFrame[];
  send(frame: ClientFrame): void;
  /** Waits for a frame of this call. */
  next(type: ServerFrame["type"], id?: string | null): Promise<ServerFrame>;
  readonly closed: Promise<number>;
}

async function talk(host: { url: string; token: string }, headers: Record<string, string> = {}): Promise<Talk> {
  const ws = new WebSocket(host.url.replace("http", "ws") + SOCKET_PATH, {
    headers: { authorization: `Bearer ${host.token}`, ...headers },
  });
  onTestFinished(() => ws.terminate());
  const frames: ServerFrame[] = [];
  ws.on("message", (data) => frames.push(ServerFrame.parse(JSON.parse(String(data)))));
  const closed = new Promise<number>((resolve) => ws.on("close", resolve));
  await once(ws, "open");
  return {
    ws,
    frames,
    closed,
    send: (frame) => ws.send(JSON.stringify(frame)),
    next: async (type, id = "a") => {
      const found = () => frames.find((frame) => frame.type === type && frame.id === id);
      await expect.poll(found).toBeTruthy();
      return found() as ServerFrame;
    },
  };
}

async function refusal(url: string, headers: Record<string, string>): Promise<number | undefined> {
  const ws = new WebSocket(url.replace("http", "ws") + SOCKET_PATH, { headers });
  ws.on("error", () => {});
  const [, answer] = (await once(ws, "unexpected-response")) as [unknown, { statusCode?: number }];
  return answer.statusCode;
}

test("the upgrade passes the same door: token, Host, Origin", async () => {
  await using host = await serveTestGateway({});
  const good = { authorization: `Bearer ${host.token}` };

  expect(await refusal(host.url, {})).toBe(401);
  expect(await refusal(host.url, { ...good, origin: "http://evil.example" })).toBe(403);
  expect(await refusal(host.url, { ...good, host: "evil.example" })).toBe(403);
  const { ws } = await talk(host, { origin: host.url });
  expect(ws.readyState).toBe(WebSocket.OPEN);
});

test("requests and streams go side by side", async () => {
  await using host = await serveTestGateway(finishedRun(3));
  const { send, next, frames } = await talk(host);
  send({ type: "stream", id: "s", method: "streamRunEvents", input: { runId: RUN_ID, afterSeq: 1 } });
  send({ type: "request", id: "a", method: "whoAmI", input: {} });

  expect(await next("response")).toMatchObject({ output: { name: "ada", role: "owner", via: "local" } });
  await next("end", "s");
  expect(frames.flatMap((frame) => (frame.type === "event" ? [(frame.data as { seq: number }).seq] : []))).toEqual([
    2, 3,
  ]);
});

test("K2: what cannot be read or done is answered by an error, and the socket lives on", async () => {
  await using host = await serveTestGateway(finishedRun(1));
  const { ws, send, next, frames } = await talk(host);
  ws.send("{");
  ws.send(Buffer.from([1, 2, 3]));
  ws.send(JSON.stringify({ type: "dance", id: "x" }));
  send({ type: "request", id: "m", method: "dance", input: {} });
  send({ type: "request", id: "i", method: "steerRun", input: { runId: RUN_ID } });
  send({ type: "stream", id: "r", method: "streamRunEvents", input: { runId: "run-nobody1" } });
  send({ type: "request", id: "w", method: "streamRunEvents", input: { runId: RUN_ID } });
  send({ type: "cancel", id: "nothing" });

  const codes = async (id: string) => ((await next("error", id)) as Extract<ServerFrame, { type: "error" }>).error.code;
  expect(await Promise.all(["m", "i", "r", "w"].map(codes))).toEqual([
    "METHOD_NOT_FOUND",
    "INVALID_INPUT",
    "RUN_NOT_FOUND",
    "METHOD_NOT_ALLOWED",
  ]);
  expect(frames.filter((frame) => frame.type === "error" && frame.id === null)).toHaveLength(3);
  send({ type: "request", id: "a", method: "whoAmI", input: {} });
  await next("response");
});

test("cancel, and K3 closing, end the handler's stream", async () => {
  const [first, second] = [endlessRun(), endlessRun()];
  const runs = [first, second];
  const handlers: Pick<Handlers, "streamRunEvents"> = {
    streamRunEvents: (...args) => (runs.shift() as typeof first).handlers.streamRunEvents(...args),
  };
  await using host = await serveTestGateway(handlers);
  const { ws, send, next } = await talk(host);
  send({ type: "stream", id: "a", method: "streamRunEvents", input: { runId: RUN_ID } });
  await next("event");
  send({ type: "cancel", id: "a" });
  await first.left;
  await next("end");

  send({ type: "stream", id: "b", method: "streamRunEvents", input: { runId: RUN_ID } });
  await next("event", "b");
  ws.close();
  await expect(second.left).resolves.toBeUndefined();
});

test("an id in use, and more open calls than allowed, are refused", async () => {
  await using host = await serveTestGateway(endlessRun().handlers, { limits: { socketCalls: 2 } });
  const { send, next } = await talk(host);
  const open = (id: string): void => send({ type: "stream", id, method: "streamRunEvents", input: { runId: RUN_ID } });
  for (const id of ["a", "a", "b", "c"]) open(id);

  expect(await next("error", "a")).toMatchObject({ error: { code: "INVALID_INPUT" } });
  expect(await next("error", "c")).toMatchObject({ error: { code: "RATE_LIMITED" } });
});

test("messages count against the caller's budget", async () => {
  await using host = await serveTestGateway({}, { limits: { requests: { burst: 2, perSecond: 0.001 } } });
  const { send, next } = await talk(host);
  for (const id of ["a", "b"]) send({ type: "request", id, method: "whoAmI", input: {} });

  await next("response", "a");
  expect(await next("error", "b")).toMatchObject({ error: { code: "RATE_LIMITED" } });
});

test("a message over the limit closes the socket with 1009", async () => {
  await using host = await serveTestGateway({}, { limits: { bodyBytes: 1_000 } });
  const { ws, closed } = await talk(host);
  ws.send("x".repeat(2_000));

  expect(await closed).toBe(1009);
});

test("K1: a reader that stalls is closed with a code, and comes back where it stopped", async () => {
  const total = 1_500;
  const clock = new ManualClock();
  await using host = await serveTestGateway(finishedRun(total, "z".repeat(20_000)), {
    clock,
    limits: { stallMs: 150 },
  });
  const slow = await talk(host);
  slow.ws.once("message", () => slow.ws.pause()); // at the first event: nobody looks in time when all of them are quick
  slow.send({ type: "stream", id: "a", method: "streamRunEvents", input: { runId: RUN_ID } });
  await slow.next("event");
  await expect
    .poll(async () => (await clock.advance(150), host.log.map(({ event }) => event)))
    .toContain("gateway.reader-too-slow");
  slow.ws.resume();
  expect(await slow.closed).toBe(CLOSE.tooSlow);
  const seqs = ({ frames }: Talk) =>
    frames.flatMap((frame) => (frame.type === "event" ? [(frame.data as { seq: number }).seq] : []));
  const seen = seqs(slow);

  const again = await talk(host);
  again.send({ type: "stream", id: "a", method: "streamRunEvents", input: { runId: RUN_ID, afterSeq: seen.at(-1) } });
  await again.next("end");

  expect(seen.length).toBeLessThan(total);
  expect([...seen, ...seqs(again)]).toEqual(Array.from({ length: total }, (_, index) => index + 1));
});

test("a gateway that stops says so to its sockets", async () => {
  const host = await serveTestGateway({});
  const { closed } = await talk(host);
  await host[Symbol.asyncDispose]();

  expect(await closed).toBe(CLOSE.goingAway);
});
