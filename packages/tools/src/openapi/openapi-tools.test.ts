/** Which operations become tools, and where their document comes from. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import {
  createOpenApiTool,
  createOpenApiTools,
  listOperations,
  type OpenApiToolsOptions,
} from "./openapi-tools.node.ts";
import { openService, call, text } from "./testing/service.ts";

const { spec } = openService();

describe("which operations", () => {
  const document = (): object =>
    spec({
      "/pets": { get: { operationId: "pets.list", summary: "All pets." }, post: { operationId: "pets/list" } },
      "/pets/{id}": { delete: { parameters: [{ name: "id", in: "path", schema: text }] } },
    });

  test("are listed with method, path and summary", async () => {
    expect(await listOperations(document())).toEqual([
      { operationId: "pets.list", method: "GET", path: "/pets", summary: "All pets." },
      { operationId: "pets/list", method: "POST", path: "/pets", summary: "" },
      { operationId: "delete_/pets/{id}", method: "DELETE", path: "/pets/{id}", summary: "" },
    ]);
  });

  test("names fit providers and stay apart", async () => {
    expect(Object.keys(await createOpenApiTools(document(), { namePrefix: "api." }))).toEqual([
      "api_pets_list",
      "api_pets_list_2",
      "api_delete_pets_id",
    ]);
  });

  test("include and exclude take operationIds; exclude wins; an unknown one is refused by name", async () => {
    const names = async (options: OpenApiToolsOptions) => Object.keys(await createOpenApiTools(document(), options));

    expect(await names({ include: ["pets.list", "pets/list"], excludeOperations: ["pets/list"] })).toEqual([
      "pets_list",
    ]);
    expect(await names({ exclude: ["pets.list"] })).toHaveLength(2);
    await expect(names({ includeOperations: ["pets.all"] })).rejects.toMatchObject({
      code: "OPENAPI_OPERATION_NOT_FOUND",
    });
    await expect(createOpenApiTool(document(), "nope")).rejects.toThrow("no operation nope; it has pets.list");
  });
});

describe("where a document comes from", () => {
  const minimal = (): object => spec({ "/pets": { get: { operationId: "op" } } });

  test("an object, JSON or YAML text, a file, a URL: all the same", async () => {
    const dir = mkdtempSync(join(tmpdir(), "openapi-"));
    writeFileSync(join(dir, "spec.yaml"), stringify(minimal()));
    const remote = createServer(
      (_, response) => void response.end(stringify({ ...minimal(), servers: [{ url: "/api" }] })),
    );
    await new Promise<void>((done) => void remote.listen(0, "127.0.0.1", done));
    const url = `http://127.0.0.1:${(remote.address() as AddressInfo).port}/docs/spec.yaml`;

    for (const given of [minimal(), JSON.stringify(minimal()), stringify(minimal()), join(dir, "spec.yaml"), url])
      expect(await listOperations(given)).toMatchObject([{ operationId: "op" }]);
    await call(await createOpenApiTool(url, "op", { fetch: async (asked) => new Response(String(asked)) }), {}).then(
      ({ content }) => expect(content).toBe(new URL("/api/pets", url).href),
    );

    remote.close();
    rmSync(dir, { recursive: true });
  });

  test.each<[string, string | object, string]>([
    ["a missing file", "/nowhere/spec.json", "ENOENT"],
    ["nonsense", "a: [\n", "neither JSON nor YAML"],
    ["a list", "- a\n- b\n", "not an object"],
    ["Swagger 2", { swagger: "2.0", paths: {} }, '"2.0"'],
    [
      "a reference that leads nowhere",
      { openapi: "3.1.0", paths: { "/a": { $ref: "#/nope" } } },
      "#/nope leads nowhere",
    ],
    [
      "a reference with a stray percent sign",
      { openapi: "3.1.0", paths: { "/a": { $ref: "#/a%zz" } } },
      "leads nowhere",
    ],
    ["a reference to itself", { openapi: "3.1.0", paths: { "/a": { $ref: "#/paths/~1a" } } }, "back to itself"],
    [
      "a reference to a file",
      { openapi: "3.1.0", paths: { "/a": { get: { parameters: [{ $ref: "./x.yaml" }] } } } },
      "out of the document",
    ],
    ["no server", { openapi: "3.1.0", paths: { "/a": { get: {} } } }, "give a baseUrl"],
  ])("%s is refused with what is wrong", async (_, given, said) => {
    await expect(createOpenApiTools(given)).rejects.toMatchObject({
      code: "OPENAPI_SPEC_LOAD_FAILED",
      message: expect.stringContaining(said) as string,
    });
  });
});
