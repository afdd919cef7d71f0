import { request, type IncomingMessage } from "node:http";
import { ManualClock } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { systemClock } from "@smooth/platform/node/system";
import type { Caller, Handlers } from "@smooth/protocol/gateway";
import { rawRequest } from "../testing/raw-http.ts";
import { endlessRun, finishedRun, noteEvent, RUN_ID, serveTestGateway } from "../testing/test-gateway.ts";
import { answerSse } from "./streams.ts";

const nobody: Caller = { name: "nobody", role: "viewer", via: "local" };
const path = "/v1/rpc/streamRunEvents";
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const idsIn = (text: string): number[] => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));

test("a stream is events with their seq as id, and an end", async () => {
  await using host = await serveTestGateway(finishedRun(2));
  const answer = await rawRequest(host.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...bearer(host.token) },
    body: JSON.stringify({ runId: RUN_ID }),
  });

  expect(answer.headers).toMatchObject({
    "content-type": "text/event-stream",
    "cache-control": "no-store, no-transform",
  });
  expect(answer.text).toBe(
    [1, 2].map((seq) => `id: ${seq}\ndata: ${JSON.stringify(noteEvent(seq))}\n\n`).join("") +
      "event: end\ndata: {}\n\n",
  );
});

test("EventSource's way: GET with the input in the query; Last-Event-ID wins over afterSeq", async () => {
  await using host = await serveTestGateway(finishedRun(5));
  const get = (headers: Record<string, string>) =>
    rawRequest(`${host.url}${path}?input=${encodeURIComponent(JSON.stringify({ runId: RUN_ID, afterSeq: 1 }))}`, {
      headers: { accept: "text/event-stream", ...bearer(host.token), ...headers },
    });

  expect(idsIn((await get({})).text)).toEqual([2, 3, 4, 5]);
  expect(idsIn((await get({ "last-event-id": "3" })).text)).toEqual([4, 5]);
  expect(idsIn((await get({ "last-event-id": "-1; x" })).text)).toEqual([2, 3, 4, 5]);
});

test("T3: a refusal known at once is a status; a later one is an event", async () => {
  const later: Pick<Handlers, "streamRunEvents"> = {
    async *streamRunEvents() {
      yield noteEvent(1);
      throw new TypeError("secret detail");
    },
  };
  await using unknown = await serveTestGateway(finishedRun(1));
  await using broken = await serveTestGateway(later);
  const input = (runId: string) => `?input=${encodeURIComponent(JSON.stringify({ runId }))}`;
  const refused = await rawRequest(unknown.url + path + input("run-nobody1"), { headers: bearer(unknown.token) });
  const failed = await rawRequest(broken.url + path + input(RUN_ID), { headers: bearer(broken.token) });

  expect({ status: refused.status, body: refused.json() }).toMatchObject({
    status: 404,
    body: { error: { code: "RUN_NOT_FOUND" } },
  });
  expect(failed.text).toMatch(/^id: 1\n.*\n\nevent: error\ndata: .*"INTERNAL"/);
  expect(failed.text).not.toContain("secret detail");
});

async function openStream(host: { url: string; token: string }): Promise<IncomingMessage> {
  const url = `${host.url}${path}?input=${encodeURIComponent(JSON.stringify({ runId: RUN_ID }))}`;
  return new Promise((resolve, reject) => {
    request(url, { headers: bearer(host.token), agent: false }, resolve)
      .on("error", reject)
      .end();
  });
}

test("a reader that leaves ends the handler's stream", async () => {
  const run = endlessRun();
  await using host = await serveTestGateway(run.handlers);
  const answer = await openStream(host);
  await new Promise((resolve) => answer.once("data", resolve));
  expect(host.gateway.watching()).toEqual([{ name: "ada", role: "owner", via: "local" }]);

  answer.destroy();
  await run.left;

  await expect.poll(() => host.gateway.watching()).toEqual([]);
});

test("T1, T2: a reader that takes nothing holds the handler back, is dropped, and comes back without gap", async () => {
  const total = 2_000;
  let produced = 0;
  const text = "x".repeat(50_000);
  const source = finishedRun(total, text);
  const handlers: Pick<Handlers, "streamRunEvents"> = {
    async *streamRunEvents(...args) {
      for await (const event of source.streamRunEvents(...args)) {
        produced = event.seq;
        yield event;
      }
    },
  };
  const clock = new ManualClock();
  await using host = await serveTestGateway(handlers, { clock, limits: { stallMs: 150 } });
  const slow = await openStream(host);
  await expect.poll(() => host.gateway.watching().length).toBe(1);
  await expect.poll(async () => (await clock.advance(150), host.gateway.watching().length)).toBe(0);
  const heldAt = produced;

  let seen = "";
  slow.setEncoding("utf8").on("data", (chunk: string) => (seen += chunk));
  await new Promise((resolve) => slow.on("close", resolve).on("error", () => {}));
  const complete = idsIn(seen.slice(0, seen.lastIndexOf("\n\n") + 1));

  expect(heldAt).toBeLessThan(total / 2);
  expect(complete).toEqual(complete.map((_, index) => index + 1));
  expect(complete.length).toBeGreaterThan(0);
});

test("T4: a long backlog takes turns with everything else", async () => {
  const backlog = () =>
    finishedRun(100_000).streamRunEvents({ runId: RUN_ID, afterSeq: 0 }, nobody, new AbortController().signal);
  const { response } = await answerSse(backlog, { clock: systemClock, stallMs: 1_000, hangUp: () => {} });
  const reader = response.body?.getReader();
  let othersHadATurn = false;
  setImmediate(() => (othersHadATurn = true));
  for (let taken = 0; taken < 1_000 && !othersHadATurn; taken += 1) await reader?.read();

  expect(othersHadATurn).toBe(true);
  await reader?.cancel();
});
