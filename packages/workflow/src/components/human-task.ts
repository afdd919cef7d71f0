import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { host, type NodeProps, type OutputTarget } from "./host.ts";

export interface HumanTaskProps<O extends OutputTarget> extends NodeProps<O> {
  /** What the person reads. */
  readonly prompt: string | ReactNode;
  /** Answers that may fail to fit before the node fails. Default 10. */
  readonly maxAttempts?: number;
  readonly timeoutMs?: number;
  /** What comes after does not wait for the answer. */
  readonly async?: boolean;
}

/** Asks a person for JSON that fits the output, and waits, for any time, as a row. */
export const HumanTask = <O extends OutputTarget>({ prompt, ...props }: HumanTaskProps<O>): ReactElement =>
  host(HOST.humanTask, props, prompt);
