/** What a tool out of an OpenAPI document makes of an answer. */
import { expect, test } from "vitest";
import type { Tool } from "../define-tool.ts";
import {
  createOpenApiTool,
  openApiOperations,
  type OpenApiCall,
  type OpenApiToolsOptions,
} from "./openapi-tools.node.ts";
import { openService, call, text, query } from "./testing/service.ts";

const { got, spec } = openService();

const at = (path: string, options: OpenApiToolsOptions = {}): Promise<Tool> =>
  createOpenApiTool(spec({ [path]: { get: { operationId: "op" } } }), "op", options);

test.each([
  ["/text", "just words"],
  ["/empty", ""],
  ["/broken", "{oops"],
  ["/moved", "just words"],
])("%s is text", async (path, wanted) => {
  expect(await call(await at(path), {})).toEqual({ ok: true, content: wanted });
});

test.each([
  ["/missing", { status: 404, message: expect.stringContaining("no such pet") as string }],
  ["/huge", { status: 200, message: expect.stringContaining("longer than 1000 bytes") as string }],
  ["/slow", { status: null, message: "no answer within 300 ms" }],
  ["/away", { status: 302, message: expect.stringContaining("169.254.169.254") as string }],
])("O4: %s is an answer, not an exception", async (path, wanted) => {
  const calls: OpenApiCall[] = [];

  const answer = await call(
    await at(path, {
      timeoutMs: path === "/slow" ? 300 : 60_000,
      maxResponseBytes: 1_000,
      onCall: (made) => void calls.push(made),
    }),
    {},
  );

  expect(answer.ok).toBe(false);
  expect(JSON.parse(answer.content)).toEqual({ error: true, ...wanted });
  expect(calls).toMatchObject([{ operationId: "op", method: "get", path, status: wanted.status }]);
});

test.each([
  ["half a character in the path", { id: "a\ud800" }],
  ["half a character in the query", { id: "a", q: "\ud800" }],
  ["a header beyond Latin-1", { id: "a", "X-A": "東京" }],
  ["another path", { id: ".." }],
])("O4: %s is an answer, and nothing is sent", async (_, args) => {
  const parameters = [{ name: "id", in: "path", schema: text }, query("q", text), query("X-A", text, { in: "header" })];
  const [operation] = await openApiOperations(spec({ "/pets/{id}": { get: { operationId: "op", parameters } } }));

  const answer = await operation?.call(args, { signal: new AbortController().signal, idempotencyKey: "k" });

  expect(answer).toMatchObject({ kind: "failed", status: null });
  expect(got).toEqual([]);
});

test("O4: nobody listens", async () => {
  const answer = await call(await at("/x", { baseUrl: "http://127.0.0.1:1" }), {});

  expect(JSON.parse(answer.content)).toMatchObject({ error: true, status: null });
});

test("O5: a write is never sent on to where a redirect points", async () => {
  const tool = await createOpenApiTool(spec({ "/moved": { post: { operationId: "op" } } }), "op");

  const answer = await call(tool, {});

  expect(JSON.parse(answer.content)).toMatchObject({ status: 301 });
  expect(got).toHaveLength(1);
});
