import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import * as root from "./index.ts";
import * as memory from "./memory.ts";
import * as openapi from "./openapi.ts";
import * as scorers from "./scorers.ts";

/** What the documented package exports, and what of it is not here, each with where its work is done instead. */
const DOCUMENTED = `
AnthropicAgent Approval ApprovalGate Branch CheckSuite ClassifyAndRoute ContentPipeline ContinueAsNew Debate DecisionTable
DriftDetector ERROR_REFERENCE_URL EscalationChain GatherAndSynthesize Kanban Loop MergeQueue OpenAIAgent Optimizer Panel Parallel
Poller Ralph ReviewLoop Saga ScanFixVerify Sequence Signal SmithersErrorInstance Summarizer SuperSmithers Supervisor Task Timer
TokenLimiter TryCatchFinally TtlGarbageCollector WaitForEvent Workflow aggregateScores approvalDecisionSchema approvalRankingSchema
approvalSelectionSchema bash continueAsNew createMemoryStore createOpenApiTool createOpenApiTools createScorer createSmithers
defineTool edit errorToJson faithfulnessScorer getSmithersErrorDefinition getSmithersErrorDocsUrl grep isKnownSmithersErrorCode
isSmithersError knownSmithersErrorCodes latencyScorer listOperations llmJudge markdownComponents mdxPlugin namespaceToString
parseNamespace read relevancyScorer renderFrame renderMdx runWorkflow schemaAdherenceScorer tools toxicityScorer useCtx write
zodSchemaToJsonExample Aspects HumanTask Runbook Sandbox Subflow Worktree runJj getJjPointer revertToJjPointer isJjRepo workspaceAdd workspaceList
workspaceClose revertToAttempt Gateway startServer`
  .trim()
  .split(/\s+/);

test.each(DOCUMENTED)("%s is exported", (name) => {
  expect((root as Record<string, unknown>)[name]).toBeDefined();
});

test.each(Object.entries(manifest.exports))("the door %s has something behind it", async (_, file) => {
  const door = (await import(new URL(`../${file}`, import.meta.url).href)) as object;

  expect(Object.keys(door).length).toBeGreaterThan(0);
});

describe("errors", () => {
  test("carry a code that can be told, explained and written down", () => {
    const error = new root.SmithersErrorInstance("INVALID_INPUT", "no repo", {
      details: { field: "repo" },
      cause: new TypeError("undefined"),
    });

    expect(root.isSmithersError(error) && root.isKnownSmithersErrorCode(error.code)).toBe(true);
    expect(root.isSmithersError(new Error("plain"))).toBe(false);
    expect(root.isKnownSmithersErrorCode("toString")).toBe(false);
    expect(root.getSmithersErrorDefinition("INVALID_INPUT")).toMatchObject({ httpStatus: 400 });
    expect(root.getSmithersErrorDefinition("MINE")).toBeUndefined();
    expect(root.knownSmithersErrorCodes).toContain("DUPLICATE_ID");
    expect(root.errorToJson(error)).toMatchObject({
      code: "INVALID_INPUT",
      message: "no repo",
      docsUrl: root.ERROR_REFERENCE_URL,
      details: { field: "repo" },
      cause: { message: "undefined" },
    });
    expect([error.summary, error.docsUrl]).toEqual(["no repo", "docs/errors.md"]);
  });
});

test("a memory store opens by path and remembers", async () => {
  const store = memory.createMemoryStore(":memory:");
  const namespace = { kind: "workflow", id: "code-review" } as const;

  await store.set(namespace, "style", "two spaces", { ttlMs: 60_000 });
  await memory.TtlGarbageCollector().process(store);

  expect(await store.recall(namespace, "spaces", 1)).toMatchObject([{ key: "style", value: "two spaces" }]);
});

test("a task's agent calls a service through its OpenAPI document; what the service refuses is an answer", async () => {
  const service = createServer((request, response) => {
    const found = request.url === "/pets/1";
    response.writeHead(found ? 200 : 404, { "content-type": "application/json" });
    response.end(
      JSON.stringify(found ? { name: "Rex", key: request.headers["idempotency-key"] } : { detail: "no such pet" }),
    );
  });
  await new Promise<void>((done) => void service.listen(0, "127.0.0.1", done));
  const spec = {
    openapi: "3.1.0",
    servers: [{ url: `http://127.0.0.1:${(service.address() as AddressInfo).port}` }],
    paths: {
      "/pets/{id}": {
        get: { operationId: "pet", parameters: [{ name: "id", in: "path", schema: { type: "integer" } }] },
      },
    },
  };
  const { pet } = await openapi.createOpenApiTools(spec);
  const { smithers, Workflow, Task, outputs } = root.createSmithers({ output: root.approvalSelectionSchema });
  const seen: unknown[] = [];
  const agent = {
    generate: async () => {
      for (const id of [1, 2]) seen.push(await pet?.execute({ id }));
      return { text: '{"selected":"Rex","notes":null}' };
    },
  };
  const { h } = await import("@smooth/workflow/jsx-runtime");
  const task = () => h(Task<typeof outputs.output>, { id: "ask", output: outputs.output, agent, children: "Ask." });
  const { mkdtempSync, rmSync } = await import("node:fs");
  const rootDir = mkdtempSync("/tmp/openapi-task-");

  const result = await root.runWorkflow(
    smithers(() => h(Workflow, { name: "pets" }, task())),
    { input: {}, rootDir },
  );

  expect(result).toMatchObject({ status: "finished", output: { selected: "Rex" } });
  expect(seen).toEqual([
    { name: "Rex" },
    { error: true, status: 404, message: expect.stringContaining("no such pet") as string },
  ]);
  service.close();
  rmSync(rootDir, { recursive: true });
});

test("scorers are made under their documented names", () => {
  expect(scorers.schemaAdherenceScorer().id).toBe("schema-adherence");
  expect(scorers.latencyScorer({ targetMs: 1, maxMs: 2 }).name).toBe("Latency");
});
