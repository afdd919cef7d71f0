/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §1, Identity: names, tables and rows. */
import type { ReactElement } from "react";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import {
  Approval,
  Loop,
  one,
  outputs,
  Parallel,
  Saga,
  Sequence,
  smithers,
  Task,
  Timer,
  TryCatchFinally,
  Workflow,
  Worktree,
} from "../testing/rules.ts";
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
    error: { code: "UNKNOWN_OUTPUT_SCHEMA", message: expect.stringContaining('<Task id="a"> prop `output`: "nope"') },
  });
});

const duplicates: readonly [string, (id: string) => ReactElement][] = [
  [
    "Task",
    (id) => (
      <Task id={id} output={outputs.n}>
        {one}
      </Task>
    ),
  ],
  ["Approval", (id) => <Approval id={id} output={outputs.decision} request={{ title: "?" }} />],
  ["Timer", (id) => <Timer id={id} duration="1s" />],
  ["Loop", (id) => <Loop id={id}>{null}</Loop>],
  ["Saga", (id) => <Saga id={id} steps={[]} />],
  ["TryCatchFinally", (id) => <TryCatchFinally id={id} try={<Sequence />} />],
];

test.each(duplicates)(
  "X1: ids are unique across kinds: %s with the id of a task is refused, nothing runs",
  async (_, element) => {
    const run = await runToEnd(
      smithers(() => (
        <Workflow name="kinds">
          <Task id="first" output={outputs.n}>
            {one}
          </Task>
          <Parallel>{element("first")}</Parallel>
        </Workflow>
      )),
    );

    expect(run.result).toMatchObject({ status: "failed", error: { code: "DUPLICATE_ID" } });
    expect(run.trace()).toEqual([]);
  },
);

test.each(["a::b", "a@@b"])("an id may not look like a state key: %s is refused", async (id) => {
  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="ids">
        <Task id={id} output={outputs.n}>
          {one}
        </Task>
      </Workflow>
    )),
  );

  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
});

test.each<[string, (id: string) => ReactElement]>([
  ["loop", (id) => <Loop id={id}>{null}</Loop>],
  ["try", (id) => <TryCatchFinally id={id} try={<Sequence />} />],
  ["saga", (id) => <Saga id={id}>{null}</Saga>],
  ["worktree", (id) => <Worktree id={id} path="w" />],
])("nor may that of a %s", async (_, element) => {
  const { result } = await runToEnd(smithers(() => <Workflow name="ids">{element("a@@b=1")}</Workflow>));

  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
});

test("a node that left the tree keeps its row: it can be read, and what depends on it may run", async () => {
  const workflow = smithers((ctx) => {
    const gone = ctx.outputMaybe(outputs.n, "gone");
    return (
      <Workflow name="gone">
        {gone ? null : (
          <Task id="gone" output={outputs.n}>
            {{ n: 7 }}
          </Task>
        )}
        {gone ? (
          <Task id="reader" output={outputs.text} dependsOn={["gone"]}>
            {{ text: String(gone.n) }}
          </Task>
        ) : null}
      </Workflow>
    );
  });

  const run = await runToEnd(workflow);

  expect(run.result.status).toBe("finished");
  expect(run.trace()).toContain("node.finished reader#0");
});

test("outputs are matched by the schema object too", async () => {
  const schema = z.object({ n: z.number() });
  const own = createSmithers({ first: schema, second: z.object({ text: z.string() }) });
  const run = await runToEnd(
    own.smithers(() => (
      <own.Workflow name="objects">
        <own.Task id="a" output={schema}>
          {one}
        </own.Task>
      </own.Workflow>
    )),
  );

  expect(run.events.find((event) => event.type === "node.finished")).toMatchObject({ output: "first" });
});
