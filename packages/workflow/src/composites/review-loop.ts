import type { ReactElement, ReactNode } from "react";
import { SmoothError } from "@smooth/protocol/errors";
import { host } from "../components/host.ts";
import { Loop } from "../components/loop.ts";
import {
  knownProps,
  list,
  parallel,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type OutputTarget,
} from "./parts.ts";

export interface ReviewLoopProps {
  /** Default `review-loop`. Tasks: `{id}-produce`, `{id}-review`; with several reviewers `{id}-review-1`, … */
  readonly id?: string;
  readonly producer: AgentLike;
  readonly reviewer: AgentLike | readonly AgentLike[];
  readonly produceOutput: OutputTarget;
  /** With `approved: boolean`. */
  readonly reviewOutput: OutputTarget;
  /** How many of several reviewers must approve; default `all`. */
  readonly agreement?: "all" | "any" | "majority";
  /** Default 5. */
  readonly maxIterations?: number;
  readonly onMaxReached?: "return-last" | "fail";
  readonly skipIf?: boolean;
  /** What to produce. */
  readonly children: ReactNode;
}

const NEEDED = {
  all: (total: number): number => total,
  any: (): number => 1,
  majority: (total: number): number => Math.floor(total / 2) + 1,
};

const onlyKnown = knownProps<ReviewLoopProps>("ReviewLoop", {
  id: true,
  producer: true,
  reviewer: true,
  produceOutput: true,
  reviewOutput: true,
  agreement: true,
  maxIterations: true,
  onMaxReached: true,
  skipIf: true,
  children: true,
});

/** Produce, review, and produce again with the reviews, until enough reviewers approve. */
export function ReviewLoop(props: ReviewLoopProps): ReactElement | null {
  onlyKnown(props);
  const { id = "review-loop", produceOutput, reviewOutput, agreement = "all", children } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const reviewers = list(props.reviewer);
  if (reviewers.length === 0) throw new SmoothError("INVALID_INPUT", `<ReviewLoop id="${id}"> needs a reviewer`);
  const reviewIds = reviewers.map((_, at) => (reviewers.length === 1 ? `${id}-review` : `${id}-review-${at + 1}`));
  // Only whole rounds count: a round in which one reviewer is still busy says nothing.
  const rounds = Math.min(...reviewIds.map((nodeId) => rows.count(reviewOutput, nodeId)));
  const reviews = reviewIds.map((nodeId) => (rounds > 0 ? rows.at(reviewOutput, nodeId, rounds - 1) : undefined));
  const approvals = reviews.filter((review) => review?.["approved"] === true).length;
  const produced = rows.latest(produceOutput, `${id}-produce`);
  const produce = task({
    id: `${id}-produce`,
    output: produceOutput,
    agent: props.producer,
    children:
      rounds === 0
        ? prompt(children)
        : prompt(children, told("Your last result", produced), told("The reviews of it", reviews)),
  });
  const review = reviewers.map((agent, at) =>
    task({
      id: reviewIds[at] ?? "",
      output: reviewOutput,
      agent,
      children: prompt(children, told("Review this result of the task above", produced)),
    }),
  );
  return host(
    Loop,
    {
      id,
      until: approvals >= NEEDED[agreement](reviewers.length),
      maxIterations: props.maxIterations,
      onMaxReached: props.onMaxReached,
    },
    sequence(produce, parallel({}, ...review)),
  );
}
