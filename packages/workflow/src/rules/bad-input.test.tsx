/** @jsxImportSource @smooth/workflow */
/** What is no use to the engine is refused by name, before it can harm this run or another one. */
import type { ReactElement } from "react";
import type { JsonValue } from "@smooth/engine/json";
import { expect, test } from "vitest";
import { z } from "zod";
import { Branch, type BranchProps } from "../components/branch.ts";
import { HumanTask } from "../components/human-task.ts";
import { Signal } from "../components/signal.ts";
import { WaitForEvent } from "../components/wait-for-event.ts";
import { createSmithers } from "../create-smithers.ts";
import {
  agent,
  Approval,
  Aspects,
  ContinueAsNew,
  Loop,
  MergeQueue,
  one,
  outputs,
  Parallel,
  Saga,
  Sequence,
  smithers,
  Subflow,
  Task,
  Timer,
  TryCatchFinally,
  Workflow,
  Worktree,
} from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

const wf = (child: ReactElement) => smithers(() => <Workflow name="bad">{child}</Workflow>);
const task = (props: object) => (
  <Task id="a" output={outputs.n} {...props}>
    {one}
  </Task>
);
const circle: Record<string, unknown> = {};
circle["self"] = circle;

test.each<[string, object, string]>([
  ["retries that are no number", { retries: Number.NaN }, "`retries` must be a whole number ≥ 0, or Infinity, not NaN"],
  ["half a retry", { retries: 1.5 }, "`retries` must be a whole number ≥ 0, or Infinity, not 1.5"],
  ["fewer retries than none", { retries: -1 }, "`retries` must be"],
  ["a noRetry that is no boolean", { noRetry: "yes" }, "`noRetry` must be true or false"],
  ["a backoff that nobody knows", { retryPolicy: { backoff: "weird" } }, "`retryPolicy` must be"],
  ["a delay that is no number", { retryPolicy: { initialDelayMs: Number.NaN } }, "`retryPolicy` must be"],
  ["a delay with another name", { retryPolicy: { delayMs: 5 } }, "`retryPolicy` must be"],
  ["meta that no log can hold", { meta: circle }, "`meta` must be an object that can be written as JSON"],
  ["meta with a bigint", { meta: { n: 1n } }, "`meta` must be"],
  ["a need that names no node", { needs: { a: 5 } }, "`needs` must be an object of strings"],
  [
    "a chain with a member that is no agent",
    { agent: [agent("{}"), "opus"] },
    "`agent` must be an object with generate()",
  ],
  [
    "a fallback that is no agent",
    { agent: agent("{}"), fallbackAgent: "opus" },
    "`fallbackAgent` must be an object with",
  ],
  ["an outputSchema that is no object", { outputSchema: z.string() }, "`outputSchema` must be a zod object schema"],
  ["an agent that is none, and no JSON either", { agent: circle }, "`agent` must be an object with generate()"],
])("%s fails the run before anything starts", async (_, props, said) => {
  const { result, trace } = await runToEnd(wf(task(props)));

  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
  expect(result).toHaveProperty("error.message", expect.stringContaining(said));
  expect(trace()).toEqual([]);
});

test("a Branch without its `then` is refused, whichever way it goes", async () => {
  const without = { if: false, else: task({}) } as unknown as BranchProps;

  expect((await runToEnd(wf(<Branch {...without} />))).result).toMatchObject({ error: { code: "INVALID_INPUT" } });
  expect((await runToEnd(wf(<Branch if={false} then={<Sequence />} else={task({})} />))).result.status).toBe(
    "finished",
  );
});

test.each([
  ["cache", { ttlMs: 5 }, "autoApprove says"],
  ["heartbeatTimeoutMs", 5, "timeoutMs says"],
])("`%s` means nothing on an Approval, and is refused with what to write instead", async (name, value, said) => {
  const ask = <Approval id="ask" output={outputs.decision} request={{ title: "?" }} {...{ [name]: value }} />;

  const { result, trace } = await runToEnd(wf(ask));

  expect(result).toMatchObject({ error: { code: "PROP_UNSUPPORTED", message: expect.stringContaining(said) } });
  expect(trace()).toEqual([]);
});

test.each([-1, 0, Number.NaN, 1.5])("a recall of the %s best facts is refused by name", async (topK) => {
  const recalling = task({ agent: agent('{"n":1}'), memory: { recall: { topK } }, children: "Go." });

  const { result, trace } = await runToEnd(wf(recalling));

  const said = `<Task id="a"> prop \`memory.recall.topK\` must be a whole number ≥ 1, not ${topK}`;
  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT", message: said } });
  expect(trace()).toEqual([]);
});

test.each([
  { maxConcurrency: 0 },
  { maxConcurrency: -1 },
  { maxConcurrency: 1.5 },
  { maxConcurrency: Number.NaN },
  { lowDiskBytes: Number.NaN },
])("a run that could start nothing is refused before its first row: %o", async (limit) => {
  const engine = testEngine();

  await expect(engine.start(wf(task({})), limit)).rejects.toMatchObject({ code: "INVALID_INPUT" });

  expect(await engine.store.runs({})).toEqual([]);
});

test("a resume with such a limit is refused, and leaves the run as it was", async () => {
  const engine = testEngine();
  const waits = wf(<Timer id="t" duration="1h" />);
  const { runId, result } = await engine.start(waits);
  await result;
  const before = await engine.store.run(runId);

  await expect(engine.resume(waits, runId, { maxConcurrency: 0 })).rejects.toMatchObject({ code: "INVALID_INPUT" });

  expect(await engine.store.run(runId)).toEqual(before);
});

test.each([0, -1, Number.NaN, 1.5])("a loop of at most %d passes is refused", async (maxIterations) => {
  const loop = (
    <Loop id="l" until={false} maxIterations={maxIterations}>
      {task({})}
    </Loop>
  );

  const { result } = await runToEnd(wf(loop));

  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
});

test("elements nested without measure fail their own run, and no other", async () => {
  let nested = task({});
  for (let depth = 0; depth < 3_000; depth += 1) nested = <Sequence>{nested}</Sequence>;

  const deep = await runToEnd(wf(nested));
  const other = await runToEnd(wf(task({})));

  expect(deep.result).toMatchObject({ status: "failed", error: { code: "WORKFLOW_RENDER_FAILED" } });
  expect(other.result.status).toBe("finished");
});

const own = <Workflow name="bad">{task({})}</Workflow>;
const withText = <Workflow name="bad">text</Workflow>;
test.each<[string, ReactElement, string]>([
  ["without a Workflow", task({}), "<Workflow> as its only root"],
  ["with two Workflows", <>{[own, own]}</>, "<Workflow> as its only root"],
  ["with text beside the Workflow", <>text{own}</>, "<Workflow> as its only root"],
  ["with text in the Workflow", withText, '"text" stands outside a <Task>'],
])("a frame %s is WORKFLOW_RENDER_FAILED, and nothing runs", async (_, root, said) => {
  const { result, trace } = await runToEnd(smithers(() => root));

  expect(result).toMatchObject({ status: "failed", error: { code: "WORKFLOW_RENDER_FAILED" } });
  expect(result).toHaveProperty("error.message", expect.stringContaining(said));
  expect(trace()).toEqual([]);
});

/** Every element, with what it needs, and a prop that none of them has. */
const colour: object = { colour: "red" };
const at = { id: "x", output: outputs.n, ...colour };
const elements: Readonly<Record<string, () => ReactElement>> = {
  Task: () => <Task {...at}>{one}</Task>,
  Sequence: () => <Sequence {...colour} />,
  Parallel: () => <Parallel {...colour} />,
  MergeQueue: () => <MergeQueue {...colour} />,
  Loop: () => <Loop id="x" {...colour} />,
  Branch: () => <Branch if then={<Sequence />} {...colour} />,
  TryCatchFinally: () => <TryCatchFinally id="x" try={<Sequence />} {...colour} />,
  Saga: () => <Saga id="x" {...colour} />,
  "Saga.Step": () => (
    <Saga id="x">
      <Saga.Step id="s" compensation={<Sequence />} {...colour} />
    </Saga>
  ),
  ContinueAsNew: () => <ContinueAsNew {...colour} />,
  Subflow: () => <Subflow {...at} workflow={smithers(() => own)} input={{}} />,
  Worktree: () => <Worktree id="x" path="x" {...colour} />,
  Aspects: () => <Aspects {...colour} />,
  Approval: () => <Approval {...at} request={{ title: "?" }} />,
  HumanTask: () => <HumanTask {...at} prompt="?" />,
  Signal: () => <Signal id="x" schema={outputs.n} {...colour} />,
  WaitForEvent: () => <WaitForEvent {...at} event="go" />,
  Timer: () => <Timer id="x" duration="1s" {...colour} />,
};
test.each(Object.keys(elements))("a prop that %s does not have is refused by name, and nothing runs", async (name) => {
  const { result, trace } = await runToEnd(wf(elements[name]?.() ?? own));

  expect(result).toMatchObject({
    status: "failed",
    error: { code: "PROP_UNSUPPORTED", message: expect.stringContaining("`colour`") },
  });
  expect(trace()).toEqual([]);
});

test("a prop that <Workflow> does not have is refused by name", async () => {
  const { result } = await runToEnd(smithers(() => <Workflow name="bad" {...colour} />));

  expect(result).toMatchObject({ error: { code: "PROP_UNSUPPORTED", message: expect.stringContaining("`colour`") } });
});

const takes = (input: z.ZodType) => {
  const own = createSmithers({ input: input as z.ZodObject, n: z.object({ n: z.number() }) });
  return own.smithers(() => (
    <own.Workflow name="takes">
      <own.Task id="a" output={own.outputs.n}>
        {one}
      </own.Task>
    </own.Workflow>
  ));
};
const text = z.object({ a: z.string() });

const nested = (depth: number): object => (depth === 1 ? {} : { a: nested(depth - 1) });
test("an input nested 32 deep is taken, one level more is refused", async () => {
  expect((await runToEnd(takes(z.looseObject({})), { input: nested(32) as JsonValue })).result.status).toBe("finished");
  await expect(runToEnd(takes(z.looseObject({})), { input: nested(33) as JsonValue })).rejects.toMatchObject({
    code: "INVALID_INPUT",
    message: expect.stringContaining("deeper than 32"),
  });
});

test.each<[string, z.ZodType, unknown]>([
  ["cannot be written as JSON", z.any(), { a: 1n }],
  ["is checked by an async schema", text.refine(async () => true), { a: "" }],
  ["makes its schema throw", text.transform(() => JSON.parse("{")), { a: "" }],
  ["becomes something that is no data", text.transform(() => one), { a: "" }],
])("an input that %s is refused before there is a run", async (_, schema, input) => {
  const engine = testEngine();

  await expect(engine.start(takes(schema), { input: input as JsonValue })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  expect(await engine.store.runs({})).toEqual([]);
});

test("the first frame sees the input as a resumed run will: as JSON gives it back", async () => {
  const input = { on: new Date(0) } as unknown as JsonValue;

  await expect(testEngine().start(takes(z.object({ on: z.date() })), { input })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  const { result } = await runToEnd(takes(z.object({ on: z.coerce.date() })), { input });
  expect(result.status).toBe("finished");
});
