/** Workflows for the crash tests. Every body says that it ran, in a file that survives the process. */
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { Approval } from "../components/approval.ts";
import { Branch } from "../components/branch.ts";
import { ContinueAsNew } from "../components/continue-as-new.ts";
import { HumanTask } from "../components/human-task.ts";
import { Loop } from "../components/loop.ts";
import { Parallel } from "../components/parallel.ts";
import { Saga } from "../components/saga.ts";
import { Sequence } from "../components/sequence.ts";
import { Subflow } from "../components/subflow.ts";
import { Timer } from "../components/timer.ts";
import { TryCatchFinally } from "../components/try-catch-finally.ts";
import { WaitForEvent } from "../components/wait-for-event.ts";
import { Workflow } from "../components/workflow.ts";
import { h } from "../jsx-runtime.ts";
import { agentWorkflows } from "./crash-agents.ts";
import { crashSteps, outputs, smithers } from "./crash-steps.ts";

export function crashWorkflows(bodyLog: string): Readonly<Record<string, WorkflowDefinition>> {
  const { step, failing } = crashSteps(bodyLog);
  const row = (ctx: Parameters<Parameters<typeof smithers>[0]>[0], nodeId: string) =>
    ctx.outputMaybe(outputs.value, { nodeId });

  const child = smithers(() =>
    h(
      Workflow,
      { name: "child" },
      step("start", 10),
      h(Approval, { id: "merge", output: outputs.decision, request: { title: "Merge?" } }),
      step("deep", 20),
    ),
  );

  return {
    ...agentWorkflows(bodyLog),
    undo: smithers(() =>
      h(
        Workflow,
        { name: "undo" },
        h(TryCatchFinally, {
          id: "try",
          try: h(Saga, {
            id: "saga",
            onFailure: "compensate-and-fail",
            steps: ["a", "b", "c"].map((id, at) => ({
              id,
              action: id === "c" ? failing(id) : step(id, at),
              compensation: step(`undo-${id}`, at),
            })),
          }),
          catch: () => step("caught", 1),
          finally: step("last", 2),
        }),
        step("after", 3),
      ),
    ),
    pages: smithers((ctx) => {
      const page = Number(ctx.input.__smithersContinuation?.payload ?? 0);
      return h(
        Workflow,
        { name: "pages" },
        h(
          Loop,
          { id: "turns", maxIterations: 4, continueAsNewEvery: 2 },
          step("turn", page * 10 + (ctx.latest(outputs.value, "turn")?.n ?? 0)),
        ),
        page === 0 ? h(ContinueAsNew, { state: 1 }) : null,
      );
    }),
    parent: smithers(() =>
      h(
        Workflow,
        { name: "parent" },
        step("first", 1),
        h(Subflow<typeof outputs.value>, { id: "sub", workflow: child, output: outputs.value, outputFrom: "deep" }),
        step("last", 3),
      ),
    ),
    waits: smithers((ctx) =>
      h(
        Workflow,
        { name: "waits" },
        h(
          Parallel,
          null,
          h(Sequence, { key: "timed" }, h(Timer, { id: "pause", duration: "20ms" }), step("timed", 1)),
          h(Approval, { key: "merge", id: "merge", output: outputs.decision, request: { title: "Merge?" } }),
          h(HumanTask<typeof outputs.value>, { key: "human", id: "human", output: outputs.value, prompt: "How many?" }),
          h(
            Loop,
            { key: "passes", id: "passes", until: ctx.iterationCount(outputs.value, "used") >= 2 },
            h(
              Sequence,
              null,
              h(WaitForEvent<typeof outputs.value>, { id: "signal", event: "go", output: outputs.value }),
              step("used", ctx.iteration),
            ),
          ),
        ),
        step("join", 9),
      ),
    ),
    chain: smithers((ctx) => {
      const first = row(ctx, "s0");
      return h(
        Workflow,
        { name: "chain" },
        step("s0", 7),
        ...(first ? [1, 2, 3, 4, 5].map((at) => step(`s${at}`, first.n + at)) : []),
      );
    }),
    fan: smithers((ctx) =>
      h(
        Workflow,
        { name: "fan" },
        h(
          Parallel,
          { maxConcurrency: 3 },
          ...[1, 2, 3, 4, 5, 6].map((at) => h(Sequence, { key: at }, step(`a${at}`, at), step(`b${at}`, at * 10))),
        ),
        step(
          "join",
          ctx.outputs("value").reduce((sum, { n }) => sum + n, 0),
        ),
      ),
    ),
    operator: smithers((ctx) => {
      const green = (ctx.latest(outputs.value, "verify")?.n ?? 0) >= 2;
      const merge = ctx.outputMaybe(outputs.decision, { nodeId: "merge" });
      return h(
        Workflow,
        { name: "operator" },
        h(
          Loop,
          { id: "turns", until: green, maxIterations: 6 },
          h(Sequence, null, step("turn", ctx.iteration), step("verify", ctx.iteration)),
        ),
        h(Approval, { id: "merge", output: outputs.decision, request: { title: "Merge?" }, onDeny: "continue" }),
        // oxlint-disable-next-line unicorn/no-thenable -- the documented prop of Branch
        h(Branch, { if: merge?.approved ?? false, then: h(Sequence, null, step("apply", 1), step("close", 2)) }),
      );
    }),
  };
}
