/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §2 about how a run ends. */
import type { TaskContext } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { Parallel, Task, Workflow, never, one, outputs, smithers } from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

test("L4: a failing task stops its siblings at once, and the result lists what failed", async () => {
  let aborted = false;
  const workflow = smithers(() => (
    <Workflow name="fails">
      <Parallel>
        <Task id="bad" output={outputs.n} noRetry>
          {() => {
            throw new Error("no luck");
          }}
        </Task>
        <Task id="sibling" output={outputs.n}>
          {({ signal }: TaskContext) =>
            new Promise<{ n: number }>((_, reject) =>
              signal.addEventListener("abort", () => ((aborted = true), reject(signal.reason as Error))),
            )
          }
        </Task>
      </Parallel>
      <Task id="later" output={outputs.n}>
        {one}
      </Task>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.result).toMatchObject({
    status: "failed",
    error: { code: "TASK_FAILED", message: "no luck", nodeId: "bad" },
    failedChildren: [{ nodeId: "bad" }],
  });
  expect(aborted).toBe(true);
  expect(run.trace().slice(2)).toEqual(["node.failed bad#0", "node.cancelled sibling#0"]);
});

test("a body that ignores its abort does not hold the end of the run", async () => {
  const engine = testEngine();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="stubborn">
        <Task id="a" output={outputs.n}>
          {never}
        </Task>
      </Workflow>
    )),
  );
  await settle();
  handle.cancel();
  await engine.clock.advance(5_000);

  expect(await handle.result).toEqual({ status: "cancelled", runId: handle.runId });
  expect(engine.trace().at(-1)).toBe("node.cancelled a#0");
});

test("continueOnFail is terminal: the sequence goes on", async () => {
  const workflow = smithers(() => (
    <Workflow name="continues">
      <Task id="bad" output={outputs.n} retries={0} continueOnFail>
        {() => Promise.reject(new Error("no"))}
      </Task>
      <Task id="next" output={outputs.n}>
        {one}
      </Task>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.result.status).toBe("finished");
  expect(run.trace()).toContain("node.finished next#0");
});

test.each([
  [
    "throws",
    () => {
      throw new Error("boom");
    },
    "boom",
  ],
  [
    "throws a promise",
    () => {
      // oxlint-disable-next-line typescript/only-throw-error -- how React components suspend
      throw Promise.resolve();
    },
    "a component threw a promise",
  ],
])("a frame that %s is WORKFLOW_RENDER_FAILED, and says so", async (_, Bad, said) => {
  const Broken = Bad as () => null;

  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="broken">
        <Broken />
      </Workflow>
    )),
  );

  expect(result).toMatchObject({
    status: "failed",
    error: { code: "WORKFLOW_RENDER_FAILED", message: expect.stringContaining(said) },
  });
});

test("a run ends only on a stable frame: what the last completion mounts is still run", async () => {
  const run = await runToEnd(
    smithers((ctx) => (
      <Workflow name="stable">
        {Array.from({ length: 1 + Math.min(3, ctx.outputs("n").length) }, (_, at) => (
          <Task key={at} id={`t${at}`} output={outputs.n}>
            {one}
          </Task>
        ))}
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("finished");
  expect(run.trace().filter((line) => line.startsWith("node.finished"))).toHaveLength(4);
});

test("several failures: the first ends the run, and the result lists every child that failed", async () => {
  const fails = (id: string, continueOnFail: boolean) => (
    <Task id={id} output={outputs.n} retries={0} continueOnFail={continueOnFail}>
      {() => Promise.reject(new Error(`${id} broke`))}
    </Task>
  );
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="several">
        {fails("first", true)}
        {fails("second", false)}
      </Workflow>
    )),
  );

  expect(run.result).toMatchObject({
    status: "failed",
    error: { nodeId: "second", message: "second broke" },
    failedChildren: [{ nodeId: "first" }, { nodeId: "second" }],
  });
});

test("a render that throws says why, and where in the author's file", async () => {
  const { result } = await runToEnd(
    smithers(() => {
      throw new TypeError("no such file: plan.md");
    }),
  );

  expect(result).toHaveProperty(
    "error.message",
    expect.stringMatching(/no such file: plan\.md \(.*endings\.test\.tsx, line \d+\)$/),
  );
});
