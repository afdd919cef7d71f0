/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §4: what a frame reads. */
import { useState } from "react";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { Workflow, Task, Parallel, Loop, smithers, outputs, useCtx } from "../testing/rules.ts";
import { runToEnd } from "../testing/run-in-memory.ts";

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
