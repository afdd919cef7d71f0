/** The schema of a tool that is made out of an operation. */
import { expect, test } from "vitest";
import type { Tool } from "../define-tool.ts";
import { describeTools } from "../json-schema.ts";
import { openService, call, text, query } from "./testing/service.ts";

const { got, one, sent } = openService();

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
