/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §2 about what may run, and when. */
import { openMemoryStore } from "@smooth/engine/store/memory";
import { settle } from "@smooth/platform/testing";
import type { ReactElement } from "react";
import { expect, test } from "vitest";
import { MergeQueue, Parallel, Sequence, Task, Workflow, one, outputs, smithers } from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

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

test.each([
  [undefined, 1],
  [2, 2],
  [2.9, 2],
  [0, 1],
  [Number.NaN, 1],
])("a MergeQueue with maxConcurrency %s runs %i at once, in source order", async (cap, expected) => {
  let running = 0;
  let most = 0;
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="queue">
        <MergeQueue {...(cap === undefined ? {} : { maxConcurrency: cap })}>
          {[1, 2, 3, 4].map((at) => (
            <Task key={at} id={`t${at}`} output={outputs.n}>
              {async () => {
                most = Math.max(most, (running += 1));
                await settle();
                running -= 1;
                return { n: at };
              }}
            </Task>
          ))}
        </MergeQueue>
      </Workflow>
    )),
  );

  expect(most).toBe(expected);
  expect(run.trace().filter((line) => line.startsWith("node.started"))).toEqual(
    [1, 2, 3, 4].map((at) => `node.started t${at}#0`),
  );
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

test("a task that waits for one that stands after it ends the run, and is told so", async () => {
  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="order">
        <Task id="first" output={outputs.n} dependsOn={["second"]}>
          {one}
        </Task>
        <Task id="second" output={outputs.n}>
          {one}
        </Task>
      </Workflow>
    )),
  );

  expect(result).toMatchObject({
    status: "failed",
    error: {
      code: "DEPENDENCY_DEADLOCK",
      message: "first waits for second (not begun: it stands after what waits for it)",
    },
  });
});
