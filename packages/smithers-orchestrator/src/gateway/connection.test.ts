/** One socket, by a real one on loopback: when it must end, and how much may go on on it. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Clock } from "@smooth/platform/ports";
import { afterEach, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import type { RunHost } from "../hosting/run-host.ts";
import type { Caller } from "./auth.ts";
import { Connection } from "./connection.ts";
import type { Handlers } from "./handlers.ts";

const closing: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Reply {
  readonly id: string;
  readonly ok: boolean;
  readonly error?: { readonly code: string };
}

/** A connected socket whose gateway answers `getRun` as it is told, with a clock whose timers are late for ever. */
async function connected({ getRun, caller = {} }: { getRun: () => Promise<object>; caller?: Partial<Caller> }) {
  const time = { nowMs: 1_000 };
  const clock: Clock = { now: () => time.nowMs, sleep: () => new Promise(() => {}) };
  const store = { run: () => new Promise(() => {}), events: () => new Promise(() => {}) };
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
  server.on("connection", (ws) => {
    void new Connection(ws, {
      runs: { store } as unknown as RunHost,
      handlers: { getRun } as unknown as Handlers,
      clock,
      heartbeatMs: 1_000,
      protocol: 1,
      identify: async () => ({ userId: "ann", role: "dev", scopes: ["getRun", "streamRunEvents"], ...caller }),
      nextStateVersion: () => 1,
    });
  });
  await once(server, "listening");
  const ws = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  closing.push(() => (ws.terminate(), server.close()));
  const closed = new Promise<number>((done) => ws.once("close", done));
  const replies = new Map<string, Reply>();
  ws.on("message", (data) => {
    const frame = JSON.parse(String(data as Buffer)) as Reply;
    if (frame.id) replies.set(frame.id, frame);
  });
  await once(ws, "open");
  const send = (id: string, method: string, params: object): void =>
    ws.send(JSON.stringify({ type: "req", id, method, params }));
  const replied = async (id: string): Promise<Reply> => {
    for (;;) {
      const reply = replies.get(id);
      if (reply) return reply;
      await once(ws, "message");
    }
  };
  send("hi", "connect", { minProtocol: 1, maxProtocol: 1, client: { name: "t", version: "1" } });
  await replied("hi");
  return { ws, server, time, send, replied, replies, closed };
}

test("C4: a request after the caller's word has run out is not answered, also when the timer is late", async () => {
  const asked: string[] = [];
  const getRun = async () => ({ asked: asked.push("getRun") });
  const { time, send, replied, replies, closed } = await connected({ getRun, caller: { expiresAtMs: 2_000 } });
  time.nowMs = 1_999;
  send("1", "getRun", { runId: "r" });
  expect(await replied("1")).toMatchObject({ ok: true });

  time.nowMs = 2_000;
  send("2", "getRun", { runId: "r" });

  expect(await closed).toBe(4401);
  expect([asked, replies.has("2")]).toEqual([["getRun"], false]);
});

test("C5: the 65th open request is refused, and the others stay", async () => {
  const { send, replied, replies } = await connected({ getRun: () => new Promise(() => {}) });
  for (let n = 1; n <= 65; n += 1) send(`${n}`, "getRun", { runId: "r" });

  expect(await replied("65")).toMatchObject({ ok: false, error: { code: "RateLimited" } });
  expect(replies.size).toBe(2);
});

test("C5: the 33rd stream is refused, and a stream is no open request", async () => {
  const { send, replied, replies } = await connected({ getRun: async () => ({}) });
  for (let n = 1; n <= 33; n += 1) send(`${n}`, "streamRunEvents", { runId: "r" });

  expect(await replied("33")).toMatchObject({ ok: false, error: { code: "RateLimited" } });
  for (let n = 34; n <= 100; n += 1) send(`${n}`, "streamRunEvents", { runId: "r" });
  expect(await replied("100")).toMatchObject({ ok: false });
  send("last", "getRun", { runId: "r" });
  expect(await replied("last")).toMatchObject({ ok: true });
  expect(replies.has("32")).toBe(false);
});

test("C5: who asks for much and does not read is cut off", async () => {
  const text = "x".repeat(1_048_576);
  const { ws, server, send, closed } = await connected({ getRun: async () => ({ text }) });
  ws.pause();
  for (let n = 1; n <= 60; n += 1) send(`${n}`, "getRun", { runId: "r" });
  await expect.poll(() => [...server.clients].map(({ readyState }) => readyState)).toEqual([WebSocket.CLOSING]);
  ws.resume();

  expect(await closed).toBe(1013);
});
