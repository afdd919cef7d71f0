import type { ReactElement, ReactNode } from "react";
import { useWorkflowContext } from "@smooth/engine/scope";
import { host } from "../components/host.ts";
import { Loop } from "../components/loop.ts";
import { Timer } from "../components/timer.ts";
import {
  knownProps,
  prompt,
  sequence,
  task,
  useRows,
  type AgentLike,
  type LooseRow,
  type OutputTarget,
} from "./parts.ts";

export interface PollerProps {
  /** Default `poll`. Tasks: `{id}-check`, and the wait between two checks, `{id}-wait`. */
  readonly id?: string;
  readonly check: AgentLike | (() => unknown);
  /** With `satisfied: boolean`. */
  readonly checkOutput: OutputTarget;
  /** Default 30. */
  readonly maxAttempts?: number;
  /** Default `fixed`: the interval; `linear`: interval × N; `exponential`: interval × 2^(N−1), after the N-th check. */
  readonly backoff?: "fixed" | "linear" | "exponential";
  /** Default 5,000. */
  readonly intervalMs?: number;
  /** Default `fail`. */
  readonly onTimeout?: "fail" | "return-last";
  readonly skipIf?: boolean;
  /** The condition, in words, for an agent. */
  readonly children?: ReactNode;
}

const onlyKnown = knownProps<PollerProps>("Poller", {
  id: true,
  check: true,
  checkOutput: true,
  maxAttempts: true,
  backoff: true,
  intervalMs: true,
  onTimeout: true,
  skipIf: true,
  children: true,
});

/** Looks again and again, with durable waits in between, until the condition is satisfied. */
export function Poller(props: PollerProps): ReactElement | null {
  onlyKnown(props);
  const { id = "poll", check, checkOutput, maxAttempts = 30, onTimeout = "fail" } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const common = { id: `${id}-check`, output: checkOutput };
  const look =
    typeof check === "function"
      ? task({ ...common, children: async () => (await check()) as LooseRow })
      : task({ ...common, agent: check, children: prompt(props.children, "\n\nIs this satisfied now?") });
  const until = rows.latest(checkOutput, `${id}-check`)?.["satisfied"] === true;
  const onMaxReached = onTimeout;
  return host(
    Loop,
    { id, until, maxIterations: maxAttempts, onMaxReached },
    sequence(host(Pause, { ...props, id: `${id}-wait` }), look),
  );
}

/** Between two checks, not before the first. It stands inside the loop, where the iteration is known. */
function Pause({ id, backoff = "fixed", intervalMs = 5_000 }: PollerProps): ReactElement | null {
  const { iteration } = useWorkflowContext();
  if (iteration === 0) return null;
  const factor = { fixed: 1, linear: iteration, exponential: 2 ** (iteration - 1) }[backoff];
  return host(Timer, { id, duration: `${intervalMs * factor}ms` });
}
