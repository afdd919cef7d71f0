/** @jsxImportSource @smooth/workflow */
/** What happens to a running run when its workflow is edited. */
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const text = z.object({ text: z.string() });
const edited = (
  schemas: Record<string, z.ZodObject>,
  body: (api: ReturnType<typeof createSmithers>) => React.ReactElement,
) => {
  const api = createSmithers({ text, ...schemas });
  return api.smithers(() => body(api), { name: "flow" });
};
const flow = (word: string, wait: () => Promise<void>, calls: string[]) =>
  edited({}, ({ Workflow, Sequence, Task }) => (
    <Workflow name="flow">
      <Sequence>
        <Task id="first" output="text">
          {() => (calls.push(`first ${word}`), { text: word })}
        </Task>
        <Task id="slow" output="text">
          {() => (calls.push(`slow ${word}`), wait().then(() => ({ text: word })))}
        </Task>
        <Task id="last" output="text">
          {() => (calls.push(`last ${word}`), { text: word })}
        </Task>
      </Sequence>
    </Workflow>
  ));

async function running() {
  const engine = testEngine();
  const calls: string[] = [];
  const gate = Promise.withResolvers<void>();
  const handle = await engine.start(flow("old", () => gate.promise, calls));
  await settle();
  return { engine, calls, gate, handle };
}

test("H3: what is recorded stays, what runs goes on with its old code, what comes is the edited workflow's", async () => {
  const { engine, calls, gate, handle } = await running();

  const outcome = await handle.reload(async () => flow("new", () => gate.promise, calls));
  await settle();
  gate.resolve();

  expect(outcome).toEqual({ kind: "reloaded", changed: [] });
  expect((await handle.result).status).toBe("finished");
  expect(calls).toEqual(["first old", "slow old", "last new"]);
  expect(engine.events.filter(({ type }) => type === "run.reloaded")).toHaveLength(1);
});

test("H4: reloads come one after the other: the one that was asked for last is used, however slow the first is", async () => {
  const { engine, calls, gate, handle } = await running();
  const slowly = Promise.withResolvers<void>();

  const first = handle.reload(() => slowly.promise.then(() => flow("first", () => gate.promise, calls)));
  const second = handle.reload(async () => flow("second", () => gate.promise, calls));
  await settle();
  slowly.resolve();
  await Promise.all([first, second]);
  gate.resolve();
  await handle.result;

  expect(calls.at(-1)).toBe("last second");
  expect(engine.events.filter(({ type }) => type === "run.reloaded")).toHaveLength(2);
});

test("a node that is new in the edited workflow runs; one that left keeps its row and is not waited for", async () => {
  const { engine, gate, handle } = await running();

  await handle.reload(async () =>
    edited({ extra: z.object({ n: z.number() }) }, ({ Workflow, Task }) => (
      <Workflow name="flow">
        <Task id="extra" output="extra">
          {{ n: 1 }}
        </Task>
      </Workflow>
    )),
  );
  await settle();
  expect(engine.trace()).toContain("node.finished extra#0");
  gate.resolve();

  expect((await handle.result).status).toBe("finished");
  expect(engine.trace().filter((line) => line.startsWith("node.finished"))).toEqual([
    "node.finished first#0",
    "node.finished extra#0",
    "node.finished slow#0",
  ]);
});

test.each<[string, Record<string, z.ZodObject>, string]>([
  ["a changed output", { text: z.object({ text: z.number() }) }, "the schema of output text has changed"],
  [
    "a changed column",
    { text: z.object({ text: z.string(), more: z.string() }) },
    "the schema of output text has changed",
  ],
  ["a new input", { input: z.object({ name: z.string() }) }, "the input's schema has changed"],
])("H1: %s is refused, and the old workflow goes on", async (_, schemas, said) => {
  const { engine, calls, gate, handle } = await running();

  const outcome = await handle.reload(async () => edited(schemas, () => <></>));
  gate.resolve();

  expect(outcome).toMatchObject({
    kind: "refused",
    error: { code: "SCHEMA_CHANGE_HOT", message: expect.stringContaining(said) as string },
  });
  expect((await handle.result).status).toBe("finished");
  expect(calls.at(-1)).toBe("last old");
  expect(engine.events.find(({ type }) => type === "run.reload-refused")).toMatchObject({
    error: { code: "SCHEMA_CHANGE_HOT" },
  });
});

test("H1: a removed output is refused", async () => {
  const { gate, handle } = await running();
  const { smithers, Workflow } = createSmithers({ other: text });

  const outcome = await handle.reload(async () => smithers(() => <Workflow name="flow" />));
  gate.resolve();

  expect(outcome).toMatchObject({
    error: { code: "SCHEMA_CHANGE_HOT", message: expect.stringContaining("text is gone") as string },
  });
});

test.each<[string, () => Promise<ReturnType<typeof flow>>, string]>([
  ["does not load", () => Promise.reject(new SyntaxError("Unexpected token")), "Unexpected token"],
  [
    "throws while it renders",
    async () =>
      edited({}, () => {
        throw new Error("no such helper");
      }),
    "no such helper",
  ],
  [
    "has an id twice",
    async () =>
      edited({}, ({ Workflow, Task }) => (
        <Workflow name="flow">
          <Task id="a" output="text">
            {{ text: "" }}
          </Task>
          <Task id="a" output="text">
            {{ text: "" }}
          </Task>
        </Workflow>
      )),
    "DUPLICATE_ID",
  ],
])("H2: a workflow that %s is refused, and the old one goes on", async (_, load, said) => {
  const { calls, gate, handle } = await running();

  const outcome = await handle.reload(load);
  gate.resolve();

  expect(outcome).toMatchObject({
    kind: "refused",
    error: { code: "HOT_RELOAD_INVALID_MODULE", message: expect.stringContaining(said) as string },
  });
  expect((await handle.result).status).toBe("finished");
  expect(calls).toEqual(["first old", "slow old", "last old"]);
});

test("a run that is over is not reloaded any more", async () => {
  const { calls, gate, handle } = await running();
  gate.resolve();
  await handle.result;

  expect(await handle.reload(async () => flow("new", async () => {}, calls))).toEqual({ kind: "over" });
});
