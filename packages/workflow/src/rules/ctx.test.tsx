/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §4: what a frame reads. */
import { useState } from "react";
import { readFrame } from "@smooth/engine/frames";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import {
  Approval,
  Workflow,
  Task,
  Parallel,
  Loop,
  Sequence,
  TryCatchFinally,
  never,
  smithers,
  outputs,
  useCtx,
} from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

test("rendering always or only when something read has changed gives the same events", async () => {
  const workflow = smithers((ctx) => (
    <Workflow name="same">
      <Loop id="l" until={ctx.iterationCount(outputs.n, "a") >= 3}>
        <Parallel>
          <Task id="a" output={outputs.n}>
            {() => ({ n: ctx.iteration })}
          </Task>
          <Task id="b" output={outputs.text} skipIf={ctx.iteration === 1}>
            {() => ({ text: String(ctx.outputs.n.length) })}
          </Task>
        </Parallel>
      </Loop>
    </Workflow>
  ));

  const [tracked, always] = await Promise.all([runToEnd(workflow), runToEnd(workflow, { render: "always" })]);

  expect(tracked.events).toEqual(always.events);
  expect(tracked.events.length).toBeGreaterThan(10);
});

type Ctx = Parameters<Parameters<typeof smithers>[0]>[0];
test.each<[string, (ctx: Ctx) => unknown]>([
  ["outputMaybe", (ctx) => ctx.outputMaybe(outputs.n, "a")],
  ["latest of a node", (ctx) => ctx.latest(outputs.n, "a")],
  ["latest of a table", (ctx) => ctx.latest(outputs.n)],
  ["outputs(ref)", (ctx) => ctx.outputs(outputs.n)[0]],
  ["outputs.key", (ctx) => ctx.outputs.n[0]],
  ["iterationCount", (ctx) => ctx.iterationCount(outputs.n, "a") > 0],
])("C1: a frame that looked by %s is rendered again when the row is recorded", async (_, looked) => {
  const run = await runToEnd(
    smithers((ctx) => (
      <Workflow name="looks">
        <Task id="a" output={outputs.n}>
          {{ n: 1 }}
        </Task>
        {looked(ctx) ? (
          <Task id="b" output={outputs.text}>
            {{ text: "seen" }}
          </Task>
        ) : null}
      </Workflow>
    )),
  );

  expect(run.trace().at(-1)).toBe("node.finished b#0");
});

test("C2: without an iteration a lookup means the pass its loop is at; one outside of loops its own", async () => {
  const run = await runToEnd(
    smithers((ctx) => (
      <Workflow name="passes">
        <Task id="base" output={outputs.n}>
          {{ n: 10 }}
        </Task>
        <Loop id="l" maxIterations={2}>
          <Task id="a" output={outputs.n}>
            {{ n: ctx.iteration }}
          </Task>
        </Loop>
        <Task id="b" output={outputs.text}>
          {() => ({ text: `${ctx.output(outputs.n, "base").n} ${ctx.output(outputs.n, "a").n}` })}
        </Task>
      </Workflow>
    )),
  );

  const text = smithers(() => <Workflow name="passes" />).registry.find("text");
  expect((await run.store.outputs(run.runId, text))[0]?.cells[0]).toBe("10 1");
});

test("F2: a resumed run that looks before it knows the node's loop does not take the row of an earlier pass", async () => {
  const engine = testEngine();
  const workflow = smithers((ctx) => (
    <Workflow name="early">
      <Parallel>
        {ctx.iterations["l"] === 1 && ctx.outputMaybe(outputs.n, "a") ? (
          <Task id="wrong" output={outputs.n}>
            {{ n: 1 }}
          </Task>
        ) : null}
        <Loop id="l" maxIterations={2}>
          <Task id="a" output={outputs.n}>
            {ctx.iteration === 0 ? () => ({ n: 0 }) : never}
          </Task>
        </Loop>
      </Parallel>
    </Workflow>
  ));
  const first = await engine.start(workflow);
  await settle();
  first.release();
  await engine.clock.advance(5_001);
  await first.result;

  const second = await engine.resume(workflow, first.runId);
  await settle();
  second.release();
  await engine.clock.advance(5_001);
  await second.result;

  expect(engine.trace()).toEqual(["node.started a#0", "node.finished a#0", "node.started a#1", "node.started a#1"]);
});

const rowsOf = async ({ store, runId }: Awaited<ReturnType<typeof runToEnd>>): Promise<unknown[]> =>
  (await store.outputs(runId, smithers(() => <Workflow name="n" />).registry.find("n"))).map(({ cells }) => cells[0]);

test("F3: a loop that no frame has asked about is rendered once, and its bodies know which pass they are in", async () => {
  let renders = 0;
  const run = await runToEnd(
    smithers((ctx) => {
      renders += 1;
      return (
        <Workflow name="blind">
          <Loop id="l" maxIterations={4}>
            <Task id="a" output={outputs.n}>
              {() => ({ n: ctx.iteration * 10 + (ctx.iterations["l"] ?? 0) })}
            </Task>
          </Loop>
        </Workflow>
      );
    }),
  );

  expect(await rowsOf(run)).toEqual([0, 11, 22, 33]);
  expect(renders).toBe(2); // the first one did not know its loop yet
});

test.each<[string, (ctx: Ctx) => number]>([
  ["ctx.iteration", (ctx) => ctx.iteration],
  ["ctx.iterations", (ctx) => ctx.iterations["l"] ?? 0],
  ["a lookup of a node in it", (ctx) => (ctx.outputMaybe(outputs.n, "a") ? 7 : ctx.iterationCount(outputs.n, "a"))],
])("F3: a frame that asked where its loop is, by %s, is rendered for each pass", async (_, asked) => {
  const run = await runToEnd(
    smithers((ctx) => {
      const n = asked(ctx);
      return (
        <Workflow name="asks">
          <Loop id="l" maxIterations={3}>
            <Task id="a" output={outputs.n}>
              {() => ({ n })}
            </Task>
          </Loop>
        </Workflow>
      );
    }),
  );

  expect(await rowsOf(run)).toEqual([0, 1, 2]);
});

test("F3: what a component was told between two passes shows in the next one", async () => {
  const Told = () => {
    const [n, tell] = useState(0);
    const count = () => {
      tell(n + 1);
      return { n };
    };
    return (
      <Sequence>
        <Loop id="l" until={n >= 2} maxIterations={9}>
          <Task id="a" output={outputs.n}>
            {count}
          </Task>
        </Loop>
        {n === 0 ? null : (
          <Task id="more" output={outputs.text}>
            {{ text: "more" }}
          </Task>
        )}
      </Sequence>
    );
  };
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="told">
        <Told />
      </Workflow>
    )),
  );

  expect(await rowsOf(run)).toEqual([0, 1]);
  expect(JSON.stringify(await readFrame(run.store, run.runId))).toContain("more");
});

test("F3: passes without a render, then one that was rendered: its bodies are the new frame's", async () => {
  const told = Promise.withResolvers<{ text: string }>();
  const run = await runToEnd(
    smithers((ctx) => {
      const isTold = ctx.outputMaybe(outputs.text, "told") !== undefined;
      const look = ({ iteration }: { readonly iteration: number }) => {
        if (iteration === 2) told.resolve({ text: "now" });
        return { n: Number(isTold) };
      };
      return (
        <Workflow name="told">
          <Parallel>
            <Task id="told" output={outputs.text}>
              {() => told.promise}
            </Task>
            <Loop id="l" maxIterations={9}>
              <Task id="a" output={outputs.n}>
                {look}
              </Task>
            </Loop>
          </Parallel>
        </Workflow>
      );
    }),
  );

  const seen = await rowsOf(run);
  expect([seen.slice(0, 3), seen.at(-1)]).toEqual([[0, 0, 0], 1]);
});

test("F3: a pass after one that failed shows no catch", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="catches">
        <Loop id="l" maxIterations={2}>
          <TryCatchFinally
            id="try"
            try={
              <Task id="a" output={outputs.n} noRetry>
                {({ iteration }) => {
                  if (iteration === 0) throw new Error("the first pass fails");
                  return { n: iteration };
                }}
              </Task>
            }
            catch={
              <Task id="caught" output={outputs.n}>
                {{ n: 9 }}
              </Task>
            }
          />
        </Loop>
      </Workflow>
    )),
  );

  const last = await readFrame(run.store, run.runId);
  expect(await rowsOf(run)).toEqual([9, 1]);
  expect(JSON.stringify(last)).not.toContain("caught");
});

test("hooks work, and a custom component in a loop sees that loop's iteration", async () => {
  const Tick = () => {
    const ctx = useCtx();
    const [first] = useState(ctx.iteration);
    return (
      <Task id="tick" output={outputs.text}>
        {{ text: `${first}:${ctx.iteration}` }}
      </Task>
    );
  };
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="hooks">
        <Loop id="l" maxIterations={2}>
          <Tick />
        </Loop>
      </Workflow>
    )),
  );

  const events = run.trace().filter((line) => line.startsWith("node.finished"));

  expect(events).toEqual(["node.finished tick#0", "node.finished tick#1"]);
});

test("input is parsed with defaults, bounded and frozen", async () => {
  const own = createSmithers({
    input: z.object({ n: z.number().default(3), list: z.array(z.number()).default([]) }),
    n: z.object({ n: z.number() }),
  });
  const frozen: boolean[] = [];
  const workflow = own.smithers((ctx) => {
    frozen.push(Object.isFrozen(ctx.input) && Object.isFrozen(ctx.input.list));
    return (
      <Workflow name="input">
        <Task id="a" output={own.outputs.n}>
          {{ n: ctx.input.n }}
        </Task>
      </Workflow>
    );
  });

  expect((await runToEnd(workflow)).result.status).toBe("finished");
  expect(frozen).toEqual([true]);
  await expect(runToEnd(workflow, { input: { n: "x" } })).rejects.toMatchObject({ code: "INVALID_INPUT" });
  await expect(runToEnd(workflow, { input: { text: "x".repeat(1024 * 1024) } })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  // Limits are in bytes, and this letter takes two.
  await expect(runToEnd(workflow, { input: { text: "é".repeat(600 * 1024) } })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  await expect(runToEnd(workflow, { input: [] })).rejects.toMatchObject({ code: "INVALID_INPUT" });
});

test("auth is what the run was started with, also after a resume; latestArray keeps the members that fit", async () => {
  const engine = testEngine();
  const seen: unknown[] = [];
  const workflow = smithers((ctx) => {
    seen.push([ctx.auth, ctx.latestArray([1, "x", 2], z.number()), ctx.latestArray("none", z.number())]);
    return (
      <Workflow name="auth">
        <Approval id="ask" output={outputs.decision} request={{ title: "?" }} />
      </Workflow>
    );
  });
  const { runId, result } = await engine.start(workflow, { auth: { user: "ann" } });
  await result;
  await (
    await engine.resume(workflow, runId)
  ).result;

  expect(new Set(seen.map((each) => JSON.stringify(each)))).toEqual(new Set(['[{"user":"ann"},[1,2],[]]']));
});

test("inside nested loops a lookup means the passes that both loops are at", async () => {
  const run = await runToEnd(
    smithers((ctx) => (
      <Workflow name="nested">
        <Loop id="outer" maxIterations={2}>
          <Loop id="inner" maxIterations={2}>
            <Sequence>
              <Task id="a" output={outputs.n}>
                {{ n: (ctx.iterations["outer"] ?? 0) * 10 + ctx.iterationCount(outputs.n, "a") }}
              </Task>
              <Task id="b" output={outputs.text}>
                {() => ({ text: String(ctx.output(outputs.n, "a").n) })}
              </Task>
            </Sequence>
          </Loop>
        </Loop>
      </Workflow>
    )),
  );

  const text = smithers(() => <Workflow name="nested" />).registry.find("text");
  const rows = await run.store.outputs(run.runId, text);
  expect(rows.map(({ nodeId, iteration, cells }) => `${nodeId}#${iteration} ${cells[0]}`)).toEqual([
    "b@@outer=0#0 0",
    "b@@outer=0#1 1",
    "b@@outer=1#0 10",
    "b@@outer=1#1 11",
  ]);
});
