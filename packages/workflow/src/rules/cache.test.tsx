/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §3 about `cache`. Every test runs one workflow twice or more on one store. */
import { expect, test } from "vitest";
import { z } from "zod";
import type { TaskCache } from "../components/task.ts";
import { createSmithers } from "../create-smithers.ts";
import { agent, Loop, outputs, smithers, Task, Workflow } from "../testing/rules.ts";
import { testEngine } from "../testing/run-in-memory.ts";

interface Variant {
  readonly cache: TaskCache;
  readonly id?: string;
  readonly name?: string;
  readonly body?: () => { readonly n: number };
}

function counting() {
  let runs = 0;
  return {
    body: () => ({ n: (runs += 1) }),
    runs: () => runs,
  };
}

const cachedTask = ({ cache, id = "a", name = "cached", body = () => ({ n: 1 }) }: Variant) =>
  smithers(() => (
    <Workflow name={name}>
      <Task id={id} output={outputs.n} cache={cache}>
        {body}
      </Task>
    </Workflow>
  ));

/** How often the body ran when each variant had its run. */
async function bodiesRun(variants: readonly Variant[], inputs: readonly Record<string, number>[] = []) {
  const engine = testEngine();
  const { body, runs } = counting();
  for (const [at, variant] of variants.entries()) {
    const handle = await engine.start(cachedTask({ body, ...variant }), { input: inputs[at] ?? {} });
    expect((await handle.result).status).toBe("finished");
    await engine.clock.advance(100);
  }
  return runs();
}

const v1: Variant = { cache: { version: "1", by: () => "x" } };

test("a second execution takes the row that was kept, says so in its event, and runs no body", async () => {
  const engine = testEngine();
  const { body, runs } = counting();
  const workflow = cachedTask({ ...v1, body });

  await (
    await engine.start(workflow)
  ).result;
  const second = await engine.start(workflow);
  await second.result;

  expect(runs()).toBe(1);
  const finished = engine.events.filter((event) => event.type === "node.finished");
  expect(finished[1]).toMatchObject({ nodeId: "a", runId: second.runId, cached: true });
  expect(finished[0]).not.toHaveProperty("cached");
  expect(await engine.store.outputs(second.runId, workflow.registry.find("n"))).toHaveLength(1);
});

test.each<[string, Variant, number]>([
  ["the same", v1, 1],
  ["another version", { cache: { ...v1.cache, version: "2" } }, 2],
  ["another answer of by", { cache: { ...v1.cache, by: () => "y" } }, 2],
  ["another node", { ...v1, id: "b" }, 2],
  ["another workflow", { ...v1, name: "other" }, 2],
])("%s: %j makes the body run %i times in all", async (_, second, expected) => {
  expect(await bodiesRun([v1, second])).toBe(expected);
});

test("C2: answers of by that plain JSON would make alike are different", async () => {
  const by = (answer: unknown): Variant => ({ cache: { by: () => answer } });

  expect(await bodiesRun([by(new Set(["a"])), by(new Set(["b"])), by(new Set(["b"]))])).toBe(2);
  expect(await bodiesRun([by({ at: NaN }), by({ at: null }), by({ at: 5n }), by({ at: "5n" })])).toBe(4);
  expect(await bodiesRun([by({ a: 1, b: 2 }), by({ b: 2, a: 1 })])).toBe(1);
});

test("C3: a schema that changes what it reads does so once, not again at a hit", async () => {
  const next = createSmithers({ n: z.object({ n: z.number().transform((n) => n + 1) }) });
  const engine = testEngine();
  const workflow = next.smithers(() => (
    <next.Workflow name="next">
      <next.Task id="a" output={next.outputs.n} cache={{}}>
        {() => ({ n: 1 })}
      </next.Task>
    </next.Workflow>
  ));

  await (
    await engine.start(workflow)
  ).result;
  const second = await engine.start(workflow);
  await second.result;

  expect(engine.events.findLast(({ type }) => type === "node.finished")).toMatchObject({ cached: true });
  expect(await engine.store.outputs(second.runId, workflow.registry.find("n"))).toMatchObject([{ cells: ["2", null] }]);
});

test("scope run keeps to the run, workflow to the workflow, global to nothing; a key may be shared by nodes", async () => {
  const scoped = (scope: "run" | "workflow" | "global", more: Partial<Variant> = {}): Variant => ({
    cache: { scope, key: "k", by: () => 1 },
    ...more,
  });

  expect(await bodiesRun([scoped("run"), scoped("run")])).toBe(2);
  expect(await bodiesRun([scoped("workflow"), scoped("workflow", { id: "b" })])).toBe(1);
  expect(await bodiesRun([scoped("workflow"), scoped("workflow", { name: "other" })])).toBe(2);
  expect(await bodiesRun([scoped("global"), scoped("global", { name: "other", id: "b" })])).toBe(1);
});

test("an entry that is ttlMs old is passed over", async () => {
  const young: Variant = { cache: { ...v1.cache, ttlMs: 101 } };
  const old: Variant = { cache: { ...v1.cache, ttlMs: 100 } };

  expect(await bodiesRun([young, young])).toBe(1);
  expect(await bodiesRun([old, old])).toBe(2);
});

test("without by, the run's input and the function's text are what the result depends on", async () => {
  const plain: Variant = { cache: {} };

  expect(await bodiesRun([plain, plain], [{ x: 1 }, { x: 1 }])).toBe(1);
  expect(await bodiesRun([plain, plain], [{ x: 1 }, { x: 2 }])).toBe(2);
  expect(await bodiesRun([plain, { ...plain, body: () => ({ n: 9 }) }])).toBe(1); // the other text ran itself
});

test("without by, another prompt or another agent is another execution", async () => {
  const engine = testEngine();
  const workflow = (by: ReturnType<typeof agent> & { id?: string }, prompt: string) =>
    smithers(() => (
      <Workflow name="asks">
        <Task id="a" output={outputs.text} agent={by} cache={{ version: "1" }}>
          {prompt}
        </Task>
      </Workflow>
    ));
  const first = { ...agent({ output: { text: "hi" } }), id: "first" };
  const second = { ...agent({ output: { text: "hi" } }), id: "second" };
  for (const [by, prompt] of [
    [first, "Say hi"],
    [first, "Say hi"],
    [first, "Say ho"],
    [second, "Say hi"],
  ] as const)
    await (
      await engine.start(workflow(by, prompt))
    ).result;

  expect([first.asked.length, second.asked.length]).toEqual([2, 1]);
});

test("every iteration of a loop has its own entry", async () => {
  const engine = testEngine();
  const { body, runs } = counting();
  const workflow = smithers((ctx) => (
    <Workflow name="loop">
      <Loop id="l" until={ctx.iterationCount(outputs.n, "a") >= 3}>
        <Task id="a" output={outputs.n} cache={{ by: () => 1 }}>
          {body}
        </Task>
      </Loop>
    </Workflow>
  ));

  await (
    await engine.start(workflow)
  ).result;
  expect(runs()).toBe(3);
  const second = await engine.start(workflow);
  await second.result;

  expect(runs()).toBe(3);
  expect((await engine.store.outputs(second.runId, workflow.registry.find("n"))).map(({ cells }) => cells[0])).toEqual([
    1, 2, 3,
  ]);
});

test("a change of the schema passes the entry over, and a row that no longer fits is not taken", async () => {
  const engine = testEngine();
  const { body, runs } = counting();
  const strict = { value: 10 };
  const of = (schema: z.ZodObject) => {
    const own = createSmithers({ n: schema });
    return own.smithers(() => (
      <Workflow name="schema">
        <Task id="a" output="n" cache={{ by: () => 1 }}>
          {body}
        </Task>
      </Workflow>
    ));
  };
  const refined = () => z.object({ n: z.number().refine((n) => n <= strict.value) });

  await (
    await engine.start(of(z.object({ n: z.number() })))
  ).result;
  await (
    await engine.start(of(z.object({ n: z.number(), more: z.string().optional() })))
  ).result;
  expect(runs()).toBe(2);

  strict.value = 10;
  await (
    await engine.start(of(refined()))
  ).result; // the signature of a refinement cannot be seen: the same entry
  expect(runs()).toBe(2);
  strict.value = 0;
  expect((await (await engine.start(of(refined()))).result).status).toBe("failed"); // C3: the body ran, and gave 3
  expect(runs()).toBe(3);
});

test("C1: a schema that says something else makes another execution, though the kept row would fit it", async () => {
  const engine = testEngine();
  const { body, runs } = counting();
  for (const schema of [z.object({ n: z.number() }), z.object({ n: z.number().max(1_000) })]) {
    const own = createSmithers({ n: schema });
    const workflow = own.smithers(() => (
      <Workflow name="schema">
        <Task id="a" output="n" cache={{ by: () => 1 }}>
          {body}
        </Task>
      </Workflow>
    ));
    await (
      await engine.start(workflow)
    ).result;
  }

  expect(runs()).toBe(2);
});

test("a failed task is never kept", async () => {
  const engine = testEngine();
  let runs = 0;
  const workflow = cachedTask({
    ...v1,
    body: () => {
      runs += 1;
      if (runs === 1) throw new Error("no");
      return { n: runs };
    },
  });
  const handle = await engine.start(workflow);
  await engine.clock.advance(2_000);

  expect((await handle.result).status).toBe("finished");
  expect(runs).toBe(2);
});

test("by sees the rows that are there when the task starts; what it throws fails the task by name", async () => {
  const engine = testEngine();
  const { body, runs } = counting();
  const workflow = (value: number) =>
    smithers(() => (
      <Workflow name="by">
        <Task id="up" output={outputs.text}>
          {{ text: String(value) }}
        </Task>
        <Task id="a" output={outputs.n} cache={{ by: (ctx) => ctx.output("text", "up") }}>
          {body}
        </Task>
      </Workflow>
    ));
  for (const value of [1, 1, 2]) await (await engine.start(workflow(value))).result;
  expect(runs()).toBe(2);

  const broken = await engine.start(cachedTask({ cache: { by: (ctx) => ctx.output("n", "ghost") } }));
  expect(await broken.result).toMatchObject({
    status: "failed",
    error: { code: "INVALID_INPUT", nodeId: "a", message: expect.stringContaining("cache.by of task a") },
  });
});

test("cache on <Workflow> asks for what is always so; its opposite is refused", async () => {
  const engine = testEngine();
  const of = (cache: boolean) =>
    smithers(() => (
      <Workflow name="flag" cache={cache}>
        <Task id="a" output={outputs.n}>
          {{ n: 1 }}
        </Task>
      </Workflow>
    ));

  expect((await (await engine.start(of(true))).result).status).toBe("finished");
  expect(await (await engine.start(of(false))).result).toMatchObject({ error: { code: "INVALID_INPUT" } });
});

test("a cache prop of the wrong shape is refused", async () => {
  const engine = testEngine();
  const handle = await engine.start(cachedTask({ cache: { scope: "galaxy" } as unknown as TaskCache }));

  expect(await handle.result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
});
