import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { React } from "@smooth/engine/react";
import { useFailureScope } from "@smooth/engine/scope";
import { host } from "./host.ts";

export interface SagaStepDef {
  readonly id: string;
  readonly action: ReactElement;
  readonly compensation: ReactElement;
  readonly label?: string;
}

export interface SagaProps {
  /** Named after its place in the tree when absent, with a warning. */
  readonly id?: string;
  /** Wins over children. */
  readonly steps?: readonly SagaStepDef[];
  /** `compensate` (default): undo, then go on. `compensate-and-fail`: undo, then fail. `fail`: only fail. */
  readonly onFailure?: "compensate" | "compensate-and-fail" | "fail";
  readonly skipIf?: boolean;
  /** SagaSteps. */
  readonly children?: ReactNode;
}

export interface SagaStepProps {
  readonly id: string;
  readonly compensation: ReactElement;
  readonly label?: string;
  readonly children?: ReactNode;
}

/** The steps to undo; null while nothing failed. */
const Undoing = React.createContext<readonly string[] | null>(null);

/** Steps in order. When one fails, the compensations of those that were completed run in reverse, each once. */
function SagaElement({ steps, skipIf, children, ...props }: SagaProps): ReactElement | null {
  const { handle, failed } = useFailureScope();
  if (skipIf) return null;
  const members = steps?.map(({ action, ...step }) => host(SagaStep, { key: step.id, ...step }, action)) ?? children;
  return host(HOST.saga, { ...props, handle }, host(Undoing, { value: failed?.completed ?? null }, members));
}

/** One step of a Saga: its children, and what undoes them. */
export function SagaStep({ compensation, children, ...props }: SagaStepProps): ReactElement {
  const undoing = React.useContext(Undoing)?.includes(props.id);
  return host(HOST.sagaStep, props, children, undoing ? host(HOST.compensation, null, compensation) : null);
}

export const Saga = Object.assign(SagaElement, { Step: SagaStep });
