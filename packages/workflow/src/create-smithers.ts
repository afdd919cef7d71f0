/** Where a workflow begins: schemas in, typed refs and elements out. */
import type { ReactElement } from "react";
import { z } from "zod";
import { alertRules, type SmithersAlertPolicy } from "@smooth/engine/alerts";
import type { Schemas, WorkflowContext } from "@smooth/engine/ctx";
import { namedRef, outputRegistry } from "@smooth/engine/outputs";
import { useWorkflowContext } from "@smooth/engine/scope";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { SmoothError } from "@smooth/protocol/errors";
import { Approval } from "./components/approval.ts";
import { Aspects } from "./components/aspects.ts";
import { Branch } from "./components/branch.ts";
import { ContinueAsNew, continueAsNew } from "./components/continue-as-new.ts";
import { Loop, Ralph } from "./components/loop.ts";
import { MergeQueue } from "./components/merge-queue.ts";
import { Parallel } from "./components/parallel.ts";
import { Sandbox } from "./components/sandbox.ts";
import { Saga } from "./components/saga.ts";
import { Sequence } from "./components/sequence.ts";
import { HumanTask } from "./components/human-task.ts";
import { Signal } from "./components/signal.ts";
import { Subflow } from "./components/subflow.ts";
import { Task } from "./components/task.ts";
import { Timer } from "./components/timer.ts";
import { TryCatchFinally } from "./components/try-catch-finally.ts";
import { WaitForEvent } from "./components/wait-for-event.ts";
import { Worktree } from "./components/worktree.ts";
import { Workflow } from "./components/workflow.ts";

export interface WorkflowOptions {
  /** Shown in lists; the `name` of <Workflow> is the title of one frame. */
  readonly name?: string;
  /** Completed nodes are skipped on resume: always so here, hence `false` is refused. */
  readonly cache?: boolean;
  /** Stands for the workflow's files when a run is resumed; default: the files themselves, where it was loaded from some. */
  readonly workflowHash?: string;
  /** What people are told about while it runs, and what is done then. */
  readonly alertPolicy?: SmithersAlertPolicy;
}

export interface Smithers<S extends Schemas> {
  readonly Workflow: typeof Workflow;
  readonly Task: typeof Task;
  readonly Sequence: typeof Sequence;
  readonly Parallel: typeof Parallel;
  readonly Branch: typeof Branch;
  readonly Loop: typeof Loop;
  readonly Ralph: typeof Ralph;
  readonly Approval: typeof Approval;
  readonly ContinueAsNew: typeof ContinueAsNew;
  readonly continueAsNew: typeof continueAsNew;
  readonly Subflow: typeof Subflow;
  readonly Sandbox: typeof Sandbox;
  readonly Worktree: typeof Worktree;
  readonly Aspects: typeof Aspects;
  readonly MergeQueue: typeof MergeQueue;
  readonly Saga: typeof Saga;
  readonly TryCatchFinally: typeof TryCatchFinally;
  readonly HumanTask: typeof HumanTask;
  readonly Timer: typeof Timer;
  readonly Signal: typeof Signal;
  readonly WaitForEvent: typeof WaitForEvent;
  /** Typed refs, one per schema; `input` is the input's schema and not an output. */
  readonly outputs: { readonly [K in Exclude<keyof S, "input">]: S[K] };
  useCtx(): WorkflowContext<S>;
  smithers(build: (ctx: WorkflowContext<S>) => ReactElement, options?: WorkflowOptions): WorkflowDefinition;
}

export function createSmithers<S extends Schemas>(schemas: S): Smithers<S> {
  const { input, ...rest } = schemas;
  const refs = Object.fromEntries(Object.entries(rest).map(([name, schema]) => [name, namedRef(name, schema)]));
  const registry = outputRegistry(rest);
  return {
    Workflow,
    Task,
    Sequence,
    Parallel,
    Branch,
    Loop,
    Ralph,
    Approval,
    ContinueAsNew,
    continueAsNew,
    Subflow,
    Sandbox,
    Worktree,
    Aspects,
    MergeQueue,
    Saga,
    TryCatchFinally,
    HumanTask,
    Timer,
    Signal,
    WaitForEvent,
    outputs: refs as Smithers<S>["outputs"],
    useCtx: () => useWorkflowContext() as unknown as WorkflowContext<S>,
    smithers: (build, options = {}) => ({
      ...definitionOf(options),
      registry,
      inputSchema: input ?? null,
      ...madeIn(),
      build: build as unknown as WorkflowDefinition["build"],
    }),
  };
}

function definitionOf({ name = "workflow", cache = true, workflowHash, alertPolicy }: WorkflowOptions) {
  if (!cache)
    throw new SmoothError("PROP_UNSUPPORTED", "cache: false is not supported: a completed task is never run again");
  return {
    name,
    ...(workflowHash === undefined ? {} : { source: { entry: name, files: { workflow: workflowHash }, packages: {} } }),
    ...(alertPolicy ? { alerts: alertRules(alertPolicy) } : {}),
  };
}

/** The file whose code calls `smithers`: two calls up from here. A sandbox loads the workflow by it. */
function madeIn(): Pick<WorkflowDefinition, "madeIn"> {
  const [, , , caller = ""] = new Error("where").stack?.split("\n") ?? [];
  const [, path] = /(?:^|[\s(])((?:file:\/\/)?\/[^()]*?):\d+:\d+\)?$/.exec(caller) ?? [];
  if (path === undefined) return {};
  return { madeIn: path.startsWith("file:") ? path : `file://${encodeURI(path)}` };
}

/** The row an <Approval> of mode `approve` records. */
export const approvalDecisionSchema = z.object({
  approved: z.boolean(),
  note: z.string().nullable(),
  decidedBy: z.string().nullable(),
  decidedAt: z.string().nullable(),
});
export const approvalSelectionSchema = z.object({ selected: z.string(), notes: z.string().nullable() });
export const approvalRankingSchema = z.object({ ranked: z.array(z.string()), notes: z.string().nullable() });
