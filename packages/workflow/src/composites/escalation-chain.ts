import type { ReactElement, ReactNode } from "react";
import { host } from "../components/host.ts";
import { Approval, type ApprovalProps } from "../components/approval.ts";
import { knownProps, prompt, sequence, task, told, useRows, type AgentLike, type OutputTarget } from "./parts.ts";

export interface EscalationLevel {
  readonly agent: AgentLike;
  readonly output: OutputTarget;
  readonly label?: string;
  /** Asked about the level's row; true: the next level is tried. */
  // The author knows the row's type, as in the documented API.
  // oxlint-disable-next-line typescript/no-explicit-any
  escalateIf?(result: any): boolean;
}

export interface EscalationChainProps {
  /** Default `escalation`. Tasks: `{id}-level-1`, …, and `{id}-human`. */
  readonly id?: string;
  readonly levels: readonly EscalationLevel[];
  /** After the last level a person decides; default false: then a failing last level fails the run. */
  readonly humanFallback?: boolean;
  readonly humanRequest?: ApprovalProps<OutputTarget>["request"];
  /** What the person's decision is recorded as. */
  readonly escalationOutput: OutputTarget;
  readonly skipIf?: boolean;
  /** Put to every level. */
  readonly children?: ReactNode;
}

const onlyKnown = knownProps<EscalationChainProps>("EscalationChain", {
  id: true,
  levels: true,
  humanFallback: true,
  humanRequest: true,
  escalationOutput: true,
  skipIf: true,
  children: true,
});

/** One agent after the other, until one does not fail and its answer needs no escalation; then, if wanted, a person. */
export function EscalationChain(props: EscalationChainProps): ReactElement | null {
  onlyKnown(props);
  const { id = "escalation", levels, humanFallback = false, children } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const idOf = (at: number): string => `${id}-level-${at + 1}`;
  const results = levels.map((level, at) => rows.at(level.output, idOf(at)));
  // A level is reached only when the one before it has ended: without a row it has failed. (K1)
  const settles = (at: number): boolean => {
    const result = results[at];
    return result !== undefined && levels[at]?.escalateIf?.(result) !== true;
  };
  const settledBefore = (at: number): boolean => levels.slice(0, at).some((_, earlier) => settles(earlier));
  const tried = (at: number): readonly unknown[] | undefined => (at === 0 ? undefined : results.slice(0, at));
  const levelTasks = levels.map((level, at) =>
    task({
      id: idOf(at),
      label: level.label ?? idOf(at),
      output: level.output,
      agent: level.agent,
      noRetry: true,
      skipIf: settledBefore(at),
      continueOnFail: humanFallback || at < levels.length - 1,
      children: prompt(children, told("Earlier levels answered (null: failed)", tried(at))),
    }),
  );
  const human = host(Approval, {
    id: `${id}-human`,
    output: props.escalationOutput,
    request: props.humanRequest ?? { title: `${id}: no level could settle this` },
    skipIf: settledBefore(levels.length),
    onDeny: "continue",
  });
  return sequence(...levelTasks, humanFallback ? human : null);
}
