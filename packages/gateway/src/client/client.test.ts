import { describe, expect, test } from "vitest";
import type { Clock } from "@smooth/platform/ports";
import { systemClock } from "@smooth/platform/node/system";
import { seededRandom } from "@smooth/platform/testing";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunEvent } from "@smooth/protocol/run-events";
import { PearlId, RunId } from "@smooth/protocol/ids";
import { cuttingProxy } from "../testing/cutting-proxy.ts";
import { endlessRun, finishedRun, noteEvent, RUN_ID, serveTestGateway } from "../testing/test-gateway.ts";
import { createGatewayClient } from "./client.ts";

/** Waits between retries take no time; waits for silence do. */
const impatient: Clock["sleep"] = (ms, signal) => systemClock.sleep(ms > 20_000 ? ms : 1, signal);
const never = new AbortController().signal;

async function collect(events: AsyncIterable<RunEvent>): Promise<number[]> {
  const seqs: number[] = [];
  for await (const { seq } of events) seqs.push(seq);
  return seqs;
}
const upTo = (total: number): number[] => Array.from({ length: total }, (_, index) => index + 1);

describe("call", () => {
  test("answers what the handler answered, typed", async () => {
    await using host = await serveTestGateway({
      launchRun: async ({ pearlId }) => ({ runId: RunId.parse(`run-${pearlId?.slice(3)}`) }),
    });
    const client = createGatewayClient({ baseUrl: host.url, token: host.token });

    expect(await client.call("launchRun", { pearlId: PearlId.parse("th-abcdef") })).toEqual({ runId: "run-abcdef" });
    expect(await client.call("whoAmI", {})).toEqual({ name: "ada", role: "owner", via: "local" });
  });

  test("throws the host's own error, with its code and details", async () => {
    const cancelRun = async () => {
      throw new SmoothError("RUN_NOT_FOUND", "no run like this", { details: { near: "run-000002" } });
    };
    await using host = await serveTestGateway({ cancelRun });
    const client = createGatewayClient({ baseUrl: host.url, token: host.token });
    const stranger = createGatewayClient({ baseUrl: host.url });

    await expect(client.call("cancelRun", { runId: RUN_ID })).rejects.toMatchObject({
      code: "RUN_NOT_FOUND",
      message: "no run like this",
      details: { near: "run-000002" },
    });
    await expect(stranger.call("whoAmI", {})).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
  });

  test("says the host is offline when nobody, or somebody else, answers", async () => {
    const dead = createGatewayClient({ baseUrl: "http://127.0.0.1:1", token: "x" });
    const proxy = createGatewayClient({
      baseUrl: "",
      fetch: async () => new Response("<h1>Bad gateway</h1>", { status: 502 }),
    });

    await expect(dead.call("whoAmI", {})).rejects.toMatchObject({ code: "HOST_OFFLINE" });
    await expect(proxy.call("whoAmI", {})).rejects.toMatchObject({
      code: "HOST_OFFLINE",
      message: expect.stringContaining("502") as string,
    });
  });

  test("an answer in an unknown shape is not passed on", async () => {
    const client = createGatewayClient({ baseUrl: "", fetch: async () => Response.json({ nome: "ada" }) });
    await expect(client.call("whoAmI", {})).rejects.toMatchObject({ code: "CONFLICT" });
  });
});

describe("stream", () => {
  const seed = 20_261;
  test(`X1: 20 random drops lose and repeat nothing (seed ${seed})`, async () => {
    const total = 3_000;
    const origins: string[] = [];
    await using host = await serveTestGateway(finishedRun(total, "y".repeat(200)), { publicOrigins: () => origins });
    await using proxy = await cuttingProxy(host.gateway.tunnelUrl, {
      cuts: 20,
      random: seededRandom(seed),
      maxBytes: 40_000,
    });
    origins.push(proxy.url);
    const troubles: (SmoothError | null)[] = [];
    const client = createGatewayClient({
      baseUrl: proxy.url,
      token: host.token,
      sleep: impatient,
      onLine: (trouble) => void troubles.push(trouble),
    });
    const seqs = await collect(client.stream("streamRunEvents", { runId: RUN_ID }, never));

    expect(seqs).toEqual(upTo(total));
    expect(proxy.made()).toBe(20);
    expect(troubles.filter((trouble) => trouble?.code === "HOST_OFFLINE")).toHaveLength(20);
  });

  test("starts after what the caller has", async () => {
    await using host = await serveTestGateway(finishedRun(5));
    const client = createGatewayClient({ baseUrl: host.url, token: host.token });

    expect(await collect(client.stream("streamRunEvents", { runId: RUN_ID, afterSeq: 3 }, never))).toEqual([4, 5]);
  });

  test("X1: duplicates are dropped and a jump is asked for again", async () => {
    const lines = (seqs: number[], end: boolean) =>
      new Response(
        seqs.map((seq) => `data: ${JSON.stringify(noteEvent(seq))}\n\n`).join("") +
          (end ? "event: end\ndata: {}\n\n" : ""),
      );
    const answers = [lines([1, 1, 2, 5], false), lines([2, 3, 4], false), lines([5], true)];
    const asked: unknown[] = [];
    const client = createGatewayClient({
      baseUrl: "",
      sleep: impatient,
      fetch: async (_, init) => {
        asked.push((JSON.parse(String(init?.body)) as { afterSeq: number }).afterSeq);
        return answers.shift() as Response;
      },
    });

    expect(await collect(client.stream("streamRunEvents", { runId: RUN_ID }, never))).toEqual([1, 2, 3, 4, 5]);
    expect(asked).toEqual([0, 2, 4]);
  });

  test("X2: an unknown run is thrown at once; a host that limits is waited for as long as it says", async () => {
    await using host = await serveTestGateway(finishedRun(1));
    const client = createGatewayClient({ baseUrl: host.url, token: host.token });
    const unknown = RunId.parse("run-nobody1");
    await expect(collect(client.stream("streamRunEvents", { runId: unknown }, never))).rejects.toMatchObject({
      code: "RUN_NOT_FOUND",
    });

    const waits: number[] = [];
    const body = { error: { code: "RATE_LIMITED", message: "later", details: { retryAfterMs: 4_321 } } };
    const answers = [Response.json(body, { status: 429 }), new Response("event: end\ndata: {}\n\n")];
    const limited = createGatewayClient({
      baseUrl: "",
      fetch: async () => answers.shift() as Response,
      sleep: (ms, signal) => {
        if (ms !== 45_000) waits.push(ms);
        return impatient(ms, signal);
      },
    });
    expect(await collect(limited.stream("streamRunEvents", { runId: RUN_ID }, never))).toEqual([]);
    expect(waits).toEqual([4_321]);
  });

  test("a line that is silent too long is given up and opened again", async () => {
    let silences = 0;
    const answers = [new Response(new ReadableStream()), new Response("event: end\ndata: {}\n\n")];
    const client = createGatewayClient({
      baseUrl: "",
      fetch: async () => answers.shift() as Response,
      sleep: (ms, signal) => impatient(ms === 45_000 && (silences += 1) === 1 ? 1 : ms, signal),
    });

    expect(await collect(client.stream("streamRunEvents", { runId: RUN_ID }, never))).toEqual([]);
    expect(silences).toBe(2);
  });

  test("the signal ends it, on the line and between tries", async () => {
    const run = endlessRun();
    await using host = await serveTestGateway(run.handlers);
    const client = createGatewayClient({ baseUrl: host.url, token: host.token });
    const stop = new AbortController();
    const reading = (async () => {
      for await (const _ of client.stream("streamRunEvents", { runId: RUN_ID }, stop.signal))
        stop.abort(new Error("enough"));
    })();

    await expect(reading).rejects.toThrow("enough");
    await run.left;
    const gone = createGatewayClient({
      baseUrl: "http://127.0.0.1:1",
      onLine: () => stopped.abort(new Error("no more")),
    });
    const stopped = new AbortController();
    await expect(collect(gone.stream("streamRunEvents", { runId: RUN_ID }, stopped.signal))).rejects.toThrow("no more");
  });

  test("a host that stops is waited for, and found again", async () => {
    const troubles: string[] = [];
    let port = 0;
    const run = endlessRun();
    const first = await serveTestGateway(run.handlers);
    port = Number(new URL(first.url).port);
    const client = createGatewayClient({
      baseUrl: first.url,
      token: first.token,
      sleep: impatient,
      onLine: (trouble) => trouble && void troubles.push(trouble.code),
    });
    const seqs: number[] = [];
    const reading = (async () => {
      for await (const { seq } of client.stream("streamRunEvents", { runId: RUN_ID }, never)) seqs.push(seq);
    })();
    await expect.poll(() => seqs).toEqual([1]);
    await first[Symbol.asyncDispose]();
    await using _second = await serveTestGateway(finishedRun(4), {
      port,
      authenticate: ({ via }) => ({ name: "ada", role: "owner", via }),
    });

    await reading;

    expect(seqs).toEqual([1, 2, 3, 4]);
    expect(troubles).toContain("HOST_OFFLINE");
  });
});
