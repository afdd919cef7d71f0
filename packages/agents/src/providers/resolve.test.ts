import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProvidersFile } from "@smooth/protocol/providers";
import { expect, test } from "vitest";
import { loadProviders } from "./providers-file.node.ts";
import { costUsd, routeSlot } from "./resolve.ts";

const a = {
  id: "a",
  api_url: "https://a.example/v1",
  api_key: "ka",
  default_model: "am",
  price: { input: 2, output: 8 },
};
const b = { id: "b", api_url: "https://b.example/v1", api_key_env: "B_KEY", default_model: "bm" };
const house = (routing: unknown, env: Record<string, string> = { B_KEY: "kb" }) => ({
  file: ProvidersFile.parse({ providers: [a, b], routing }),
  env,
});
const models = (slot: string, setting: ReturnType<typeof house>) => {
  const route = routeSlot(slot, setting);
  return route.kind === "demo" ? "demo" : route.targets.map(({ providerId, model }) => `${providerId}/${model}`);
};

test("a slot goes where it is routed; P1: others go to smooth-default, then to the first provider", () => {
  const routed = house({ "smooth-coding": { provider: "b", model: "big" }, "smooth-default": { provider: "b" } });

  expect(models("smooth-coding", routed)).toEqual(["b/big"]);
  expect(models("smooth-fast", routed)).toEqual(["b/bm"]);
  expect(models("smooth-fast", house({}))).toEqual(["a/am"]);
});

test("fallbacks follow one another, by slot or provider, and a circle ends", () => {
  const routing = {
    "smooth-coding": { provider: "a", fallback: "smooth-fast" },
    "smooth-fast": { provider: "b", fallback: "smooth-coding" },
    "smooth-judge": { provider: "a", fallback: "b" },
  };

  expect(models("smooth-coding", house(routing))).toEqual(["a/am", "b/bm"]);
  expect(models("smooth-judge", house(routing))).toEqual(["a/am", "b/bm"]);
});

test("P2: a missing key or provider is named, never with its value, and is not the demo", () => {
  const route = routeSlot("smooth-coding", house({ "smooth-coding": { provider: "b", fallback: "ghost" } }, {}));

  expect(route).toEqual({
    kind: "targets",
    targets: [],
    skipped: ["b: the variable B_KEY is empty", "no provider is called ghost"],
  });
  expect(models("smooth-poetry", house({}))).toEqual([]);
});

test("no provider anywhere is the demo; the environment alone is enough for a real one", () => {
  const file = ProvidersFile.parse({});
  const env = { OPENAI_API_KEY: "k", OPENAI_BASE_URL: "http://127.0.0.1:9/v1", OPENAI_MODEL: "m" };
  const smooth = { SMOOTH_MODEL_URL: "http://127.0.0.1:8/v1", SMOOTH_MODEL: "s" };

  expect(routeSlot("smooth-coding", { file, env: {} })).toEqual({ kind: "demo" });
  expect(models("smooth-coding", { file, env })).toEqual(["env-openai/m"]);
  expect(models("smooth-coding", { file, env: { ...env, ...smooth } })).toEqual(["env-smooth/s"]);
  expect(models("smooth-coding", { file, env: { ANTHROPIC_API_KEY: "k" } })).toEqual(["anthropic/claude-sonnet-4-5"]);
  expect(models("smooth-coding", { ...house({}), env })).toEqual(["a/am"]);
});

test("a target says how it is talked to and how much it may answer", () => {
  const providers = [{ ...b, api_format: "Anthropic", max_tokens: 100 }];
  const file = ProvidersFile.parse({ providers });
  const first = (env: Record<string, string>, from = file) => {
    const route = routeSlot("smooth-coding", { file: from, env });
    return route.kind === "demo" ? null : route.targets[0];
  };

  expect(first({ B_KEY: "k" })).toMatchObject({ format: "Anthropic", maxTokens: 100 });
  const none = ProvidersFile.parse({});
  expect(first({ ANTHROPIC_API_KEY: "k" }, none)).toMatchObject({ format: "Anthropic", maxTokens: null });
  expect(first({ OPENAI_API_KEY: "k" }, none)).toMatchObject({ format: "Responses" });
  expect(first({ OPENAI_BASE_URL: "http://x/v1", OPENAI_MODEL: "m" }, none)).toMatchObject({ format: "OpenAiCompat" });
});

test("P3: a price belongs to one model, and no price is no cost, not zero", () => {
  const priceOf = (route: unknown) => {
    const found = routeSlot("smooth-coding", house({ "smooth-coding": route }));
    return found.kind === "demo" ? undefined : found.targets[0]?.price;
  };

  expect(priceOf({ provider: "a" })).toEqual({ input: 2, output: 8 });
  expect(priceOf({ provider: "a", model: "other" })).toBeNull();
  expect(priceOf({ provider: "a", model: "other", price: { input: 1, output: 1 } })).toEqual({ input: 1, output: 1 });
  expect(costUsd({ input: 2, output: 8 }, { inputTokens: 1_000_000, outputTokens: 500_000 })).toBe(6);
  expect(costUsd(null, { inputTokens: 1, outputTokens: 1 })).toBeNull();
});

test("no file is an empty one; a broken one, or a field nobody reads, is named by path, without its content", async () => {
  const dir = mkdtempSync(join(tmpdir(), "providers-"));
  const path = join(dir, "providers.json");
  expect(await loadProviders(path)).toEqual({ providers: [], routing: {} });

  const x = { id: "x", api_url: "https://x.example", default_model: "m", api_key: "sk-secret" };
  const broken: [string, string][] = [
    [`{"providers":[{"id":"x","api_key":"sk-secret","api_url":"sk-secret"}]}`, "providers.0.api_url"],
    ["sk-secret", "not JSON"],
    [JSON.stringify({ theme: "sk-secret" }), '"theme"'],
    [JSON.stringify({ providers: [{ ...x, max_token: 5 }] }), '"providers.0.max_token"'],
    [
      JSON.stringify({ routing: { "smooth-fast": { provider: "x", slot: "sk-secret" } } }),
      '"routing.smooth-fast.slot"',
    ],
    [JSON.stringify({ providers: [{ ...x, price: { input: 1, output: 1, cached: 1 } }] }), '"providers.0.price"'],
    [JSON.stringify({ providers: [{ ...x, api_key_env: "X" }] }), "both api_key and api_key_env"],
  ];
  for (const [text, what] of broken) {
    writeFileSync(path, text);
    const error = await loadProviders(path).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining(path) });
    expect(String(error)).toContain(what);
    expect(String(error)).not.toContain("sk-secret");
  }
  rmSync(dir, { recursive: true });
});
