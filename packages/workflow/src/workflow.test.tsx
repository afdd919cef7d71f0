/** @jsxImportSource @smooth/workflow */
import { decideApproval } from "@smooth/engine/control";
import { expect, test } from "vitest";
import { z } from "zod";
import { approvalDecisionSchema, createSmithers } from "./create-smithers.ts";
import { runToEnd, testEngine } from "./testing/run-in-memory.ts";

const { Workflow, Task, Sequence, Parallel, Loop, Approval, Branch, smithers, outputs } = createSmithers({
  input: z.object({ name: z.string().default("world") }),
  greeting: z.object({ message: z.string() }),
  count: z.object({ n: z.number() }),
  decision: approvalDecisionSchema,
});

test("tasks of a workflow run in order and a later one sees the earlier row", async () => {
  const workflow = smithers((ctx) => (
    <Workflow name="hello">
      <Task id="hello" output={outputs.greeting}>
        {{ message: `Hello, ${ctx.input.name}` }}
      </Task>
      <Task id="length" output={outputs.count} deps={{ hello: outputs.greeting }}>
        {(deps) => ({ n: deps.hello.message.length })}
      </Task>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.result.status).toBe("finished");
  expect(run.trace()).toEqual([
    "node.started hello#0",
    "node.finished hello#0",
    "node.started length#0",
    "node.finished length#0",
  ]);
});

test("a loop runs until its condition holds", async () => {
  const workflow = smithers((ctx) => (
    <Workflow name="loop">
      <Loop id="l" until={(ctx.outputMaybe(outputs.count, { nodeId: "tick" })?.n ?? 0) >= 3} maxIterations={10}>
        <Task id="tick" output={outputs.count}>
          {() => ({ n: ctx.iteration + 1 })}
        </Task>
      </Loop>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.result).toMatchObject({ status: "finished" });
  expect(run.trace().filter((line) => line.startsWith("node.finished"))).toEqual(
    [0, 1, 2].map((n) => `node.finished tick#${n}`),
  );
});

test("an approval suspends the run; the decision taken while nothing runs is applied on resume", async () => {
  const engine = testEngine();
  const workflow = smithers((ctx) => (
    <Workflow name="gate">
      <Approval id="ship" output={outputs.decision} request={{ title: "Ship it?" }} onDeny="continue" />
      <Branch
        if={ctx.outputMaybe(outputs.decision, { nodeId: "ship" })?.approved ?? false}
        then={
          <Task id="shipped" output={outputs.count}>
            {{ n: 1 }}
          </Task>
        }
      />
    </Workflow>
  ));
  const first = await engine.start(workflow);
  expect(await first.result).toMatchObject({ status: "waiting-approval", waiting: [{ nodeId: "ship", iteration: 0 }] });

  await decideApproval(engine.store, {
    runId: first.runId,
    nodeId: "ship",
    iteration: 0,
    decision: { verdict: "approve" },
    by: "ann",
    atMs: 5,
  });
  const second = await engine.resume(workflow, first.runId);

  expect(await second.result).toMatchObject({ status: "finished" });
  expect(engine.trace()).toContain("node.finished shipped#0");
});

test("a slow branch of a Parallel does not hold back a fast one", async () => {
  const release = Promise.withResolvers<void>();
  const workflow = smithers(() => (
    <Workflow name="parallel">
      <Parallel>
        <Task id="slow" output={outputs.count}>
          {async () => {
            await release.promise;
            return { n: 1 };
          }}
        </Task>
        <Sequence>
          <Task id="fast" output={outputs.count}>
            {() => ({ n: 2 })}
          </Task>
          <Task id="after-fast" output={outputs.count}>
            {() => {
              release.resolve();
              return { n: 3 };
            }}
          </Task>
        </Sequence>
      </Parallel>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.result.status).toBe("finished");
  expect(run.trace().at(-1)).toBe("node.finished slow#0");
});
