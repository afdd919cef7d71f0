import type { ReactElement } from "react";
import { useWorkflowContext } from "@smooth/engine/scope";
import { host } from "../components/host.ts";
import { Loop } from "../components/loop.ts";
import { Timer } from "../components/timer.ts";
import { knownProps, prompt, sequence, task, told, useRows, type AgentLike, type OutputTarget } from "./parts.ts";

export interface DriftDetectorProps {
  /** Default `drift`. Tasks: `{id}-capture`, `{id}-compare`. */
  readonly id?: string;
  readonly captureAgent: AgentLike;
  readonly compareAgent: AgentLike;
  readonly captureOutput: OutputTarget;
  /** With `drifted: boolean`. */
  readonly compareOutput: OutputTarget;
  readonly baseline: unknown;
  /** Instead of `drifted`. */
  // The author knows the row's type, as in the documented API.
  // oxlint-disable-next-line typescript/no-explicit-any
  alertIf?(comparison: any): boolean;
  /** Run when it has drifted. */
  readonly alert?: ReactElement;
  /** Look again and again until it has drifted; `maxPolls` default 100. */
  readonly poll?: { readonly intervalMs: number; readonly maxPolls?: number };
  readonly skipIf?: boolean;
}

const onlyKnown = knownProps<DriftDetectorProps>("DriftDetector", {
  id: true,
  captureAgent: true,
  compareAgent: true,
  captureOutput: true,
  compareOutput: true,
  baseline: true,
  alertIf: true,
  alert: true,
  poll: true,
  skipIf: true,
});

/** Capture the state, compare it with a baseline, and act on a meaningful difference. */
export function DriftDetector(props: DriftDetectorProps): ReactElement | null {
  onlyKnown(props);
  const { id = "drift", captureOutput, compareOutput, alert = null, poll } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const captured = rows.latest(captureOutput, `${id}-capture`);
  const comparison = rows.latest(compareOutput, `${id}-compare`);
  const drifted = comparison !== undefined && (props.alertIf?.(comparison) ?? comparison["drifted"] === true);
  const once = sequence(
    poll ? host(Pause, { id: `${id}-wait`, intervalMs: poll.intervalMs }) : null,
    task({ id: `${id}-capture`, output: captureOutput, agent: props.captureAgent, children: "Capture the state." }),
    task({
      id: `${id}-compare`,
      output: compareOutput,
      agent: props.compareAgent,
      children: prompt("Has it drifted?", told("The baseline", props.baseline), told("The state", captured)),
    }),
  );
  const looked = poll ? host(Loop, { id, until: drifted, maxIterations: poll.maxPolls ?? 100 }, once) : once;
  return sequence(looked, drifted ? alert : null);
}

function Pause({ id, intervalMs }: { readonly id: string; readonly intervalMs: number }): ReactElement | null {
  const { iteration } = useWorkflowContext();
  return iteration === 0 ? null : host(Timer, { id, duration: `${intervalMs}ms` });
}
