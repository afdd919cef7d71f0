import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import manifest from "../package.json" with { type: "json" };
import * as root from "./index.ts";
import * as memory from "./memory.ts";
import * as openapi from "./openapi.ts";
import * as scorers from "./scorers.ts";

/** Every value that the documentation imports, by the door it is imported from. */
const DOCUMENTED: Readonly<Record<string, string>> = {
  ".": `
    aggregateScores AnthropicAgent Approval approvalDecisionSchema ApprovalGate approvalRankingSchema
    approvalSelectionSchema Aspects bash Branch CheckSuite ClassifyAndRoute ContentPipeline ContinueAsNew
    continueAsNew createMemoryStore createOpenApiTool createOpenApiTools createScorer createSmithers Debate
    DecisionTable defineTool DriftDetector edit ERROR_REFERENCE_URL errorToJson EscalationChain faithfulnessScorer
    Gateway GatherAndSynthesize getJjPointer getSmithersErrorDefinition getSmithersErrorDocsUrl grep HumanTask
    isJjRepo isKnownSmithersErrorCode isSmithersError Kanban knownSmithersErrorCodes latencyScorer listOperations
    llmJudge Loop markdownComponents mdxPlugin MergeQueue namespaceToString OpenAIAgent Optimizer Panel Parallel
    parseNamespace Poller Ralph read relevancyScorer renderFrame renderMdx revertToAttempt revertToJjPointer
    ReviewLoop Runbook runJj runWorkflow Saga Sandbox ScanFixVerify schemaAdherenceScorer Sequence Signal
    SmithersErrorInstance startServer Subflow Summarizer SuperSmithers Supervisor Task Timer TokenLimiter tools
    toxicityScorer TryCatchFinally TtlGarbageCollector useCtx WaitForEvent Workflow workspaceAdd workspaceClose
    workspaceList Worktree write zodSchemaToJsonExample`,
  "./tools": "bash defineTool edit grep read tools write",
  "./scorers": `aggregateScores createScorer faithfulnessScorer latencyScorer llmJudge relevancyScorer schemaAdherenceScorer
    toxicityScorer`,
  "./memory": "createMemoryStore namespaceToString parseNamespace Summarizer TokenLimiter TtlGarbageCollector",
  "./openapi": "createOpenApiTool createOpenApiTools listOperations",
  "./mdx-plugin": "mdxPlugin",
  "./jsx-runtime": "Fragment jsx jsxs",
  "./jsx-dev-runtime": "Fragment jsxDEV",
  "./gateway": "Gateway",
  "./server": "startServer",
  "./serve": "createServeApp",
  "./observability": "trackSmithersEvent",
};

/** Documented, and not here: the README says why. Who adds one moves it up. */
const NOT_HERE: Readonly<Record<string, string>> = {
  ".": "AmpAgent ClaudeCodeAgent CodexAgent ForgeAgent GeminiAgent KimiAgent PiAgent",
};

const words = (text: string): readonly string[] => text.trim().split(/\s+/);
const listed = (doors: typeof DOCUMENTED) =>
  Object.entries(doors).flatMap(([door, names]) => words(names).map((name) => ({ door, name })));
const behind = async (door: string): Promise<Readonly<Record<string, unknown>>> => {
  const file = manifest.exports[door as keyof typeof manifest.exports];
  return (await import(new URL(`../${file}`, import.meta.url).href)) as Readonly<Record<string, unknown>>;
};

test.each(listed(DOCUMENTED))("$door has $name", async ({ door, name }) => {
  expect((await behind(door))[name]).toBeDefined();
});

test.each(listed(NOT_HERE))("$door has no $name", async ({ door, name }) => {
  expect((await behind(door))[name]).toBeUndefined();
});

test("doors that are documented and not here are no doors", () => {
  expect(Object.keys(manifest.exports)).toEqual(expect.arrayContaining(Object.keys(DOCUMENTED)));
  for (const door of ["./pi-plugin", "./pi-extension", "./dom/renderer"])
    expect(manifest.exports).not.toHaveProperty(door);
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
