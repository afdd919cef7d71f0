import type { ReactElement, ReactNode } from "react";
import { host } from "../components/host.ts";
import { Loop } from "../components/loop.ts";
import { reached } from "./optimizer.ts";
import { knownProps, useRows, type OutputTarget } from "./parts.ts";

export interface LoopUntilScoredProps {
  /** Default `loop-until-scored`. */
  readonly id?: string;
  /** The task of the body that scores; its row has `score: number`. */
  readonly scoredBy: string;
  readonly scoreOutput: OutputTarget;
  readonly threshold: number;
  /** Default 5. */
  readonly maxIterations?: number;
  readonly onMaxReached?: "return-last" | "fail";
  readonly skipIf?: boolean;
  readonly children: ReactNode;
}

const onlyKnown = knownProps<LoopUntilScoredProps>("LoopUntilScored", {
  id: true,
  scoredBy: true,
  scoreOutput: true,
  threshold: true,
  maxIterations: true,
  onMaxReached: true,
  skipIf: true,
  children: true,
});

/** Its children, again and again, until the score of one of them reaches the threshold. */
export function LoopUntilScored(props: LoopUntilScoredProps): ReactElement | null {
  onlyKnown(props);
  const { id = "loop-until-scored", scoredBy, scoreOutput, threshold, children, skipIf, ...limits } = props;
  const rows = useRows();
  if (skipIf) return null;
  const until = reached(rows.latest(scoreOutput, scoredBy), threshold);
  return host(Loop, { id, until, ...limits }, children);
}
