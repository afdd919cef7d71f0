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
  type OutputTarget,
  type Rows,
} from "./parts.ts";

export interface DebateProps {
  /** Default `debate`. Tasks: `{id}-proposer`, `{id}-opponent`, `{id}-judge`; the loop is `{id}-loop`. */
  readonly id?: string;
  /** Argues for. */
  readonly proposer: AgentLike;
  /** Argues against. */
  readonly opponent: AgentLike;
  readonly judge: AgentLike;
  /** Default 2; all of them are held. */
  readonly rounds?: number;
  readonly argumentOutput: OutputTarget;
  readonly verdictOutput: OutputTarget;
  readonly topic: ReactNode;
  readonly skipIf?: boolean;
}

const onlyKnown = knownProps<DebateProps>("Debate", {
  id: true,
  proposer: true,
  opponent: true,
  judge: true,
  rounds: true,
  argumentOutput: true,
  verdictOutput: true,
  topic: true,
  skipIf: true,
});

/** Two sides argue for a number of rounds, each knowing all that was said; then a judge decides. */
export function Debate(props: DebateProps): ReactElement | null {
  onlyKnown(props);
  const { id = "debate", argumentOutput, topic, rounds = 2 } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const said = transcript(rows, argumentOutput, id);
  const side = (name: "proposer" | "opponent", stance: string): ReactElement =>
    task({
      id: `${id}-${name}`,
      output: argumentOutput,
      agent: props[name],
      children: prompt(topic, `\n\nArgue ${stance}.`, told("Said so far", said)),
    });
  return sequence(
    host(
      Loop,
      { id: `${id}-loop`, until: false, maxIterations: rounds, onMaxReached: "return-last" },
      sequence(side("proposer", "for it"), side("opponent", "against it")),
    ),
    task({
      id: `${id}-judge`,
      output: props.verdictOutput,
      agent: props.judge,
      children: prompt(topic, "\n\nDecide.", told("The debate", said)),
    }),
  );
}

function transcript(rows: Rows, output: OutputTarget, id: string): readonly unknown[] | undefined {
  const rounds = rows.count(output, `${id}-proposer`);
  const said = Array.from({ length: rounds }, (_, round) => ({
    round: round + 1,
    for: rows.at(output, `${id}-proposer`, round),
    against: rows.at(output, `${id}-opponent`, round),
  }));
  return said.length > 0 ? said : undefined;
}
