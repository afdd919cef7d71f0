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
function SagaElement({ id, steps, onFailure, skipIf, children }: SagaProps): ReactElement | null {
  const { handle, failed } = useFailureScope();
  if (skipIf) return null;
  const members = steps?.map(({ action, ...step }) => host(SagaStep, { key: step.id, ...step }, action)) ?? children;
  return host(HOST.saga, { id, onFailure, handle }, host(Undoing, { value: failed?.completed ?? null }, members));
}

/** One step of a Saga: its children, and what undoes them. */
export function SagaStep({ id, compensation, label, children }: SagaStepProps): ReactElement {
  const undoing = React.useContext(Undoing)?.includes(id);
  return host(HOST.sagaStep, { id, label }, children, undoing ? host(HOST.compensation, null, compensation) : null);
}

export const Saga = Object.assign(SagaElement, { Step: SagaStep });
