/** What a tool out of an OpenAPI document sends. */
import { expect, test } from "vitest";
import { describeTools } from "../json-schema.ts";
import { createOpenApiTool, createOpenApiTools, type OpenApiToolsOptions } from "./openapi-tools.node.ts";
import { openService, call, text, query } from "./testing/service.ts";

const { got, origin, spec, one, sent } = openService();

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
  const tool = await one({}, { baseUrl: `${origin()}/other/` });

  await call(tool, {});

  expect(got[0]?.url).toBe("/other/pets");
});
