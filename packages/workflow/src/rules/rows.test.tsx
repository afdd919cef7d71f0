/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §1 about rows, on a real SQLite database. */
import { decodeRow } from "@smooth/engine/table";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const rich = z.object({
  aText: z.string(),
  yes: z.boolean(),
  no: z.boolean(),
  nothing: z.string().nullable(),
  absent: z.string().optional(),
  present: z.number().optional(),
  either: z.string().nullish(),
  when: z.date(),
  list: z.array(z.object({ on: z.date(), deep: z.array(z.boolean().nullable()) })),
  one: z.union([z.string(), z.number()]),
  big: z.bigint(),
  kind: z.enum(["a", "b"]),
  names: z.set(z.string()),
  dates: z.map(z.string(), z.date()),
  numbers: z.array(z.any()),
  gaps: z.array(z.string().optional()),
  called: z.any(),
});
const value: z.infer<typeof rich> = {
  aText: "line\nline ✓ \u0000 '\"",
  yes: true,
  no: false,
  nothing: null,
  present: 0.1,
  either: null,
  when: new Date(1_700_000_000_123),
  list: [{ on: new Date(0), deep: [true, null, false] }],
  one: "7",
  big: 2n ** 70n,
  kind: "b",
  names: new Set(["x", "y"]),
  dates: new Map([["x", new Date(7)]]),
  numbers: [Number.NaN, -Infinity, 1],
  gaps: [undefined, "x", undefined],
  called: { $smooth: ["bigint", "like ours"], on: new Date(1) },
};

test("one row per (run, node, iteration), in a table per schema, with snake_case columns; every value comes back as it was", async () => {
  const sql = openSqlite(":memory:");
  const engine = testEngine();
  const own = createSmithers({ rich, seen: z.object({ same: z.boolean() }) });
  const seen: unknown[] = [];
  const workflow = own.smithers((ctx) => {
    seen.push(ctx.outputMaybe(own.outputs.rich, "a"));
    return (
      <own.Workflow name="rows">
        <own.Task id="a" output={own.outputs.rich}>
          {() => value}
        </own.Task>
        <own.Approval id="stop" output="seen" request={{ title: "?" }} onDeny="continue" />
      </own.Workflow>
    );
  });
  const store = openSqliteStore(sql);
  const first = await engine.start(workflow, { store });
  await first.result;
  const second = await engine.resume(workflow, first.runId, { store });
  await second.result;

  expect(seen.at(-1)).toEqual(value);
  expect(Object.keys(seen.at(-1) as object)).not.toContain("absent");
  const row = sql.all("SELECT * FROM rich");
  expect(row).toMatchObject([{ run_id: first.runId, node_id: "a", iteration: 0, a_text: value.aText, yes: 1, no: 0 }]);
});

const versions = (schema: z.ZodObject, row: Record<string, unknown>) => {
  const own = createSmithers({ result: schema });
  let ran = 0;
  const workflow = own.smithers(() => (
    <own.Workflow name="versions">
      <own.Task id="a" output="result">
        {() => ((ran += 1), row)}
      </own.Task>
    </own.Workflow>
  ));
  return { workflow, ran: () => ran };
};

test("a schema that gained a field widens its table at start; what was recorded before stays readable", async () => {
  const sql = openSqlite(":memory:");
  const engine = testEngine();
  await (
    await engine.start(versions(z.object({ a: z.string() }), { a: "1" }).workflow, { store: openSqliteStore(sql) })
  ).result;
  const wider = versions(z.object({ a: z.string(), newField: z.number().optional() }), { a: "2", newField: 2 });

  const run = await engine.start(wider.workflow, { store: openSqliteStore(sql) });

  expect((await run.result).status).toBe("finished");
  expect(sql.all("SELECT a, new_field FROM result ORDER BY a")).toEqual([
    { a: "1", new_field: null },
    { a: "2", new_field: 2 },
  ]);
});

test("a schema whose field changed its type is refused at start by the column's name; nothing has run", async () => {
  const sql = openSqlite(":memory:");
  const engine = testEngine();
  await (
    await engine.start(versions(z.object({ a: z.string() }), { a: "1" }).workflow, { store: openSqliteStore(sql) })
  ).result;
  const changed = versions(z.object({ a: z.number() }), { a: 2 });

  await expect(engine.start(changed.workflow, { store: openSqliteStore(sql) })).rejects.toMatchObject({
    code: "DB_MISSING_COLUMNS",
    message: expect.stringContaining("column a"),
  });
  expect(changed.ran()).toBe(0);
});

test("a value that is no data fails its attempt, never the run's transaction", async () => {
  const { Workflow, Task, smithers, outputs } = createSmithers({ any: z.object({ v: z.any() }) });
  const engine = testEngine();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="no data">
        <Task id="a" output={outputs.any} continueOnFail>
          {() => ({ v: () => 1 })}
        </Task>
      </Workflow>
    )),
    { store: openSqliteStore(openSqlite(":memory:")) },
  );

  expect((await handle.result).status).toBe("finished");
  expect(engine.events.find(({ type }) => type === "node.failed")).toMatchObject({ error: { code: "INVALID_OUTPUT" } });
});

test("fields called like a key column have columns of their own", async () => {
  const sql = openSqlite(":memory:");
  const names = { runId: "a", nodeId: "b", iteration: 7, _rest: "c" };
  const own = createSmithers({
    names: z.object({
      runId: z.string(),
      nodeId: z.string(),
      iteration: z.number(),
      _rest: z.string(),
    }),
  });
  const workflow = own.smithers(() => (
    <own.Workflow name="names">
      <own.Task id="t" output={own.outputs.names}>
        {names}
      </own.Task>
    </own.Workflow>
  ));
  const store = openSqliteStore(sql);
  const { result, runId } = await testEngine().start(workflow, { store });

  expect((await result).status).toBe("finished");
  const table = workflow.registry.find("names");
  expect((await store.outputs(runId, table)).map(({ cells }) => decodeRow(table, cells))).toEqual([names]);
});

test.each([
  ["fooBar", "foo_bar", "foo_bar"],
  ["foo_bar", "fooBar", "foo_bar"],
  ["userID", "userId", "user_id"],
  ["runId", "run_id", "run_id_field"],
  ["iteration", "iteration_field", "iteration_field"],
])("O2: an output with the fields %s and %s is refused when it is made: both would be one column", (a, b, column) => {
  const made = () => createSmithers({ pair: z.object({ [a]: z.string(), [b]: z.string() }) });

  const message = `output pair: the fields \`${a}\` and \`${b}\` would both be column ${column}; rename one of them`;
  expect(made).toThrow(expect.objectContaining({ code: "INVALID_INPUT", message }));
});

test.each<[string, unknown]>([
  ["Function", { call: () => 1 }],
  ["Symbol", [Symbol("x")]],
  ["Uint8Array", new Uint8Array([1, 2])],
  ["RegExp", /x/],
  ["Error", { cause: new Error("x") }],
])(
  "O3: a value that could not come back as it was is refused, never recorded as another one: %s",
  async (name, given) => {
    const own = createSmithers({ any: z.object({ value: z.any() }) });
    const workflow = own.smithers(() => (
      <own.Workflow name="no-data">
        <own.Task id="a" output={own.outputs.any}>
          {() => ({ value: given })}
        </own.Task>
      </own.Workflow>
    ));
    const { result } = await testEngine().start(workflow);

    expect(await result).toMatchObject({
      status: "failed",
      error: { code: "INVALID_OUTPUT", message: expect.stringContaining(`a ${name} is no data`) as string },
    });
  },
);
