import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { callTool, type Tool } from "../define-tool.ts";
import { describeTools } from "../json-schema.ts";
import { openMemoryWorkspace } from "../workspace/memory-workspace.ts";
import {
  createOpenApiTool,
  createOpenApiTools,
  listOperations,
  openApiOperations,
  type OpenApiCall,
  type OpenApiToolsOptions,
} from "./openapi-tools.node.ts";

interface Got {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** A service that echoes what it got, and misbehaves on request. */
const got: Got[] = [];
const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    const { method = "", url = "", headers } = request;
    got.push({ method, url, headers, body });
    const path = new URL(url, "http://x").pathname;
    if (path.endsWith("/slow")) return; // never answers
    if (path.endsWith("/missing")) return void response.writeHead(404).end("no such pet");
    if (path.endsWith("/text")) return void response.writeHead(200, { "content-type": "text/plain" }).end("just words");
    if (path.endsWith("/huge")) return void response.writeHead(200).end("x".repeat(200_000));
    if (path.endsWith("/away")) return void response.writeHead(302, { location: "http://169.254.169.254/keys" }).end();
    if (path.endsWith("/moved")) return void response.writeHead(301, { location: "/v1/text" }).end();
    if (path.endsWith("/empty")) return void response.writeHead(204).end();
    if (path.endsWith("/broken"))
      return void response.writeHead(200, { "content-type": "application/json" }).end("{oops");
    response
      .writeHead(200, { "content-type": "application/json; charset=utf-8" })
      .end(JSON.stringify({ ok: true, path }));
  });
});
let origin = "";
beforeAll(async () => {
  await new Promise<void>((done) => void server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => (server.closeAllConnections(), server.close()));
beforeEach(() => void got.splice(0));

const spec = (paths: object, more: object = {}): object => ({
  openapi: "3.0.3",
  info: { title: "Pets", version: "1" },
  servers: [{ url: `${origin}/{version}`, variables: { version: { default: "v1" } } }],
  paths,
  ...more,
});
const text = { type: "string" };
const query = (name: string, schema: object, more: object = {}): object => ({ name, in: "query", schema, ...more });

const call = async (tool: Tool | undefined, args: object): Promise<{ ok: boolean; content: string }> => {
  await using workspace = openMemoryWorkspace({});
  const context = {
    workspace,
    signal: new AbortController().signal,
    maxOutputBytes: 1_000_000,
    idempotencyKey: "key-1",
  };
  return callTool(tool ? [tool] : [], { name: tool?.name ?? "", args: JSON.stringify(args) }, context);
};
const one = (operation: object, options: OpenApiToolsOptions = {}, more: object = {}): Promise<Tool> =>
  createOpenApiTool(spec({ "/pets": { get: { operationId: "op", ...operation } } }, more), "op", options);
const sent = async (...given: Parameters<typeof one>): Promise<(args: object) => Promise<string>> => {
  const tool = await one(...given);
  return async (args) => {
    await call(tool, args);
    return got.at(-1)?.url ?? "nothing was sent";
  };
};

describe("what is sent", () => {
  test("path, query, header, cookie and body each in their place", async () => {
    const tools = await createOpenApiTools(
      spec({
        "/owners/{id}/pets": {
          parameters: [{ name: "id", in: "path", required: true, schema: { type: "integer" } }],
          post: {
            operationId: "addPet",
            summary: "Add a pet.",
            parameters: [
              query("dryRun", { type: "boolean" }),
              { name: "X-Trace", in: "header", schema: text },
              { name: "theme", in: "cookie", schema: text },
            ],
            requestBody: {
              required: true,
              content: {
                "application/json": { schema: { type: "object", required: ["name"], properties: { name: text } } },
              },
            },
          },
        },
      }),
    );

    const answer = await call(tools["addPet"], {
      id: 7,
      dryRun: true,
      "X-Trace": "t 1",
      theme: "dark",
      body: { name: "Rex" },
    });

    expect(JSON.parse(answer.content)).toEqual({ ok: true, path: "/v1/owners/7/pets" });
    expect(got).toMatchObject([
      {
        method: "POST",
        url: "/v1/owners/7/pets?dryRun=true",
        headers: {
          "x-trace": "t 1",
          cookie: "theme=dark",
          "content-type": "application/json",
          "idempotency-key": "key-1",
        },
        body: '{"name":"Rex"}',
      },
    ]);
    expect(tools["addPet"]).toMatchObject({ description: "Add a pet.", sideEffect: true, idempotent: false });
  });

  test.each<[string, object, unknown, string]>([
    ["form, exploded", {}, ["a", "b c"], "p=a&p=b%20c"],
    ["form", { explode: false }, ["a", "b,c"], "p=a,b%2Cc"],
    ["spaceDelimited", { style: "spaceDelimited", explode: false }, ["a", "b"], "p=a%20b"],
    ["pipeDelimited", { style: "pipeDelimited", explode: false }, ["a", "b"], "p=a|b"],
    ["form object, exploded", {}, { r: 1, g: "x&y" }, "r=1&g=x%26y"],
    ["form object", { explode: false }, { r: 1, g: 2 }, "p=r,1,g,2"],
    ["deepObject", { style: "deepObject" }, { r: 1, deep: { g: [1, 2] } }, "p[r]=1&p[deep][g]=1&p[deep][g]=2"],
    [
      "content",
      { schema: undefined, content: { "application/json": { schema: {} } } },
      { r: [1] },
      "p=%7B%22r%22%3A%5B1%5D%7D",
    ],
  ])("query style %s", async (_, style, value, wanted) => {
    const send = await sent({ parameters: [query("p", {}, style)] });

    expect(await send({ p: value })).toBe(`/v1/pets?${wanted}`);
  });

  test.each<[string, object, unknown, string]>([
    ["simple", {}, "a b/c", "a%20b%2Fc"],
    ["simple list", {}, [1, 2], "1,2"],
    ["simple object, exploded", { explode: true }, { r: 1, g: 2 }, "r=1,g=2"],
    ["label", { style: "label", explode: true }, [1, 2], ".1.2"],
    ["matrix", { style: "matrix" }, [1, 2], ";p=1,2"],
    ["matrix, exploded", { style: "matrix", explode: true }, [1, 2], ";p=1;p=2"],
  ])("path style %s", async (_, style, value, wanted) => {
    const path = {
      "/at/{p}": { get: { operationId: "at", parameters: [{ name: "p", in: "path", schema: {}, ...style }] } },
    };
    const tool = await createOpenApiTool(spec(path), "at");

    await call(tool, { p: value });

    expect(got[0]?.url).toBe(`/v1/at/${wanted}`);
  });

  test("O3: an argument cannot lead to another path", async () => {
    const path = {
      "/pets/{id}/toys": { get: { operationId: "at", parameters: [{ name: "id", in: "path", schema: text }] } },
    };
    const tool = await createOpenApiTool(spec(path), "at");

    for (const id of ["..", ".", "", "%2e%2e"].slice(0, 3)) {
      const answer = await call(tool, { id });
      expect(answer).toMatchObject({ ok: false, content: expect.stringContaining("another path") as string });
    }
    await call(tool, { id: "../../admin?x=1#y" });

    expect(got.map(({ url }) => url)).toEqual(["/v1/pets/..%2F..%2Fadmin%3Fx%3D1%23y/toys"]);
  });

  test("a header cannot be split", async () => {
    const tool = await one({ parameters: [{ name: "X-A", in: "header", schema: text }] });

    const answer = await call(tool, { "X-A": "a\r\nX-Admin: 1" });

    expect(answer.ok).toBe(false);
    expect(got).toEqual([]);
  });

  test("forms are written as forms", async () => {
    const form = (type: string) => ({
      requestBody: {
        content: { [type]: { schema: { type: "object", properties: { tags: { type: "array", items: text } } } } },
      },
    });
    const tools = await createOpenApiTools(
      spec({
        "/a": { post: { operationId: "url", ...form("application/x-www-form-urlencoded") } },
        "/b": { post: { operationId: "parts", ...form("multipart/form-data") } },
      }),
    );

    await call(tools["url"], { body: { tags: ["x", "y z"], n: 1 } });
    await call(tools["parts"], { body: { tags: ["x", "y z"] } });

    expect(got[0]).toMatchObject({
      body: "tags=x&tags=y%20z&n=1",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
    expect(got[1]?.headers["content-type"]).toMatch(/^multipart\/form-data; boundary=/);
    expect(got[1]?.body.match(/name="tags"/g)).toHaveLength(2);
  });

  test.each<[string, OpenApiToolsOptions["auth"], object]>([
    ["bearer", { type: "bearer", token: "t0" }, { headers: { authorization: "Bearer t0" } }],
    [
      "basic",
      { type: "basicAuth", username: "ann", password: "pä:ss" },
      { headers: { authorization: `Basic ${Buffer.from("ann:pä:ss").toString("base64")}` } },
    ],
    ["key in a header", { type: "apiKey", name: "X-Key", in: "header", value: "k" }, { headers: { "x-key": "k" } }],
    [
      "key in the query",
      { type: "apiKey", name: "api key", in: "query", value: "k&" },
      { url: "/v1/pets?api%20key=k%26" },
    ],
    ["key in a cookie", { type: "apiKey", name: "sid", in: "cookie", value: "k" }, { headers: { cookie: "sid=k" } }],
  ])("auth: %s", async (_, auth, wanted) => {
    const tool = await one({}, { ...(auth ? { auth } : {}), headers: { "X-Own": "1" } });

    await call(tool, {});

    expect(got[0]).toMatchObject(wanted);
    expect(got[0]?.headers["x-own"]).toBe("1");
    expect(JSON.stringify(describeTools([tool]))).not.toMatch(/t0|X-Key|api key|sid/);
  });

  test.each([
    ["token", { type: "bearer", token: undefined as never }],
    ["password", { type: "basic", username: "ann", password: undefined as never }],
    ["value", { type: "apiKey", name: "X-Key", in: "header", value: undefined as never }],
    ["known type", { type: "oauth2" as never }],
  ] as const)("O6: nothing is sent where the auth has no %s", async (_, auth) => {
    const answer = await call(await one({}, { auth }), {});

    expect(JSON.parse(answer.content)).toMatchObject({
      error: true,
      message: expect.stringMatching(/the auth \w+ has no|there is no auth oauth2/) as string,
    });
    expect(got).toEqual([]);
  });

  test("a baseUrl stands for the document's server", async () => {
    const tool = await one({}, { baseUrl: `${origin}/other/` });

    await call(tool, {});

    expect(got[0]?.url).toBe("/other/pets");
  });
});

describe("what comes back", () => {
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
    const parameters = [
      { name: "id", in: "path", schema: text },
      query("q", text),
      query("X-A", text, { in: "header" }),
    ];
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
});

describe("the schema of the arguments", () => {
  const parameters = (tool: Tool): unknown => describeTools([tool])[0]?.function.parameters;

  test("required, described, defaulted, limited, nullable", async () => {
    const tool = await one({
      parameters: [
        query("limit", { type: "integer", minimum: 1, maximum: 100, default: 10 }, { description: "How many." }),
        query("sort", { type: "string", enum: ["asc", "desc"] }, { required: true }),
        query("since", { type: "string", format: "date-time", nullable: true }),
      ],
    });

    expect(parameters(tool)).toMatchObject({
      required: ["sort"],
      additionalProperties: false,
      properties: {
        limit: { type: "integer", minimum: 1, maximum: 100, default: 10, description: "How many." },
        sort: { enum: ["asc", "desc"] },
        since: { anyOf: [{ type: "string", format: "date-time" }, { type: "null" }] },
      },
    });
    expect(await call(tool, { sort: "up" })).toMatchObject({
      ok: false,
      content: expect.stringContaining("sort") as string,
    });
    expect(await call(tool, { sort: "asc", limt: 5 })).toMatchObject({
      ok: false,
      content: expect.stringContaining("limt") as string,
    });
    await call(tool, { sort: "asc" });
    expect(got.map(({ url }) => url)).toEqual(["/v1/pets?limit=10&sort=asc"]);
  });

  test("O2: schemas that hold themselves, and each other", async () => {
    const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
    const schemas = {
      Node: {
        type: "object",
        required: ["name"],
        properties: { name: text, children: { type: "array", items: ref("Node") }, owner: ref("Owner") },
      },
      Owner: { type: "object", properties: { nodes: { type: "array", items: ref("Node") } } },
    };
    const tool = await one(
      { requestBody: { required: true, content: { "application/json": { schema: ref("Node") } } } },
      {},
      { components: { schemas } },
    );

    expect(JSON.stringify(parameters(tool))).toContain("$ref");
    const deep = { name: "a", children: [{ name: "b", children: [{ wrong: 1 }] }] };
    expect(await call(tool, { body: deep })).toMatchObject({
      ok: false,
      content: expect.stringContaining("children") as string,
    });
    expect(tool.schema.safeParse({ body: { name: "a", owner: { nodes: [{ name: "b" }] } } }).success).toBe(true);
  });

  test("O2: a schema that is composed of itself is read to an end", async () => {
    const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
    const cat = { type: "object", required: ["lives"], properties: { lives: { type: "integer" } } };
    const schemas = {
      Pet: { oneOf: [ref("Cat"), ref("Knot")] },
      Cat: { allOf: [ref("Pet"), cat] },
      Knot: { allOf: [ref("Knot"), { type: "object", required: ["rope"], properties: { rope: text } }] },
    };
    const tool = await one(
      { requestBody: { required: true, content: { "application/json": { schema: ref("Pet") } } } },
      {},
      { components: { schemas } },
    );

    const fits = (body: object): boolean => tool.schema.safeParse({ body }).success;

    expect(JSON.stringify(parameters(tool))).toContain("lives");
    expect([fits({ lives: 9 }), fits({ rope: "long" }), fits({ lives: "nine" })]).toEqual([true, true, false]);
  });

  test("composition, open and closed objects, 3.1 types, read-only fields", async () => {
    const schema = {
      type: "object",
      required: ["id", "kind"],
      properties: {
        id: { type: "integer", readOnly: true },
        kind: { const: "pet" },
        age: { type: ["integer", "null"] },
        legs: { oneOf: [{ type: "integer" }, { type: "string", pattern: "^many$" }] },
        both: {
          allOf: [
            { type: "object", required: ["a"], properties: { a: text } },
            { type: "object", required: ["b"], properties: { b: text } },
          ],
        },
        closed: { type: "object", additionalProperties: false, properties: { x: text } },
        counts: { type: "object", additionalProperties: { type: "integer" } },
      },
    };
    const tool = await one({ requestBody: { required: true, content: { "application/json": { schema } } } });
    const fits = (body: object): boolean => tool.schema.safeParse({ body: { kind: "pet", ...body } }).success;

    expect(
      fits({ age: null, legs: "many", both: { a: "1", b: "2" }, closed: { x: "" }, counts: { a: 1 }, extra: true }),
    ).toBe(true);
    for (const wrong of [
      { kind: "car" },
      { age: "1" },
      { legs: "few" },
      { both: { a: "1" } },
      { closed: { y: "" } },
      { counts: { a: "x" } },
    ])
      expect([wrong, fits(wrong)]).toEqual([wrong, false]);
  });

  test("two parameters of one name, and one called body, are all reachable", async () => {
    const send = await sent({
      parameters: [query("id", text), { name: "id", in: "header", schema: text }, query("body", text)],
      requestBody: { content: { "application/json": { schema: {} } } },
    });

    expect(await send({ id: "q", id_header: "h", body_query: "b" })).toBe("/v1/pets?id=q&body=b");
    expect(got[0]?.headers["id"]).toBe("h");
  });
});

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
