/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §1, Identity: names, tables and rows. */
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { Workflow, Task, Parallel, Loop, smithers, outputs, one } from "../testing/rules.ts";
import { runToEnd } from "../testing/run-in-memory.ts";

test("X1: two elements with one id are refused before anything runs", async () => {
  const workflow = smithers(() => (
    <Workflow name="twice">
      <Task id="a" output={outputs.n}>
        {one}
      </Task>
      <Loop id="a">
        <Task id="b" output={outputs.n}>
          {one}
        </Task>
      </Loop>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.result).toMatchObject({ status: "failed", error: { code: "DUPLICATE_ID" } });
  expect(run.trace()).toEqual([]);
});

test("a node that leaves the tree while it runs is finished and stored", async () => {
  const gate = Promise.withResolvers<void>();
  const workflow = smithers((ctx) => (
    <Workflow name="leaves">
      <Parallel>
        <Task id="fast" output={outputs.text}>
          {() => ({ text: "x" })}
        </Task>
        {ctx.outputMaybe(outputs.text, "fast") ? null : (
          <Task id="slow" output={outputs.n}>
            {() => gate.promise.then(one)}
          </Task>
        )}
        {ctx.outputMaybe(outputs.text, "fast") ? (
          <Task id="last" output={outputs.text}>
            {() => (gate.resolve(), { text: "y" })}
          </Task>
        ) : null}
      </Parallel>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.result.status).toBe("finished");
  expect(run.trace()).toContain("node.finished slow#0");
});

test("outputs are matched by name too: a ref from another copy of the module works", async () => {
  const copy = createSmithers({ n: z.object({ n: z.number() }) });
  const workflow = smithers(() => (
    <Workflow name="copies">
      <Task id="a" output={copy.outputs.n}>
        {one}
      </Task>
      <Task id="b" output="n">
        {one}
      </Task>
    </Workflow>
  ));

  expect((await runToEnd(workflow)).result.status).toBe("finished");
});

test("an output that is no schema of the workflow is refused", async () => {
  const workflow = smithers(() => (
    <Workflow name="unknown">
      <Task id="a" output="nope">
        {() => ({})}
      </Task>
    </Workflow>
  ));

  expect((await runToEnd(workflow)).result).toMatchObject({
    status: "failed",
    error: { code: "UNKNOWN_OUTPUT_SCHEMA" },
  });
});
