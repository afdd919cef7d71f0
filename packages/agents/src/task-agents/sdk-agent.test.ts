import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerSchema } from "@smooth/engine/answer-schema";
import { jsonSchema, tool } from "ai";
import { expect, test } from "vitest";
import { z } from "zod";
import type { Fault } from "../scripted/faults.ts";
import type { Persona } from "../scripted/persona.ts";
import { startScriptedServer } from "../scripted/server.node.ts";
import { asking } from "../testing/ask.ts";
import { AnthropicAgent } from "./anthropic-agent.ts";
import { OpenAIAgent } from "./openai-agent.ts";
import { isStrict } from "./strict-schema.ts";

/** Both agents against the scripted model over real HTTP, each in its dialect. */

const BOTH = [
  ["AnthropicAgent", AnthropicAgent, "/v1/messages", "x-api-key k"],
  ["OpenAIAgent", OpenAIAgent, "/v1/responses", "Bearer k"],
] as const;

const says =
  (text: string): Persona =>
  () => ({ text, calls: [] });
const look = () => {
  const seen: unknown[] = [];
  return {
    seen,
    tools: {
      look: tool({
        description: "looks",
        inputSchema: z.object({ at: z.string() }),
        execute: async (input) => {
          seen.push(input);
          return "a fish";
        },
      }),
      hide: tool({ description: "hides", inputSchema: jsonSchema({ type: "object" }), execute: () => "gone" }),
    },
  };
};
/** Looks once, then tells what it saw. */
const curious: Persona = ({ calls, tools }) =>
  calls.length === 0 && tools.has("look")
    ? { text: "Let me see.", calls: [{ name: "look", args: { at: "pond" } }] }
    : { text: JSON.stringify({ text: `I saw ${calls[0]?.result ?? "nothing"}` }), calls: [] };

async function model(persona: Persona, faults: readonly Fault[] = []) {
  const server = await startScriptedServer({ persona, faults });
  return { server, options: { model: "claude-sonnet-4-5", apiKey: "k", baseURL: server.url, maxRetries: 0 } };
}

test.each(BOTH)("%s: the answer is structured output, asked for in the task's schema", async (_, Agent, path, key) => {
  const { server, options } = await model(says('{"text":"hi"}'));
  await using _server = server;
  const { args, usage } = asking();
  const agent = new Agent({ ...options, instructions: "be brief", maxOutputTokens: 77, temperature: 0.5 });

  const result = await agent.generate(args);

  expect(result).toMatchObject({ text: '{"text":"hi"}', output: { text: "hi" } });
  expect(server.requests).toMatchObject([{ path, key, body: { model: "claude-sonnet-4-5", temperature: 0.5 } }]);
  const sent = JSON.stringify(server.requests[0]?.body);
  for (const part of ["be brief", '"additionalProperties":false', "77", "write"]) expect(sent).toContain(part);
  expect(usage).toMatchObject([{ model: "DEMO-scripted" }]);
  expect(usage[0]?.inputTokens).toBeGreaterThan(10);
  expect(agent.id).toMatch(/claude-sonnet-4-5$/);
});

test.each(BOTH)("%s: S2: tools run in a loop; every step reports tokens and is proof of life", async (_, Agent) => {
  const { server, options } = await model(curious);
  await using _server = server;
  const { seen, tools } = look();
  const { args, usage, beats, words } = asking();

  const result = await new Agent({ ...options, tools }).generate(args);

  expect(result).toMatchObject({ output: { text: "I saw a fish" } });
  expect(seen).toEqual([{ at: "pond" }]);
  expect(usage).toHaveLength(2);
  expect(words).toEqual(["Let me see.", '{"text":"I saw a fish"}']);
  expect(beats.length).toBeGreaterThanOrEqual(4);
});

test.each(BOTH)(
  "%s: S1: what does not fit comes back as text, and the correction knows of the tool calls",
  async (_, Agent) => {
    const { server, options } = await model((history) =>
      history.asked.length > 1 ? { text: '{"text":"better"}', calls: [] } : curious(history),
    );
    await using _server = server;
    const { tools } = look();
    const agent = new Agent({ ...options, tools });
    const first = (await agent.generate(asking().args)) as { responseMessages: unknown[] };

    const conversation = [
      { role: "user" as const, content: "write" },
      { role: "assistant" as const, content: "", native: first.responseMessages },
    ];
    const second = await agent.generate(asking({ conversation, prompt: "again" }).args);

    expect(second).toMatchObject({ output: { text: "better" } });
    expect(JSON.stringify(server.requests.at(-1)?.body)).toMatch(/pond.*a fish.*again/);
  },
);

test.each(BOTH)(
  "%s: plain words instead of JSON are an answer for the engine to correct, not an error",
  async (_, Agent) => {
    const { server, options } = await model(says("Sure thing!"));
    await using _server = server;

    expect(await new Agent(options).generate(asking().args)).toMatchObject({ text: "Sure thing!", output: undefined });
  },
);

test.each(BOTH)("%s: a schema that is no object is left to the prompt", async (_, Agent) => {
  const { server, options } = await model(says("just words"));
  await using _server = server;

  expect(await new Agent(options).generate(asking({ outputSchema: z.string() }).args)).toMatchObject({
    text: "just words",
  });
  expect(JSON.stringify(server.requests[0]?.body)).not.toContain("schema");
});

test.each(BOTH)("%s: S4: only the tools the task allows are offered", async (_, Agent) => {
  const { server, options } = await model(curious);
  await using _server = server;
  const { seen, tools } = look();

  const result = await new Agent({ ...options, tools }).generate(asking({ allowTools: ["hide"] }).args);

  expect(result).toMatchObject({ output: { text: "I saw nothing" } });
  expect(seen).toEqual([]);
  expect(JSON.stringify(server.requests[0]?.body)).not.toContain("looks");
});

test.each(BOTH)("%s: maxSteps ends the loop", async (_, Agent) => {
  const { server, options } = await model(() => ({ text: "", calls: [{ name: "look", args: { at: "pond" } }] }));
  await using _server = server;
  const { seen, tools } = look();

  const result = await new Agent({ ...options, tools, maxSteps: 3 }).generate(asking().args);

  expect(seen).toHaveLength(3);
  expect(result).toMatchObject({ text: "", output: undefined });
});

test.each(BOTH)("%s: a refused key and a limit with its time are errors that say so", async (_, Agent) => {
  const faults: Fault[] = [
    { times: 1, what: { kind: "status", status: 401 } },
    { times: 1, what: { kind: "status", status: 429, retryAfterSeconds: 30 } },
  ];
  const { server, options } = await model(says("{}"), faults);
  await using _server = server;
  const agent = new Agent(options);

  await expect(agent.generate(asking().args)).rejects.toMatchObject({ statusCode: 401 });
  await expect(agent.generate(asking().args)).rejects.toMatchObject({
    statusCode: 429,
    responseHeaders: { "retry-after": "30" },
  });
});

async function serving(answer: (response: ServerResponse) => void) {
  const server = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    options: {
      model: "m",
      apiKey: "k",
      baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
      maxRetries: 0,
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

test.each(BOTH)("%s: an abort ends the request", async (_, Agent) => {
  const asked = Promise.withResolvers<void>();
  await using silent = await serving(() => asked.resolve());
  const stop = new AbortController();
  const answer = new Agent(silent.options).generate(asking({ signal: stop.signal }).args);
  answer.catch(() => {});
  await asked.promise;

  stop.abort(new Error("enough"));

  await expect(answer).rejects.toThrow("enough");
});

test.each(BOTH)("%s: an answer without end is an error, before it fills the memory", async (_, Agent) => {
  const chunk = "x".repeat(1_000_000);
  await using endless = await serving((response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const pour = (): void => {
      while (response.write(chunk));
      response.once("drain", pour);
    };
    pour();
  });

  await expect(new Agent(endless.options).generate(asking().args)).rejects.toMatchObject({
    cause: { code: "PROVIDER_FAILED", message: "the answer has over 50000000 bytes" },
  });
});

test.each(BOTH)("%s: S3: what cannot have an effect is refused when the agent is made", (_, Agent) => {
  const made = new Agent({ model: "m", apiKey: "k" });
  const instance = { specificationVersion: "v4", provider: "p", modelId: "m" } as never;

  expect(made.id).toContain("m");
  for (const wrong of [{ output: {} }, { maxSteps: 0 }, { maxSteps: Number.NaN }])
    expect(() => new Agent({ model: "m", ...wrong } as never)).toThrow(
      expect.objectContaining({ code: "AGENT_CONFIG_INVALID" }),
    );
  expect(() => new Agent({ model: instance, apiKey: "k" })).toThrow("for a model id");
  expect(new Agent({ model: instance }).id).toBe("p:m");
});

test("strict mode is asked for only with schemas it takes", () => {
  const strict = (schema: z.ZodType) => isStrict(answerSchema(schema));

  expect(strict(z.object({ a: z.string(), b: z.array(z.object({ c: z.enum(["x"]).nullable() })) }))).toBe(true);
  for (const schema of [
    z.object({ a: z.string().optional() }),
    z.looseObject({ a: z.string() }),
    z.object({ a: z.unknown() }),
    z.object({ a: z.record(z.string(), z.string()) }),
    z.object({ a: z.array(z.object({ b: z.string().optional() })) }),
  ])
    expect(strict(schema)).toBe(false);
});
