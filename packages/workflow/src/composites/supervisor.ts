import type { ReactElement, ReactNode } from "react";
import { useWorkflowContext } from "@smooth/engine/scope";
import { SmoothError } from "@smooth/protocol/errors";
import { host } from "../components/host.ts";
import { Loop } from "../components/loop.ts";
import { Worktree } from "../components/worktree.ts";
import {
  knownProps,
  list,
  nodeIds,
  parallel,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type OutputTarget,
} from "./parts.ts";

export interface SupervisorProps {
  /** Default `supervisor`. Tasks: `{id}-plan`, `{id}-worker-{type}` (further ones of a type: `{id}-worker-{type}-{task}`),
   *  `{id}-review`, `{id}-final`; the loop is `{id}-loop`. */
  readonly id?: string;
  readonly boss: AgentLike;
  readonly workers: Readonly<Record<string, AgentLike>>;
  /** With `tasks: [{ id, workerType, instructions }]`. */
  readonly planOutput: OutputTarget;
  readonly workerOutput: OutputTarget;
  /** With `allDone: boolean` and `retriable: string[]`, ids of tasks. */
  readonly reviewOutput: OutputTarget;
  readonly finalOutput: OutputTarget;
  /** Default 3. */
  readonly maxIterations?: number;
  /** Default 5. */
  readonly maxConcurrency?: number;
  /** Each worker in `.worktrees/{task}`, on branch `worker/{task}`. Default false. */
  readonly useWorktrees?: boolean;
  readonly skipIf?: boolean;
  /** The goal. */
  readonly children: ReactNode;
}

interface Planned {
  readonly id: string;
  readonly workerType: string;
  readonly instructions: string;
}

const onlyKnown = knownProps<SupervisorProps>("Supervisor", {
  id: true,
  boss: true,
  workers: true,
  planOutput: true,
  workerOutput: true,
  reviewOutput: true,
  finalOutput: true,
  maxIterations: true,
  maxConcurrency: true,
  useWorktrees: true,
  skipIf: true,
  children: true,
});

/** A boss plans, workers work at the same time, the boss reviews and hands out again what is not done; then it concludes. */
export function Supervisor(props: SupervisorProps): ReactElement | null {
  onlyKnown(props);
  const { id = "supervisor", boss, planOutput, reviewOutput, maxIterations = 3, children } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const plan = rows.at(planOutput, `${id}-plan`);
  const review = rows.latest(reviewOutput, `${id}-review`);
  const workers = Object.keys(props.workers).join(", ");
  return sequence(
    task({
      id: `${id}-plan`,
      output: planOutput,
      agent: boss,
      children: prompt(children, `\n\nPlan the tasks for these workers: ${workers}.`),
    }),
    host(
      Loop,
      { id: `${id}-loop`, until: review?.["allDone"] === true, maxIterations },
      sequence(host(Round, { ...props, id })),
    ),
    task({
      id: `${id}-final`,
      output: props.finalOutput,
      agent: boss,
      children: prompt(children, "\n\nConclude.", told("The plan", plan), told("The last review", review)),
    }),
  );
}

/** One pass: the whole plan first, later only what the last review hands out again. */
function Round(props: SupervisorProps): ReactElement {
  const { id = "supervisor", planOutput, workerOutput, reviewOutput, maxConcurrency = 5 } = props;
  const rows = useRows();
  const { iteration } = useWorkflowContext();
  const planned = list(rows.at(planOutput, `${id}-plan`)?.["tasks"] ?? []) as readonly Planned[];
  const last = iteration === 0 ? undefined : rows.at(reviewOutput, `${id}-review`, iteration - 1);
  const again = last && new Set(list(last["retriable"] ?? []));
  const ids = nodeIds(planned.map((_, at) => workerId(id, planned, at)));
  const due = planned
    .map((work, at) => ({ work, nodeId: ids[at] ?? "" }))
    .filter(({ work }) => !again || again.has(work.id));
  const results = due.map(({ work, nodeId }) => ({ task: work.id, result: rows.at(workerOutput, nodeId) ?? "failed" }));
  const review = task({
    id: `${id}-review`,
    output: reviewOutput,
    agent: props.boss,
    children: prompt("Review the work: is all done, and which tasks are to be done again?", told("Results", results)),
  });
  return sequence(
    parallel(
      { maxConcurrency },
      ...due.map(({ work, nodeId }) => placed(props, workerTask(props, work, nodeId), nodeId)),
    ),
    review,
  );
}

function placed({ useWorktrees = false }: SupervisorProps, worker: ReactElement, nodeId: string): ReactElement {
  if (!useWorktrees) return worker;
  return host(
    Worktree,
    { key: nodeId, id: `${nodeId}-worktree`, path: `.worktrees/${nodeId}`, branch: `worker/${nodeId}` },
    worker,
  );
}

/** It also names a folder and a branch. */
function workerId(id: string, planned: readonly Planned[], at: number): string {
  const work = planned[at];
  const first = planned.findIndex(({ workerType }) => workerType === work?.workerType) === at;
  const name = first ? `${work?.workerType}` : `${work?.workerType}-${work?.id}`;
  return `${id}-worker-${name.replaceAll(/(?:[^\p{L}\p{N}_.-]|\.{2,})+/gu, "-")}`;
}

function workerTask({ workers, workerOutput }: SupervisorProps, work: Planned, nodeId: string): ReactElement {
  const agent = Object.hasOwn(workers, work.workerType) ? workers[work.workerType] : undefined;
  const common = { id: nodeId, label: work.id, output: workerOutput, continueOnFail: true };
  if (agent) return task({ ...common, agent, children: work.instructions });
  return task({
    ...common,
    children: () => {
      throw new SmoothError(
        "AGENT_CONFIG_INVALID",
        `the plan gives task ${work.id} to ${work.workerType}; there are: ${Object.keys(workers).join(", ")}`,
      );
    },
  });
}
