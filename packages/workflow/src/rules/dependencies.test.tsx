/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §2 about edges between leaves, and about those that nothing can satisfy. */
import { expect, test } from "vitest";
import { Parallel, Task, Workflow, one, outputs, smithers } from "../testing/rules.ts";
import { runToEnd } from "../testing/run-in-memory.ts";

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
    error: {
      code: "DEPENDENCY_DEADLOCK",
      message: "a waits for ghost (never mounted: is there an element with this id?)",
    },
  });
});

test("tasks that wait for each other end the run as a deadlock that says so", async () => {
  const workflow = smithers(() => (
    <Workflow name="ring">
      <Parallel>
        <Task id="a" output={outputs.n} dependsOn={["b"]}>
          {one}
        </Task>
        <Task id="b" output={outputs.n} dependsOn={["a"]}>
          {one}
        </Task>
      </Parallel>
    </Workflow>
  ));

  expect((await runToEnd(workflow)).result).toMatchObject({
    error: { code: "DEPENDENCY_DEADLOCK", message: "a waits for b (waits itself); b waits for a (waits itself)" },
  });
});

test.each([
  ["skipped", { skipIf: true }],
  ["failed", { continueOnFail: true, retries: 0 }],
])("a dependency that was %s ends the run as a deadlock that names both, when all else is done", async (how, props) => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="deadlock">
        <Parallel>
          <Task id="a" output={outputs.n} {...props}>
            {() => {
              throw new Error("no");
            }}
          </Task>
          <Task id="b" output={outputs.n} dependsOn={["a"]}>
            {one}
          </Task>
          <Task id="else" output={outputs.n}>
            {async () => one()}
          </Task>
        </Parallel>
      </Workflow>
    )),
  );

  expect(run.result).toMatchObject({
    status: "failed",
    error: { code: "DEPENDENCY_DEADLOCK", message: `b waits for a (${how})` },
  });
  expect(run.trace()).toContain("node.finished else#0");
});
