/** Random workflows whose rows do not depend on how their bodies interleave, so that any disturbed run can be compared with a calm one.
 *  For that, what may fail for good stands where nothing runs beside it. */
import type { Random } from "@smooth/platform/ports";
import type { TaskContext } from "@smooth/engine/task";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { ReactElement } from "react";
import { z } from "zod";
import { Approval } from "../components/approval.ts";
import { Branch } from "../components/branch.ts";
import { Loop } from "../components/loop.ts";
import { Parallel } from "../components/parallel.ts";
import { Saga, SagaStep } from "../components/saga.ts";
import { Sequence } from "../components/sequence.ts";
import { Task, type TaskProps } from "../components/task.ts";
import { Timer } from "../components/timer.ts";
import { TryCatchFinally } from "../components/try-catch-finally.ts";
import { WaitForEvent } from "../components/wait-for-event.ts";
import { Workflow } from "../components/workflow.ts";
import { approvalDecisionSchema, createSmithers } from "../create-smithers.ts";
import { h } from "../jsx-runtime.ts";

export type Spec =
  /** `failures`: bodies that fail before one works; Infinity: it fails for good, and the run goes on without it. */
  | { readonly kind: "task"; readonly id: string; readonly failures: number }
  | { readonly kind: "static"; readonly id: string }
  | { readonly kind: "sequence"; readonly children: readonly Spec[] }
  | { readonly kind: "parallel"; readonly cap: number; readonly children: readonly Spec[] }
  /** On the parity of the row of `on`. */
  | { readonly kind: "branch"; readonly on: string; readonly even: Spec; readonly odd: Spec }
  | { readonly kind: "loop"; readonly id: string; readonly times: number; readonly body: Spec }
  | { readonly kind: "timer"; readonly id: string; readonly ms: number }
  /** Outside loops only, so that one signal per name is enough. */
  | { readonly kind: "signal"; readonly id: string }
  | { readonly kind: "approval"; readonly id: string; readonly onDeny: "continue" | "skip"; readonly gated: Spec }
  | { readonly kind: "try"; readonly id: string; readonly fails: string; readonly body: Spec; readonly caught: Spec }
  | { readonly kind: "saga"; readonly id: string; readonly fails: string; readonly steps: readonly string[] };

export function randomSpec(random: Random, depth = 3): Spec {
  let named = 0;
  let loops = 0;
  const id = (kind: string): string => `${kind}${(named += 1)}`;
  const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1));
  const several = (left: number): Spec[] => Array.from({ length: between(1, 4) }, () => spec(left - 1));
  const kinds: readonly ((left: number) => Spec)[] = [
    (left) => ({ kind: "sequence", children: several(left) }),
    (left) => ({ kind: "parallel", cap: between(0, 3), children: several(left) }),
    (left) => {
      const on = id("task");
      const branch: Spec = { kind: "branch", on, even: spec(left - 1), odd: spec(left - 1) };
      return { kind: "sequence", children: [{ kind: "task", id: on, failures: 0 }, branch] };
    },
    (left) => {
      loops += 1;
      const loop: Spec = { kind: "loop", id: id("loop"), times: between(1, 3), body: spec(left - 1) };
      loops -= 1;
      return loop;
    },
    (left) => ({
      kind: "approval",
      id: id("ask"),
      onDeny: random() < 0.5 ? "continue" : "skip",
      gated: spec(left - 1),
    }),
    (left) => ({ kind: "try", id: id("try"), fails: id("doomed"), body: leaf(), caught: spec(left - 1) }),
    () => ({ kind: "saga", id: id("saga"), fails: id("doomed"), steps: [id("step"), id("step")] }),
    () => ({ kind: "timer", id: id("timer"), ms: between(1, 40) }),
    () => (loops === 0 ? { kind: "signal", id: id("signal") } : leaf()),
  ];
  const leaf = (): Spec =>
    random() < 0.2
      ? { kind: "static", id: id("static") }
      : { kind: "task", id: id("task"), failures: [0, 0, 0, 1, 2, Infinity][between(0, 5)] ?? 0 };
  const spec = (left: number): Spec => {
    const kind = kinds[between(0, kinds.length - 1)];
    return left === 0 || !kind || random() < 0.3 ? leaf() : kind(left);
  };
  return { kind: "sequence", children: several(depth) };
}

/** The names of the signals that a workflow waits for, sooner or later. */
export function signalsOf(spec: Spec): readonly string[] {
  switch (spec.kind) {
    case "signal":
      return [spec.id];
    case "sequence":
    case "parallel":
      return spec.children.flatMap(signalsOf);
    case "branch":
      return [spec.even, spec.odd].flatMap(signalsOf);
    case "approval":
      return signalsOf(spec.gated);
    case "try":
      return [spec.body, spec.caught].flatMap(signalsOf);
    case "loop":
    case "saga":
    case "static":
    case "task":
    case "timer":
      return [];
  }
}

/** Same word, same number: rows and decisions depend on names alone. */
export const numberOf = (word: string): number =>
  word.split("").reduce((sum, letter) => (sum * 31 + (letter.codePointAt(0) ?? 0)) % 1_000, 7);

const { smithers, outputs } = createSmithers({ value: z.object({ n: z.number() }), decision: approvalDecisionSchema });

/** What a task does: it decides when the task ends, and whether it fails. */
export type SimulatedBody = (context: TaskContext, failures: number) => Promise<{ n: number }>;
type Build = (node: Spec, at: number) => ReactElement;
type More = Partial<TaskProps<typeof outputs.value, Record<never, never>>>;

const taskOf =
  (body: SimulatedBody) =>
  (id: string, failures: number, more: More = {}): ReactElement =>
    h(Task<typeof outputs.value>, {
      key: id,
      id,
      output: outputs.value,
      ...(failures === Infinity ? { retries: 0 } : { retryPolicy: { backoff: "fixed", initialDelayMs: 10 } }),
      children: (context: TaskContext) => body(context, failures),
      ...more,
    });

function scopeOf(node: Extract<Spec, { kind: "try" | "saga" }>, task: ReturnType<typeof taskOf>, build: Build) {
  const { id } = node;
  if (node.kind === "try") {
    const tried = h(Sequence, null, build(node.body, 0), task(node.fails, Infinity));
    return h(TryCatchFinally, { key: id, id, try: tried, catch: () => build(node.caught, 0) });
  }
  const steps = [...node.steps, node.fails].map((step) =>
    h(
      SagaStep,
      { key: step, id: `of-${step}`, compensation: task(`undo-${step}`, 0) },
      task(step, step === node.fails ? Infinity : 0),
    ),
  );
  return h(Saga, { key: id, id }, ...steps);
}

export function workflowOf(spec: Spec, body: SimulatedBody): WorkflowDefinition {
  const task = taskOf(body);
  return smithers((ctx) => {
    const build: Build = (node, at) => {
      switch (node.kind) {
        case "task":
          return task(node.id, node.failures, { continueOnFail: node.failures === Infinity });
        case "static":
          return task(node.id, 0, { children: { n: numberOf(node.id) } });
        case "sequence":
          return h(Sequence, { key: at }, ...node.children.map(build));
        case "parallel":
          return h(Parallel, { key: at, maxConcurrency: node.cap }, ...node.children.map(build));
        case "branch": {
          const even = (ctx.outputMaybe(outputs.value, node.on)?.n ?? 0) % 2 === 0;
          // oxlint-disable-next-line unicorn/no-thenable -- the documented prop of Branch
          return h(Branch, { key: at, if: even, then: build(node.even, 0), else: build(node.odd, 0) });
        }
        case "loop":
          return h(Loop, { key: at, id: node.id, until: false, maxIterations: node.times }, build(node.body, 0));
        case "timer":
          return h(Timer, { key: at, id: node.id, duration: `${node.ms}ms` });
        case "signal":
          return h(WaitForEvent<typeof outputs.value>, { key: at, id: node.id, event: node.id, output: outputs.value });
        case "approval": {
          const ask = { id: node.id, output: outputs.decision, request: { title: node.id }, onDeny: node.onDeny };
          return h(Approval<typeof outputs.decision>, { key: at, ...ask }, build(node.gated, 0));
        }
        case "try":
        case "saga":
          return scopeOf(node, task, build);
      }
    };
    return h(Workflow, { name: "random" }, build(spec, 0));
  });
}
