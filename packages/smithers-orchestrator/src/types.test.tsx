/** @jsxImportSource smithers-orchestrator */
/** What the type checker knows of a workflow. These are checked by `tsc`; that they run, too, shows that the names exist. */
import { expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import type * as Root from "smithers-orchestrator";
import type { SmithersObservabilityService } from "smithers-orchestrator/observability";
import {
  createSmithers,
  EscalationChain,
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

/** Every type of the documented Types page that there is here; what is missing is said in the README. */
type Documented = [
  Root.SmithersWorkflow<typeof schemas>,
  Root.SmithersWorkflowOptions,
  Root.SmithersAlertPolicy,
  Root.SmithersAlertSeverity,
  Root.SmithersAlertLabels,
  Root.SmithersAlertPolicyDefaults,
  Root.SmithersAlertPolicyRule,
  Root.SmithersAlertReaction,
  Root.SmithersCtx<typeof schemas>,
  Root.OutputKey,
  Root.OutputAccessor<typeof schemas>,
  Root.InferOutputEntry<z.ZodObject>,
  Root.RunAuthContext,
  Root.RunOptions,
  Root.HotReloadOptions,
  Root.RunResult,
  Root.RunStatus,
  Root.TaskDescriptor,
  Root.RetryPolicy,
  Root.CachePolicy,
  Root.AgentLike,
  Root.TaskMemoryConfig,
  Root.MemoryNamespace,
  Root.MemoryNamespaceKind,
  Root.GraphSnapshot,
  Root.XmlNode,
  Root.XmlElement,
  Root.XmlText,
  Root.SmithersEvent,
  Root.WorkflowProps,
  Root.OutputTarget,
  Root.DepsSpec,
  Root.InferDeps<object>,
  Root.TaskProps,
  Root.SequenceProps,
  Root.ParallelProps,
  Root.BranchProps,
  Root.LoopProps,
  Root.RalphProps,
  Root.ApprovalDecision,
  Root.ApprovalSelection,
  Root.ApprovalRanking,
  Root.ApprovalRequest,
  Root.ApprovalMode,
  Root.ApprovalOption,
  Root.ApprovalAutoApprove,
  Root.ApprovalProps<Root.OutputTarget>,
  Root.SignalProps<z.ZodObject>,
  Root.WaitForEventProps<Root.OutputTarget>,
  Root.TimerProps,
  Root.SagaStepDef,
  Root.SagaProps,
  Root.SagaStepProps,
  Root.TryCatchFinallyProps,
  Root.PollerProps,
  Root.ColumnDef,
  Root.KanbanProps,
  Root.SandboxRuntime,
  Root.SandboxVolumeMount,
  Root.SandboxProps<Root.OutputTarget>,
  Root.SmithersError,
  Root.SmithersErrorCode,
  Root.KnownSmithersErrorCode,
  Root.ServerOptions,
  Root.ServeOptions,
  Root.GatewayTokenGrant,
  Root.GatewayAuthConfig,
  Root.GatewayOptions,
  Root.ScoreResult,
  Root.ScorerInput,
  Root.ScorerFn,
  Root.Scorer,
  Root.SamplingConfig,
  Root.ScorerBinding,
  Root.ScorersMap,
  Root.LlmJudgeConfig,
  Root.CreateScorerConfig,
  Root.MemoryFact,
  Root.MemoryMessage,
  Root.MemoryThread,
  Root.MemoryStore,
  Root.OpenApiAuth,
  Root.OpenApiToolsOptions,
  Root.CreateSmithersApi<typeof schemas>,
  SmithersObservabilityService,
];

test("every documented type is there, and none of them is any", () => {
  type Anys = { [K in keyof Documented]: 0 extends 1 & Documented[K] ? K : never }[number];
  expectTypeOf<Anys>().toBeNever();
  expectTypeOf<Documented["length"]>().toEqualTypeOf<85>();
});

test("props are named and optional as documented", () => {
  const options = [{ key: "a", label: "A" }] satisfies Root.ApprovalOption[];
  const retryPolicy: Root.RetryPolicy = {
    backoff: "linear",
    initialDelayMs: 10,
    maxDelayMs: 20,
    multiplier: 3,
    jitter: false,
  };
  const loop: Root.RalphProps = { id: "l", until: true, maxIterations: 3, onMaxReached: "fail", continueAsNewEvery: 2 };
  const kinds: Root.ApprovalMode[] = ["approve", "select", "rank"];
  const hot: Root.HotReloadOptions = { debounceMs: 1 };
  const alert: Root.SmithersAlertReaction = { kind: "deliver", destination: "pager" };
  const wait: Partial<Root.SignalProps<typeof report>> = { onTimeout: "skip", correlationId: "c", async: true };
  const auth: Root.RunAuthContext = { triggeredBy: "ann", scopes: ["*"], role: "admin", createdAt: "2026-01-01" };
  const custom: Root.SmithersErrorCode = "MINE";
  const theirs: Root.KnownSmithersErrorCode = "AGENT_CLI_ERROR";

  expectTypeOf<Root.SequenceProps>().toExtend<{ skipIf?: boolean }>();
  expectTypeOf<Root.BranchProps["if"]>().toEqualTypeOf<boolean>();
  expectTypeOf<Root.RunOptions["force"]>().toEqualTypeOf<boolean | undefined>();
  expectTypeOf<Root.RunResult["nextRunId"]>().toEqualTypeOf<string | undefined>();
  expectTypeOf<Root.SmithersCtx<typeof schemas>["auth"]>().toEqualTypeOf<Root.RunAuthContext | null>();
  expectTypeOf<Root.ApprovalRequest>().toHaveProperty("metadata");
  expectTypeOf<Root.TaskProps["memory"]>().not.toBeAny();
  expectTypeOf<Root.GatewayAuthConfig["mode"]>().toEqualTypeOf<"token" | "jwt" | "trusted-proxy">();
  expectTypeOf<Root.ServeOptions["abort"]>().toEqualTypeOf<AbortController>();
  expectTypeOf<Root.ServerOptions["authToken"]>().toEqualTypeOf<string | undefined>();
  expect([options, retryPolicy, loop, kinds, hot, alert, wait, auth, custom, theirs]).not.toContain(undefined);
});

test("an event is told apart by its type, and carries what its name promises", () => {
  const hear = (event: SmithersEvent): string => {
    if (event.type === "NodeStarted") return `${event.nodeId} ${event.attempt satisfies number}`;
    if (event.type === "NodeFailed") return event.error.code;
    if (event.type === "RunContinuedAsNew") return event.newRunId;
    // @ts-expect-error only some events are about a node
    return event.nodeId as string;
  };

  expect(hear({ type: "NodeStarted", nodeId: "a", iteration: 0, attempt: 1, runId: "r", timestampMs: 0 })).toBe("a 1");
});

test("a retry policy may be written in part, a namespace as text, and an escalation looks at its row", () => {
  const policy: Root.RetryPolicy = { backoff: "fixed" };
  // Checked, never called.
  const written = () => (
    <>
      <Task id="t" output={report} agent={agent} retryPolicy={policy} memory={{ recall: { namespace: "user:ann" } }}>
        Hello
      </Task>
      <EscalationChain
        escalationOutput="report"
        levels={[{ agent, output: report, escalateIf: (row) => row.confidence < 0.7 }]}
      />
    </>
  );

  expect(written).toBeTypeOf("function");
});
