/** @jsxImportSource smithers-orchestrator */
/** Agents of the AI SDK in a workflow, against the scripted model over real HTTP, with the events they leave. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Persona } from "@smooth/agents/scripted/persona";
import { startScriptedServer } from "@smooth/agents/scripted/server";
import { createAnthropic } from "@ai-sdk/anthropic";
import { tool, ToolLoopAgent } from "ai";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { type AgentLike, AnthropicAgent, createSmithers, OpenAIAgent, runWorkflow, Task, tools } from "./index.ts";

const { Workflow, smithers, outputs } = createSmithers({ output: z.object({ title: z.string(), words: z.number() }) });

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

async function run(
  agent: AgentLike | AgentLike[],
  props: { readonly allowTools?: string[] } = {},
  files: Readonly<Record<string, string>> = {},
) {
  const rootDir = mkdtempSync(join(tmpdir(), "agents-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(rootDir, name), text);
  folders.push(rootDir);
  const events: Record<string, unknown>[] = [];
  const workflow = smithers(() => (
    <Workflow name="agents">
      <Task id="write" output={outputs.output} agent={agent} retries={0} {...props}>
        Write a title.
      </Task>
    </Workflow>
  ));
  const result = await runWorkflow(workflow, { input: {}, rootDir, onEvent: (event) => void events.push(event) });
  return { result, events, usage: events.filter(({ type }) => type === "node.usage") };
}

/** Counts with its tool, answers wrong words at first, then what the schema wants. */
const author: Persona = ({ calls, asked, tools }) => {
  if (calls.length === 0 && tools.has("count")) return { text: "", calls: [{ name: "count", args: { of: "words" } }] };
  const words = calls.length === 0 ? 1 : Number(calls[0]?.result ?? 0);
  const answer = asked.length === 1 ? { title: "On steps", words: "many" } : { title: "On steps", words };
  return { text: `Here it is: ${JSON.stringify(answer)}`, calls: [] };
};
const count = tool({ inputSchema: z.object({ of: z.string() }), execute: async () => 900 });
const options = (url: string) => ({
  model: "claude-sonnet-4-5",
  apiKey: "k",
  baseURL: url,
  tools: { count },
  maxRetries: 0,
});

test.each([
  ["AnthropicAgent", (url: string) => new AnthropicAgent(options(url))],
  ["OpenAIAgent", (url: string) => new OpenAIAgent(options(url))],
  ["a raw ToolLoopAgent", (url: string) => new ToolLoopAgent({ ...options(url), model: modelOf(url) })],
])("%s: tools, correction in the same conversation, and every token in the events", async (_, agentOf) => {
  await using server = await startScriptedServer({ persona: author });

  const { result, usage } = await run(agentOf(server.url));

  expect(result).toMatchObject({ status: "finished", output: { title: "On steps", words: 900 } });
  expect(usage).toHaveLength(3);
  expect(usage[0]).toMatchObject({ nodeId: "write", attempt: 1, model: "DEMO-scripted", costUsd: null });
  expect(JSON.stringify(server.requests.at(-1)?.body)).toMatch(/count.*900.*does not match the schema/);
});

test.each([
  ["AnthropicAgent", (url: string) => new AnthropicAgent(options(url))],
  ["a raw ToolLoopAgent", (url: string) => new ToolLoopAgent({ model: modelOf(url), tools: { count } })],
])("%s: gets only the tools its task allows", async (_, agentOf) => {
  await using server = await startScriptedServer({ persona: author });

  const { result } = await run(agentOf(server.url), { allowTools: [] });

  expect(result).toMatchObject({ status: "finished", output: { words: 1 } });
  expect(server.requests.every(({ body }) => !JSON.stringify(body["tools"] ?? []).includes("count"))).toBe(true);
});

test("the built-in tools are the agent's: they run in its task, and their calls are in the events", async () => {
  const reader: Persona = ({ calls }) =>
    calls.length === 0
      ? { text: "", calls: [{ name: "read", args: { path: "notes.txt" } }] }
      : { text: JSON.stringify({ title: String(calls[0]?.result), words: 1 }), calls: [] };
  await using server = await startScriptedServer({ persona: reader });

  const { result, events } = await run(
    new OpenAIAgent({ ...options(server.url), tools }),
    {},
    { "notes.txt": "A fish" },
  );

  expect(result).toMatchObject({ status: "finished", output: { title: expect.stringContaining("A fish") } });
  expect(events.filter(({ type }) => String(type).startsWith("tool."))).toMatchObject([
    { type: "tool.started", nodeId: "write", tool: "read" },
    { type: "tool.finished", status: "success" },
  ]);
});

test("a refused key goes on to the next agent of the chain; alone, it is AGENT_CONFIG_INVALID", async () => {
  const faults = [{ times: 2, what: { kind: "status", status: 401 } }] as const;
  await using refused = await startScriptedServer({ persona: author, faults });
  await using good = await startScriptedServer({ persona: author });
  const bad = new AnthropicAgent(options(refused.url));

  expect((await run([bad, new OpenAIAgent(options(good.url))])).result).toMatchObject({ status: "finished" });
  expect((await run(new AnthropicAgent(options(refused.url)))).result).toMatchObject({
    status: "failed",
    error: { code: "AGENT_CONFIG_INVALID" },
  });
});

test("no key anywhere is AGENT_CONFIG_INVALID, and nothing is asked", async () => {
  const key = process.env["ANTHROPIC_API_KEY"];
  delete process.env["ANTHROPIC_API_KEY"];
  try {
    const { result } = await run(new AnthropicAgent({ model: "claude-sonnet-4-5" }));
    expect(result).toMatchObject({ status: "failed", error: { code: "AGENT_CONFIG_INVALID" } });
  } finally {
    if (key !== undefined) process.env["ANTHROPIC_API_KEY"] = key;
  }
});

test("an agent that is only named costs a workflow file nothing", async () => {
  const script = `
    import { registerHooks } from "node:module";
    const loaded = [];
    registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
    const { AnthropicAgent } = await import("smithers-orchestrator");
    new AnthropicAgent({ model: "claude-sonnet-4-5" });
    console.log(loaded.filter((url) => /node_modules\\/(ai|@ai-sdk)\\//.test(url)).length);`;
  const said = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { cwd: import.meta.dirname });

  expect(String(said).trim()).toBe("0");
});

function modelOf(url: string) {
  return createAnthropic({ apiKey: "k", baseURL: url })("claude-sonnet-4-5");
}
