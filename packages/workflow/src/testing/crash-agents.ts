/** Crash workflows whose steps are gated, cached, asked about, taken over, budgeted, or in a folder of their own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GenerateArgs, TaskContext } from "@smooth/engine/task";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { SmoothError } from "@smooth/protocol/errors";
import { Approval } from "../components/approval.ts";
import { Aspects } from "../components/aspects.ts";
import { Loop } from "../components/loop.ts";
import { Parallel } from "../components/parallel.ts";
import { Sequence } from "../components/sequence.ts";
import { Task } from "../components/task.ts";
import { Workflow } from "../components/workflow.ts";
import { Worktree } from "../components/worktree.ts";
import { h } from "../jsx-runtime.ts";
import { crashSteps, outputs, smithers } from "./crash-steps.ts";

/** Until then the provider takes nothing. */
const QUOTA_MS = 40;
const OPTIONS = ["x", "y", "z"].map((key) => ({ key, label: key }));

export function agentWorkflows(bodyLog: string): Readonly<Record<string, WorkflowDefinition>> {
  const { ran, step } = crashSteps(bodyLog);
  const startedAtMs = Date.now();
  const asked = (id: string, answer: (args: GenerateArgs) => unknown, props: object = {}) =>
    h(Task<typeof outputs.value>, {
      key: id,
      id,
      output: outputs.value,
      children: "Say a number.",
      agent: {
        hijackEngine: "chat",
        generate: async (args: GenerateArgs) => {
          ran(args);
          return { output: { n: 1 }, ...(answer(args) as object) };
        },
      },
      ...props,
    });

  return {
    cached: smithers(() => {
      const cache = { by: () => "same", key: "shared" };
      return h(Workflow, { name: "cached" }, step("made", 1, { cache }), step("kept", 2, { cache }), step("last", 3));
    }),
    gated: smithers(() =>
      h(
        Workflow,
        { name: "gated" },
        step("gate", 1, { needsApproval: true }),
        step("beside", 2, { needsApproval: true, async: true }),
        step("after", 3),
      ),
    ),
    quota: smithers(() =>
      h(
        Workflow,
        { name: "quota" },
        asked("parked", () => {
          const retryAfterMs = startedAtMs + QUOTA_MS - Date.now();
          if (retryAfterMs > 0) throw new SmoothError("RATE_LIMITED", "used up", { details: { retryAfterMs } });
        }),
        step("after", 2),
      ),
    ),
    taken: smithers(() =>
      h(
        Workflow,
        { name: "taken" },
        asked("completed", () => ({}), { hijack: true, needsApproval: true }),
        asked("reopened", ({ session }) => ({ output: { n: Number(session ?? 0) } }), {
          hijack: true,
          onHijackExit: "reopen",
        }),
        step("after", 2),
      ),
    ),
    asks: smithers(() =>
      h(
        Workflow,
        { name: "asks" },
        h(Task<typeof outputs.value>, {
          id: "asking",
          output: outputs.value,
          children: async (context: TaskContext) => {
            ran(context);
            const [first, second] = [await context.ask({ prompt: "How many?" }), await context.ask({ prompt: "And?" })];
            return { n: Number(first) * 10 + Number(second) };
          },
        }),
        step("after", 2),
      ),
    ),
    choices: smithers(() =>
      h(
        Workflow,
        { name: "choices" },
        h(
          Parallel,
          null,
          h(Approval, {
            id: "pick",
            mode: "select",
            options: OPTIONS,
            output: outputs.choice,
            request: { title: "?" },
          }),
          h(Approval, { id: "sort", mode: "rank", options: OPTIONS, output: outputs.order, request: { title: "?" } }),
        ),
        step("after", 1),
      ),
    ),
    spending: smithers(() => {
      const spend = (id: string) => asked(id, () => ({ usage: { inputTokens: 10, outputTokens: 0 } }));
      // A body that is cut off spends twice: a budget that stops would stop where the kill says. This one only warns.
      const budget = { max: 25, onExceeded: "warn" } as const;
      return h(
        Workflow,
        { name: "spending" },
        h(Aspects, { tokenBudget: budget }, ...["a", "b", "c", "d"].map(spend)),
        step("after", 1),
      );
    }),
    trees: smithers(() =>
      h(
        Workflow,
        { name: "trees" },
        h(
          Worktree,
          { id: "tree", path: ".worktrees/tree", branch: "work" },
          h(
            Sequence,
            null,
            ...["one", "two"].map((id) =>
              h(Task<typeof outputs.value>, {
                key: id,
                id,
                output: outputs.value,
                children: (context: TaskContext) => {
                  ran(context);
                  writeFileSync(join(context.worktree?.path ?? "", `${id}.txt`), id);
                  return { n: id.length };
                },
              }),
            ),
          ),
        ),
        step("after", 1),
      ),
    ),
    rounds: smithers((ctx) =>
      h(
        Workflow,
        { name: "rounds" },
        h(
          Loop,
          { id: "outer", maxIterations: 3, continueAsNewEvery: 2 },
          h(
            Sequence,
            null,
            h(Loop, { id: "inner", maxIterations: 2 }, step("turn", (ctx.latest(outputs.value, "turn")?.n ?? 0) + 1)),
            step("round", ctx.iterations["outer"] ?? 0),
          ),
        ),
        step("after", 1),
      ),
    ),
  };
}
