/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §2: what may run, when, and how a run ends. */
import type { TaskContext } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { Workflow, Task, Parallel, smithers, outputs, one, never } from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

test.each([
  [undefined, 4],
  [2, 2],
  [2.9, 2],
  [0, 4],
  [Number.NaN, 4],
])("a Parallel with maxConcurrency %s runs %i of 6 at once", async (cap, expected) => {
  let running = 0;
  let most = 0;
  const body = async () => {
    most = Math.max(most, (running += 1));
    await settle();
    running -= 1;
    return { n: 1 };
  };
  const workflow = smithers(() => (
    <Workflow name="caps">
      <Parallel {...(cap === undefined ? {} : { maxConcurrency: cap })}>
        {[1, 2, 3, 4, 5, 6].map((at) => (
          <Task key={at} id={`t${at}`} output={outputs.n}>
            {body}
          </Task>
        ))}
      </Parallel>
    </Workflow>
  ));

  await runToEnd(workflow);

  expect(most).toBe(expected);
});

test("dependsOn, needs and deps are all edges", async () => {
  const workflow = smithers(() => (
    <Workflow name="edges">
      <Parallel>
        <Task id="c" output={outputs.n} deps={{ up: outputs.n }} needs={{ up: "b" }}>
          {(deps) => ({ n: deps.up.n + 1 })}
        </Task>
        <Task id="b" output={outputs.n} dependsOn={["a"]}>
          {{ n: 10 }}
        </Task>
        <Task id="a" output={outputs.n}>
          {one}
        </Task>
      </Parallel>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.trace().filter((line) => line.startsWith("node.finished"))).toEqual(
    ["a#0", "b#0", "c#0"].map((id) => `node.finished ${id}`),
  );
});

test("a dependency that never mounts ends the run as a deadlock that names both", async () => {
  const workflow = smithers(() => (
    <Workflow name="deadlock">
      <Task id="a" output={outputs.n} dependsOn={["ghost"]}>
        {one}
      </Task>
    </Workflow>
  ));

  const { result } = await runToEnd(workflow);

  expect(result).toMatchObject({
    status: "failed",
    error: { code: "DEPENDENCY_DEADLOCK", message: "a::0 waits for ghost::0 (never mounted)" },
  });
});

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
  ],
  [
    "throws a promise",
    () => {
      // oxlint-disable-next-line typescript/only-throw-error -- how React components suspend
      throw Promise.resolve();
    },
  ],
])("a frame that %s is WORKFLOW_RENDER_FAILED", async (_, Bad) => {
  const Broken = Bad as () => null;

  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="broken">
        <Broken />
      </Workflow>
    )),
  );

  expect(result).toMatchObject({ status: "failed", error: { code: "WORKFLOW_RENDER_FAILED" } });
});
