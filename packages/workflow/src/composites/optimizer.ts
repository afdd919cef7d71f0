import type { ReactElement, ReactNode } from "react";
import { host } from "../components/host.ts";
import { Loop } from "../components/loop.ts";
import {
  knownProps,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type LooseRow,
  type OutputTarget,
} from "./parts.ts";

export interface OptimizerProps {
  /** Default `optimizer`. Tasks: `{id}-generate`, `{id}-evaluate`. */
  readonly id?: string;
  readonly generator: AgentLike;
  /** A function is computed with the candidate's row and answers the evaluation's row. */
  readonly evaluator: AgentLike | ((candidate: LooseRow) => unknown);
  readonly generateOutput: OutputTarget;
  /** With `score: number`. */
  readonly evaluateOutput: OutputTarget;
  /** Absent: all iterations run. */
  readonly targetScore?: number;
  /** Default 10. */
  readonly maxIterations?: number;
  readonly onMaxReached?: "return-last" | "fail";
  readonly skipIf?: boolean;
  /** What to generate. */
  readonly children: ReactNode;
}

const onlyKnown = knownProps<OptimizerProps>("Optimizer", {
  id: true,
  generator: true,
  evaluator: true,
  generateOutput: true,
  evaluateOutput: true,
  targetScore: true,
  maxIterations: true,
  onMaxReached: true,
  skipIf: true,
  children: true,
});

/** Generate, evaluate, and generate again with the evaluation, until the score reaches the target. */
export function Optimizer(props: OptimizerProps): ReactElement | null {
  onlyKnown(props);
  const { id = "optimizer", generateOutput, evaluateOutput, targetScore, evaluator, children } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const candidate = rows.latest(generateOutput, `${id}-generate`);
  const evaluation = rows.latest(evaluateOutput, `${id}-evaluate`);
  const generate = task({
    id: `${id}-generate`,
    output: generateOutput,
    agent: props.generator,
    children:
      evaluation === undefined
        ? prompt(children)
        : prompt(children, told("Your last candidate", candidate), told("Its evaluation; do better", evaluation)),
  });
  const evaluate =
    typeof evaluator === "function"
      ? task({
          id: `${id}-evaluate`,
          output: evaluateOutput,
          deps: { [`${id}-generate`]: generateOutput },
          children: (deps) => evaluator(deps[`${id}-generate`] as LooseRow) as LooseRow,
        })
      : task({
          id: `${id}-evaluate`,
          output: evaluateOutput,
          agent: evaluator,
          children: prompt(children, told("Score this candidate for the task above", candidate)),
        });
  const until = targetScore !== undefined && reached(evaluation, targetScore);
  const { maxIterations = 10, onMaxReached } = props;
  return host(Loop, { id, until, maxIterations, onMaxReached }, sequence(generate, evaluate));
}

/** A score is a number that is not below the threshold. */
export const reached = (row: LooseRow | undefined, threshold: number): boolean =>
  typeof row?.["score"] === "number" && row["score"] >= threshold;
