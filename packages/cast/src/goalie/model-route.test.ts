import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { expect, test } from "vitest";
import type { ModelRoute, ModelTarget } from "./door.ts";
import { guestOf, httpOrigin } from "./testing/loopback.ts";
import type { Usage } from "./usage.ts";

const KEY = "sk-real-provider-key-0123456789";
const TOKEN = "stand-in-token";
const ask = (extra: object = {}) => ({
  method: "POST",
  headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json", cookie: "guest=1" },
  body: JSON.stringify({ model: "smooth-coding", messages: [], ...extra }),
});
const at = (port: number, more: Partial<ModelTarget> = {}): ModelTarget => ({
  providerId: "p1",
  baseUrl: `http://127.0.0.1:${port}/api/v1`,
  apiKey: KEY,
  model: "real-model-7",
  format: "OpenAiCompat",
  maxTokens: null,
  ...more,
});
const routeTo = (...targets: ModelTarget[]): ModelRoute & { used: (Usage | null)[] } => {
  const used: (Usage | null)[] = [];
  return {
    token: TOKEN,
    used,
    targets: (slot) => (slot === "smooth-coding" ? targets : []),
    onUsage: ({ usage }) => void used.push(usage),
  };
};
const provider = (reply: string, headers: Record<string, string> = {}, status = 200) =>
  httpOrigin(
    (incoming, response) =>
      void incoming
        .toArray()
        .then(() => response.writeHead(status, { "content-type": "application/json", ...headers }).end(reply)),
  );

test("M1: the slot becomes the provider's model, the stand-in becomes the key, on the host", async () => {
  await using origin = await provider('{"ok":true,"usage":{"prompt_tokens":5,"completion_tokens":7}}');
  const modelRoute = routeTo(at(origin.port));
  await using guest = await guestOf({ modelRoute });

  const reply = await guest.fetch("/v1/chat/completions", ask());

  expect(reply).toMatchObject({ status: 200, text: expect.stringContaining('"ok":true') as string });
  expect(origin.seen()).toContain("POST /api/v1/chat/completions HTTP/1.1");
  expect(origin.seen()).toContain(`authorization: Bearer ${KEY}`);
  expect(origin.seen()).toContain('"model":"real-model-7"');
  expect(origin.seen()).not.toMatch(new RegExp(`${TOKEN}|smooth-coding|guest=1`));
  expect(modelRoute.used).toEqual([{ inputTokens: 5, outputTokens: 7 }]);
  expect(guest.audit[0]).toMatchObject({
    host: "model.th.internal",
    verdict: "allowed",
    rule: "model:smooth-coding→p1",
  });
});

test("the model host answers in absolute form, and Wonk is not asked", async () => {
  await using origin = await provider("{}");
  await using guest = await guestOf({
    modelRoute: routeTo(at(origin.port)),
    judge: async () => ({ kind: "deny", rule: "all", reason: "no" }),
  });
  expect((await guest.fetch("http://model.th.internal/v1/chat/completions", ask())).status).toBe(200);
});

test("the model host answers clients that tunnel everything", async () => {
  await using origin = await provider("{}");
  await using guest = await guestOf({ modelRoute: routeTo(at(origin.port)) });
  const { socket } = await guest.connect("model.th.internal:80");
  const { headers, body } = ask();
  const sent = request({
    createConnection: () => socket,
    method: "POST",
    path: "/v1/chat/completions",
    headers: { ...headers, host: "model.th.internal" },
  });
  const answered = once(sent, "response") as Promise<[IncomingMessage]>;
  sent.end(body);
  expect((await answered)[0].statusCode).toBe(200);
  socket.destroy();
});

test("M2: a wrong token, another path and an unknown slot reach no provider", async () => {
  await using origin = await provider("{}");
  await using guest = await guestOf({ modelRoute: routeTo(at(origin.port)) });
  const good = ask();
  expect(
    (await guest.fetch("/v1/chat/completions", { ...good, headers: { authorization: "Bearer guess" } })).status,
  ).toBe(401);
  expect((await guest.fetch("/v1/chat/completions", { ...good, headers: {} })).status).toBe(401);
  expect((await guest.fetch("/v1/files", good)).status).toBe(404);
  expect((await guest.fetch("/v1/../admin/chat/completions", good)).status).toBe(404);
  expect((await guest.fetch("/v1/chat/completions", ask({ model: "gpt-secret" }))).status).toBe(404);
  expect((await guest.fetch("/v1/chat/completions", { ...good, body: "not json" })).status).toBe(404);
  expect(origin.connections()).toBe(0);
});

test("without a model route there is no model host", async () => {
  await using guest = await guestOf({});
  expect((await guest.fetch("/v1/chat/completions", ask())).status).toBe(401);
});

test("M1: a key echoed back, cut over chunks and in a header, does not reach the guest", async () => {
  await using origin = await httpOrigin((_incoming, response) => {
    response.writeHead(200, { "content-type": "text/event-stream", "x-request-id": KEY });
    for (const letter of `data: key is ${KEY}!\n\n`) response.write(letter);
    response.end();
  });
  await using guest = await guestOf({ modelRoute: routeTo(at(origin.port)) });
  const { text, headers } = await guest.fetch("/v1/chat/completions", ask());
  expect(text).toBe("data: key is [REDACTED:provider-key]!\n\n");
  expect(JSON.stringify(headers)).not.toContain(KEY);
});

test("M1: an answer in an encoding nobody asked for is not passed on", async () => {
  await using origin = await provider("xxxx", { "content-encoding": "br" });
  await using guest = await guestOf({ modelRoute: routeTo(at(origin.port)) });
  expect((await guest.fetch("/v1/chat/completions", ask())).status).toBe(502);
});

test("events stream through one by one, and usage is read on the way", async () => {
  const next = Promise.withResolvers<void>();
  await using origin = await httpOrigin((_incoming, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write('data: {"type":"message_start","message":{"usage":{"input_tokens":11,"output_tokens":1}}}\n\n');
    void next.promise.then(() => response.end('data: {"type":"message_delta","usage":{"output_tokens":42}}\n\n'));
  });
  const modelRoute = routeTo(at(origin.port, { format: "Anthropic" }));
  await using guest = await guestOf({ modelRoute });

  const { headers, body } = ask({ stream: true });
  const sent = request({
    host: "127.0.0.1",
    port: guest.port,
    method: "POST",
    path: "/v1/messages",
    headers: { ...headers, host: "model.th.internal" },
    agent: false,
  });
  sent.end(body);
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  const [first] = (await once(answer, "data")) as [Buffer];
  expect(String(first)).toContain("message_start");
  next.resolve();
  await once(answer.resume(), "end");
  expect(origin.seen()).toContain(`x-api-key: ${KEY}`);
  expect(modelRoute.used).toEqual([{ inputTokens: 11, outputTokens: 42 }]);
});

test("a provider that fails hands over to the next one; its own error is shown when it is the last", async () => {
  await using down = await provider('{"error":"overloaded"}', {}, 503);
  await using up = await provider('{"ok":1}');
  await using guest = await guestOf({
    modelRoute: routeTo(at(1), at(down.port), at(up.port, { providerId: "p2", apiKey: null })),
  });
  expect(await guest.fetch("/v1/chat/completions", ask())).toMatchObject({ status: 200, text: '{"ok":1}' });
  expect(up.seen()).not.toContain("authorization");
  await using alone = await guestOf({ modelRoute: routeTo(at(down.port)) });
  expect((await alone.fetch("/v1/chat/completions", ask())).status).toBe(503);
});

const DIALECTS = [
  ["OpenAiCompat", "/v1/chat/completions", `authorization: Bearer ${KEY}`, "max_tokens"],
  ["Responses", "/v1/responses", `authorization: Bearer ${KEY}`, "max_output_tokens"],
  ["Anthropic", "/v1/messages", `x-api-key: ${KEY}`, "max_tokens"],
] as const;

test.each(DIALECTS)(
  "M4: %s at %s: key and limit are where the dialect has them",
  async (format, path, header, limit) => {
    await using origin = await provider("{}");
    await using guest = await guestOf({ modelRoute: routeTo(at(origin.port, { format, maxTokens: 321 })) });

    for (const headers of [{ authorization: `Bearer ${TOKEN}` }, { "x-api-key": TOKEN }])
      expect((await guest.fetch(path, { ...ask({ max_tokens: 9, max_output_tokens: 9 }), headers })).status).toBe(200);

    const seen = origin.seen();
    expect(seen.split(header)).toHaveLength(3);
    expect(seen.split(`"${limit}":321`)).toHaveLength(3);
    expect(seen).not.toMatch(new RegExp(`${TOKEN}|tokens":9`));
    expect(seen.split(KEY)).toHaveLength(3);
    expect(seen.includes("anthropic-version: 2023-06-01")).toBe(format === "Anthropic");
  },
);

test("M4: without a limit of the house the guest's own stays", async () => {
  await using origin = await provider("{}");
  await using guest = await guestOf({ modelRoute: routeTo(at(origin.port)) });

  await guest.fetch("/v1/chat/completions", ask({ max_tokens: 9 }));

  expect(origin.seen()).toContain('"max_tokens":9');
});

test("M4: providers of another dialect are passed over, and named when there is no other", async () => {
  await using one = await provider('{"one":1}');
  await using two = await provider('{"two":2}');
  const targets = [at(one.port, { format: "Anthropic" }), at(two.port)];
  await using guest = await guestOf({ modelRoute: routeTo(...targets) });

  expect(await guest.fetch("/v1/chat/completions", ask())).toMatchObject({ status: 200, text: '{"two":2}' });
  expect(one.connections()).toBe(0);
  expect(await guest.fetch("/v1/responses", ask())).toMatchObject({
    status: 404,
    text: expect.stringContaining("speaks Responses; they speak Anthropic, OpenAiCompat") as string,
  });
});

test("another provider's key in a prompt stops the request", async () => {
  await using origin = await provider("{}");
  await using guest = await guestOf({
    modelRoute: routeTo(at(origin.port)),
    secrets: () => ["other-provider-key-987654"],
  });
  expect(
    (
      await guest.fetch(
        "/v1/chat/completions",
        ask({ messages: [{ role: "user", content: "other-provider-key-987654" }] }),
      )
    ).status,
  ).toBe(403);
  expect(origin.connections()).toBe(0);
});
