/** @jsxImportSource smithers-orchestrator */
/** What the type checker knows of a workflow. These are checked by `tsc`; that they run, too, shows that the names exist. */
import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import {
  createSmithers,
  renderFrame,
  type AgentLike,
  type ApprovalDecision,
  type ApprovalRanking,
  type ApprovalSelection,
  type CachePolicy,
  type CreateSmithersApi,
  type GraphSnapshot,
  type InferDeps,
  type InferOutputEntry,
  type MemoryStore,
  type RunOptions,
  type RunResult,
  type RunStatus,
  type SamplingConfig,
  type ScorerFn,
  type ScorersMap,
  type SmithersCtx,
  type SmithersEvent,
  type SmithersWorkflow,
  type TaskDescriptor,
  type TaskMemoryConfig,
  type TaskProps,
  type XmlNode,
} from "smithers-orchestrator";

const schemas = {
  input: z.object({ repo: z.string(), depth: z.number().default(1) }),
  analysis: z.object({ summary: z.string(), issues: z.array(z.object({ line: z.number() })) }),
  report: z.object({ title: z.string(), at: z.date().optional() }),
};
const { Workflow, Task, Approval, smithers, outputs, useCtx } = createSmithers(schemas);
const agent: AgentLike = { generate: async () => ({ text: "{}" }) };

interface Analysis {
  summary: string;
  issues: { line: number }[];
}

test("ctx knows the rows of every output, by ref and by name", () => {
  const read = (ctx: SmithersCtx<typeof schemas>) => {
    expectTypeOf(ctx.input).toEqualTypeOf<{ repo: string; depth: number }>();
    expectTypeOf(ctx.output(outputs.analysis, "a")).toEqualTypeOf<Analysis>();
    expectTypeOf(ctx.output("analysis", { nodeId: "a", iteration: 2 })).toEqualTypeOf<Analysis>();
    expectTypeOf(ctx.outputMaybe(outputs.analysis, { nodeId: "a" })).toEqualTypeOf<Analysis | undefined>();
    expectTypeOf(ctx.latest(outputs.report, "r")).toEqualTypeOf<{ title: string; at?: Date | undefined } | undefined>();
    expectTypeOf(ctx.outputs(outputs.analysis)).toEqualTypeOf<Analysis[]>();
    expectTypeOf(ctx.outputs.analysis).toEqualTypeOf<Analysis[]>();
    expectTypeOf(ctx.latestArray([], schemas.analysis)).toEqualTypeOf<Analysis[]>();
    expectTypeOf(ctx.iterationCount("report", "r")).toEqualTypeOf<number>();
    // @ts-expect-error no such output
    ctx.output("analyses", "a");
    // @ts-expect-error no such column
    void ctx.output(outputs.analysis, "a").sumary;
    // @ts-expect-error input is read only through its schema
    void ctx.input.branch;
  };

  expectTypeOf(useCtx).returns.toEqualTypeOf<SmithersCtx<typeof schemas>>();
  expect(read).toBeTypeOf("function");
});

test("outputs has a ref for every schema but the input's", () => {
  expectTypeOf<keyof typeof outputs>().toEqualTypeOf<"analysis" | "report">();
  expectTypeOf<InferOutputEntry<typeof outputs.analysis>>().toEqualTypeOf<Analysis>();
  // @ts-expect-error the input is not an output
  expect(outputs.input).toBeUndefined();
});

const { report, analysis } = outputs;

test("a function child gets its deps by name and answers its row", () => {
  const children = (
    <>
      <Task id="r" output={report} deps={{ found: analysis }}>
        {({ found, attempt, signal }) => {
          expectTypeOf(found).toEqualTypeOf<Analysis>();
          expectTypeOf(attempt).toEqualTypeOf<number>();
          expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
          return { title: found.summary };
        }}
      </Task>
      <Task id="p" output={report} agent={agent} deps={{ found: analysis }}>
        {({ found }) => `Write about ${found.issues.length} issues`}
      </Task>
      <Task id="e" output={report} agent={[agent, agent]}>
        <b>A prompt</b> of elements
      </Task>
      <Task id="s" output={report}>
        {{ title: "fixed" }}
      </Task>
    </>
  );
  // Checked, never called.
  const wrong = [
    // @ts-expect-error the row has no such column, and its title is missing
    () => Task({ id: "w", output: report, children: { heading: "wrong" } }),
    // @ts-expect-error the function answers the wrong row
    () => Task({ id: "f", output: report, children: () => ({ title: 7 }) }),
    // @ts-expect-error there is no such dependency
    () => Task({ id: "d", output: report, deps: { found: analysis }, children: ({ lost }) => ({ title: lost }) }),
    // @ts-expect-error a task has an output
    () => Task({ id: "o", children: () => ({ title: "" }) }),
    // @ts-expect-error no such prop
    () => Task({ id: "u", output: report, retires: 3, children: () => ({ title: "" }) }),
  ];

  expect(children).toBeDefined();
  expect(wrong).toHaveLength(5);
  expectTypeOf<InferDeps<{ found: typeof analysis }>>().toEqualTypeOf<{ readonly found: Analysis }>();
});

test("props of the engine's own words are closed", () => {
  const memory: TaskMemoryConfig = { recall: { namespace: { kind: "user", id: "ann" }, topK: 3 }, threadId: "t" };
  const scorers: ScorersMap = {};
  const cache: CachePolicy = { by: (ctx) => ctx.runId, version: "1", scope: "workflow" };
  const task = (
    <Task id="m" output={report} agent={agent} memory={memory} scorers={scorers} cache={cache}>
      Hello
    </Task>
  );
  // Checked, never called.
  const wrong = [
    // @ts-expect-error no such namespace
    () => Task({ id: "n", output: report, memory: { remember: { namespace: { kind: "team", id: "x" } } } }),
    // @ts-expect-error no such scope
    () => Task({ id: "c", output: report, cache: { scope: "planet" }, children: { title: "" } }),
    // @ts-expect-error no such verdict
    () => Approval({ id: "a", output: "report", request: { title: "?" }, onDeny: "explode" }),
    // @ts-expect-error a workflow has a name
    () => Workflow({}),
  ];

  expect(task).toBeDefined();
  expect(wrong).toHaveLength(4);
  expectTypeOf<TaskProps["retries"]>().toEqualTypeOf<number | undefined>();
  expectTypeOf<SamplingConfig["type"]>().toEqualTypeOf<"all" | "ratio" | "none">();
});

test("a workflow is a value, and a frame of it is plain data", () => {
  const workflow = smithers((ctx) => {
    expectTypeOf(ctx).toEqualTypeOf<SmithersCtx<typeof schemas>>();
    return (
      <Workflow name="typed">
        <Task id="r" output={outputs.report}>
          {{ title: `${ctx.input.repo} ${ctx.input.depth}` }}
        </Task>
      </Workflow>
    );
  });

  expectTypeOf(workflow).toEqualTypeOf<SmithersWorkflow>();
  const frame = renderFrame(workflow, { input: { repo: "smooth" } });
  expectTypeOf(frame).toEqualTypeOf<GraphSnapshot>();
  expectTypeOf(frame.tasks[0]).toEqualTypeOf<TaskDescriptor | undefined>();
  expectTypeOf(frame.xml).toEqualTypeOf<XmlNode | null>();
  expect(frame.tasks).toMatchObject([{ nodeId: "r", staticPayload: { title: "smooth 1" } }]);
});

test("the documented names stand for what they say", () => {
  expectTypeOf<ApprovalDecision>().toEqualTypeOf<{
    approved: boolean;
    note: string | null;
    decidedBy: string | null;
    decidedAt: string | null;
  }>();
  expectTypeOf<ApprovalSelection>().toEqualTypeOf<{ selected: string; notes: string | null }>();
  expectTypeOf<ApprovalRanking>().toEqualTypeOf<{ ranked: string[]; notes: string | null }>();
  expectTypeOf<CreateSmithersApi<typeof schemas>["outputs"]>().toEqualTypeOf<typeof outputs>();
  expectTypeOf<RunOptions["input"]>().not.toBeAny();
  expectTypeOf<RunResult["runId"]>().toEqualTypeOf<string>();
  expectTypeOf<"waiting-timer">().toExtend<RunStatus>();
  expectTypeOf<SmithersEvent>().toExtend<{ type: string; runId: string; timestampMs: number }>();
  expectTypeOf<MemoryStore["recall"]>().parameter(1).toEqualTypeOf<string>();
  expectTypeOf<ScorerFn>().parameter(0).toHaveProperty("groundTruth");
});
