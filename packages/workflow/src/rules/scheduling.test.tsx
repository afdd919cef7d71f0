/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §2: what may run, when, and how a run ends. */
import type { TaskContext } from "@smooth/engine/task";
import { openMemoryStore } from "@smooth/engine/store/memory";
import { settle } from "@smooth/platform/testing";
import type { ReactElement } from "react";
import { expect, test } from "vitest";
import { MergeQueue, Parallel, Sequence, Task, Workflow, never, one, outputs, smithers } from "../testing/rules.ts";
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

test("decisions are taken per completion: a slow branch never holds back a fast one", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<void>();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="fast-and-slow">
        <Parallel>
          <Task id="slow" output={outputs.n}>
            {() => gate.promise.then(one)}
          </Task>
          <Sequence>
            {["f1", "f2", "f3"].map((id) => (
              <Task key={id} id={id} output={outputs.n}>
                {async () => one()}
              </Task>
            ))}
          </Sequence>
        </Parallel>
        <Task id="after" output={outputs.n}>
          {one}
        </Task>
      </Workflow>
    )),
  );
  await settle();

  expect(engine.trace().filter((line) => line.startsWith("node.finished"))).toEqual(
    ["f1", "f2", "f3"].map((id) => `node.finished ${id}#0`),
  );
  gate.resolve();
  expect((await handle.result).status).toBe("finished");
  expect(engine.trace().at(-1)).toBe("node.finished after#0");
});

test("a leaf waits for the earlier siblings of every enclosing sequence", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="deep">
        <Task id="first" output={outputs.n}>
          {async () => one()}
        </Task>
        <Parallel>
          <Sequence>
            <Parallel>
              <Task id="left" output={outputs.n}>
                {async () => one()}
              </Task>
            </Parallel>
            <Sequence>
              <Task id="inner" output={outputs.n}>
                {one}
              </Task>
            </Sequence>
          </Sequence>
        </Parallel>
      </Workflow>
    )),
  );

  expect(run.trace()).toEqual(
    ["first", "left", "inner"].flatMap((id) => [`node.started ${id}#0`, `node.finished ${id}#0`]),
  );
});

/** How many of the six bodies run at once. */
async function most(tree: (tasks: ReactElement[]) => ReactElement, options: { readonly maxConcurrency?: number } = {}) {
  let running = 0;
  let peak = 0;
  const body = async () => {
    peak = Math.max(peak, (running += 1));
    await settle();
    running -= 1;
    return { n: 1 };
  };
  const tasks = [1, 2, 3, 4, 5, 6].map((at) => (
    <Task key={at} id={`t${at}`} output={outputs.n}>
      {body}
    </Task>
  ));
  const { result } = await runToEnd(
    smithers(() => <Workflow name="most">{tree(tasks)}</Workflow>),
    options,
  );
  expect(result.status).toBe("finished");
  return peak;
}

test("the global cap holds over all groups; the innermost group governs below it", async () => {
  const both = (tasks: ReactElement[]) => (
    <Parallel>
      <Parallel>{tasks.slice(0, 3)}</Parallel>
      <Parallel>{tasks.slice(3)}</Parallel>
    </Parallel>
  );
  const nested = (outer: number, inner: number) => (tasks: ReactElement[]) => (
    <Parallel maxConcurrency={outer}>
      <Parallel maxConcurrency={inner}>{tasks}</Parallel>
    </Parallel>
  );

  expect(await most(both)).toBe(4);
  expect(await most(both, { maxConcurrency: 5 })).toBe(5);
  expect(await most(both, { maxConcurrency: 1 })).toBe(1);
  expect(await most(nested(1, 3))).toBe(3);
  expect(await most(nested(3, 1))).toBe(1);
});

test.each([
  [undefined, 1],
  [0, 1],
  [-3, 1],
  [Number.NaN, 1],
  [2.9, 2],
])("a MergeQueue with maxConcurrency %s runs %i at once", async (cap, expected) => {
  expect(
    await most((tasks) => <MergeQueue {...(cap === undefined ? {} : { maxConcurrency: cap })}>{tasks}</MergeQueue>),
  ).toBe(expected);
});

test("skipIf is terminal: nothing of it runs and what comes after goes on", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="skips">
        <Task id="a" output={outputs.n} skipIf>
          {one}
        </Task>
        <Task id="b" output={outputs.n}>
          {one}
        </Task>
      </Workflow>
    )),
  );

  expect(run.trace()).toEqual(["node.skipped a#0", "node.started b#0", "node.finished b#0"]);
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
    expect.stringMatching(/no such file: plan\.md \(.*scheduling\.test\.tsx, line \d+\)$/),
  );
});

test("one commit holds the end of a step, its row and the start of the next; the next body runs after it", async () => {
  const store = openMemoryStore();
  const commits: string[] = [];
  const commit = store.commit.bind(store);
  store.commit = async (batch) => {
    commits.push(
      [...batch.events.map(({ type }) => type), ...batch.outputs.map(({ nodeId }) => `row ${nodeId}`)].join(" "),
    );
    return commit(batch);
  };
  const bodies: number[] = [];
  const step = (id: string) => (
    <Task key={id} id={id} output={outputs.n}>
      {() => (bodies.push(commits.length), one())}
    </Task>
  );

  await runToEnd(
    smithers(() => <Workflow name="commits">{["a", "b"].map(step)}</Workflow>),
    { store },
  );

  expect(commits).toEqual(["node.started", "node.finished node.started row a", "node.finished run.status row b"]);
  expect(bodies).toEqual([1, 2]);
});
