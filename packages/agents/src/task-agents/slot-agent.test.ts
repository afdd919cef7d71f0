import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { SlotRoute, Target } from "../providers/resolve.ts";
import type { Fault } from "../scripted/faults.ts";
import { startScriptedServer } from "../scripted/server.node.ts";
import { asking } from "../testing/ask.ts";
import { agentOfSlot } from "./slot-agent.ts";
import { slotAgent } from "./slots.node.ts";

const persona = () => ({ text: '{"text":"hi"}', calls: [] });
const target = (url: string, over: Partial<Target> = {}): Target => ({
  providerId: "p",
  baseUrl: url,
  apiKey: "k",
  model: "claude-sonnet-4-5",
  format: "OpenAiCompat",
  maxTokens: 55,
  price: { input: 1_000_000, output: 0 },
  ...over,
});
const to =
  (...targets: Target[]) =>
  async (): Promise<SlotRoute> => ({ kind: "targets", targets, skipped: [] });

test.each([
  ["OpenAiCompat", "/v1/chat/completions", "max_tokens"],
  ["Anthropic", "/v1/messages", "max_tokens"],
  ["Responses", "/v1/responses", "max_output_tokens"],
] as const)("R2: %s: its own dialect, limit and price", async (format, path, limit) => {
  await using server = await startScriptedServer({ persona });
  const { args, usage } = asking();

  const result = await agentOfSlot("smooth-judge", to(target(server.url, { format }))).generate(args);

  expect(result).toMatchObject({ text: '{"text":"hi"}' });
  expect(server.requests).toMatchObject([{ path, body: { model: "claude-sonnet-4-5", [limit]: 55 } }]);
  expect(usage).toMatchObject([{ model: "claude-sonnet-4-5", costUsd: usage[0]?.inputTokens }]);
});

test("another model of the same provider has no price", async () => {
  await using server = await startScriptedServer({ persona });
  const { args, usage } = asking();

  await agentOfSlot("smooth-judge", to(target(server.url)), { model: "other", temperature: 0 }).generate(args);

  expect(server.requests[0]?.body).toMatchObject({ model: "other", temperature: 0 });
  expect(usage[0]).not.toHaveProperty("costUsd");
});

test("R1: busy and silent providers hand over to the next one; a refused key does not", async () => {
  const fail = (status: number): Fault[] => [{ times: 9, what: { kind: "status", status } }];
  await using busy = await startScriptedServer({ persona, faults: fail(429) });
  await using locked = await startScriptedServer({ persona, faults: fail(401) });
  await using good = await startScriptedServer({ persona });
  const ask = (...targets: Target[]) => agentOfSlot("smooth-fast", to(...targets)).generate(asking().args);

  const gone = target("http://127.0.0.1:9/v1");
  expect(await ask(target(busy.url), gone, target(good.url))).toMatchObject({ text: '{"text":"hi"}' });
  expect(busy.requests).toHaveLength(1);
  await expect(ask(target(locked.url), target(good.url))).rejects.toMatchObject({ statusCode: 401 });
});

test("R3: a slot that nobody serves says why", async () => {
  const none = async (): Promise<SlotRoute> => ({
    kind: "targets",
    targets: [],
    skipped: ["house: the variable K is empty"],
  });
  const demo = async (): Promise<SlotRoute> => ({ kind: "demo" });

  await expect(agentOfSlot("smooth-fast", none).generate(asking().args)).rejects.toMatchObject({
    code: "AGENT_CONFIG_INVALID",
    message: "nobody serves smooth-fast; house: the variable K is empty",
  });
  await expect(agentOfSlot("smooth-fast", demo).generate(asking().args)).rejects.toThrow("th auth login");
});

test("slotAgent: the machine's providers.json decides, at each answer", async () => {
  await using server = await startScriptedServer({ persona });
  const home = mkdtempSync(join(tmpdir(), "slots-"));
  const before = process.env["SMOOTH_HOME"];
  process.env["SMOOTH_HOME"] = home;
  try {
    const agent = slotAgent("smooth-reviewing");
    const provider = { id: "mine", api_url: server.url, api_key: "k", default_model: "m" };
    writeFileSync(join(home, "providers.json"), JSON.stringify({ providers: [provider] }));
    await agent.generate(asking().args);
    const routing = { "smooth-reviewing": { provider: "mine", model: "deeper" } };
    writeFileSync(join(home, "providers.json"), JSON.stringify({ providers: [provider], routing }));
    await agent.generate(asking().args);

    expect(server.requests.map(({ body }) => body["model"])).toEqual(["m", "deeper"]);
  } finally {
    if (before === undefined) delete process.env["SMOOTH_HOME"];
    else process.env["SMOOTH_HOME"] = before;
    rmSync(home, { recursive: true });
  }
});
