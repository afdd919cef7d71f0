/** @jsxImportSource smithers-orchestrator */
/** The tools of `smithers-orchestrator/tools` in an agent of the AI SDK that knows nothing of us, against a model over real HTTP. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Persona } from "@smooth/agents/scripted/persona";
import { startScriptedServer } from "@smooth/agents/scripted/server";
import { createAnthropic } from "@ai-sdk/anthropic";
import { ToolLoopAgent } from "ai";
import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { createSmithers, runWorkflow } from "./index.ts";
import { defineTool, tools } from "./tools.ts";

const { Workflow, Task, smithers, outputs } = createSmithers({ output: z.object({ text: z.string() }) });

let rootDir: string;
beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), "sdk-tools-"));
  writeFileSync(join(rootDir, "a.txt"), "one\n");
});
afterEach(() => rmSync(rootDir, { recursive: true }));

const shout = defineTool({
  name: "shout",
  description: "Say it louder.",
  schema: z.object({ text: z.string() }),
  execute: ({ text }, { nodeId }) => `${text.toUpperCase()} (${nodeId})`,
});

const steps = [
  { name: "read", args: { path: "a.txt" } },
  { name: "shout", args: { text: "one" } },
  { name: "write", args: { path: "b.txt", content: "two" } },
  { name: "bash", args: { cmd: "cat a.txt b.txt" } },
];
const worker: Persona = ({ calls }) => {
  const next = steps[calls.length];
  const answer = JSON.stringify({ text: calls.map(({ result }) => result).join("|") });
  return next ? { text: "", calls: [next] } : { text: answer, calls: [] };
};

async function run(props: { readonly allowTools?: readonly string[] } = {}) {
  await using server = await startScriptedServer({ persona: worker });
  const model = createAnthropic({ baseURL: server.url, apiKey: "k" })("claude-sonnet-4-5");
  const agent = new ToolLoopAgent({ model, tools: { ...tools, shout } });
  const calls: string[] = [];
  const workflow = smithers(() => (
    <Workflow name="sdk-tools">
      <Task id="work" output={outputs.output} agent={agent} retries={0} {...props}>
        Work.
      </Task>
    </Workflow>
  ));
  const result = await runWorkflow(workflow, {
    input: {},
    rootDir,
    onEvent: (event) => void (event.type === "tool.finished" && calls.push(`${event.tool} ${event.status}`)),
  });
  return { result, calls };
}

test("an agent of the AI SDK uses them unchanged: in the root, with the task's context, each call in the log", async () => {
  const { result, calls } = await run();

  expect(result).toMatchObject({ status: "finished", output: { text: "one\n|ONE (work)|ok|one\ntwo" } });
  expect(calls).toEqual(["read success", "shout success", "write success", "bash success"]);
  expect(readFileSync(join(rootDir, "b.txt"), "utf8")).toBe("two");
});

test("allowTools holds for it too: what the task leaves out is not there for the model, and does nothing", async () => {
  const { result, calls } = await run({ allowTools: ["read"] });

  expect(result).toMatchObject({ output: { text: expect.stringContaining("unavailable tool 'write'") } });
  expect(calls).toEqual(["read success"]);
  expect(existsSync(join(rootDir, "b.txt"))).toBe(false);
});
