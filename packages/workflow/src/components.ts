/** The elements of a workflow, as authors write them. Each becomes a host element that the engine's `extract` reads. */
import type { ReactElement, ReactNode } from "react";
import type { z } from "zod";
import { HOST } from "@smooth/engine/elements";
import type { JsonValue } from "@smooth/engine/json";
import type { ApprovalOption } from "@smooth/engine/plan";
import { React } from "@smooth/engine/react";
import type { RetryPolicy } from "@smooth/engine/retry";
import { LoopScope } from "@smooth/engine/scope";
import type { AgentLike, TaskContext } from "@smooth/engine/task";

const h = React.createElement as (type: unknown, props: object | null, ...children: ReactNode[]) => ReactElement;

export interface WorkflowProps {
  readonly name: string;
  readonly children?: ReactNode;
}
/** The root. Its children run in order. */
export const Workflow = (props: WorkflowProps): ReactElement => h(HOST.workflow, props);

export interface SequenceProps {
  readonly skipIf?: boolean;
  readonly children?: ReactNode;
}
export const Sequence = ({ skipIf, ...props }: SequenceProps): ReactElement | null =>
  skipIf ? null : h(HOST.sequence, props);

export interface ParallelProps {
  readonly id?: string;
  /** ≤ 0 or absent: unbounded. */
  readonly maxConcurrency?: number;
  readonly skipIf?: boolean;
  readonly children?: ReactNode;
}
export const Parallel = ({ skipIf, ...props }: ParallelProps): ReactElement | null =>
  skipIf ? null : h(HOST.parallel, props);

export interface BranchProps {
  readonly if: boolean;
  // A branch is configured with elements, as in the documented API.
  // oxlint-disable-next-line unicorn/no-thenable
  readonly then: ReactElement;
  readonly else?: ReactElement | null;
  readonly skipIf?: boolean;
}
export function Branch({ if: condition, then: yes, else: no, skipIf, ...rest }: BranchProps): ReactElement | null {
  return skipIf ? null : h(HOST.branch, rest, condition ? yes : no);
}

export interface LoopProps {
  /** Named after its place in the tree when absent, with a warning. */
  readonly id?: string;
  readonly until?: boolean;
  /** Default 5. */
  readonly maxIterations?: number;
  readonly onMaxReached?: "fail" | "return-last";
  readonly skipIf?: boolean;
  readonly children?: ReactNode;
}
export function Loop({ skipIf, children, ...props }: LoopProps): ReactElement | null {
  const chain = React.useContext(LoopScope);
  if (skipIf) return null;
  const scope = props.id === undefined ? chain : [...chain, props.id];
  return h(HOST.loop, props, h(LoopScope, { value: scope }, children));
}
/** The older name of Loop. */
export const Ralph = (props: LoopProps): ReactElement | null => Loop(props);

export type OutputTarget = z.ZodObject | string;
type OutputValue<O> = O extends z.ZodObject ? z.input<O> : Readonly<Record<string, unknown>>;
type DepRows<D> = {
  readonly [K in keyof D]: D[K] extends z.ZodObject ? z.output<D[K]> : Readonly<Record<string, unknown>>;
};

/** A function child: the task's context, and the rows of its `deps` by name. It answers the row; with an agent, the prompt. */
type ComputeBody<O, D> = (context: TaskContext & DepRows<D>) => OutputValue<O> | Promise<OutputValue<O>> | string;

interface NodeProps<O extends OutputTarget> {
  readonly id: string;
  readonly output: O;
  readonly outputSchema?: z.ZodObject;
  readonly dependsOn?: readonly string[];
  /** Name in `deps` → node id, where they differ. */
  readonly needs?: Readonly<Record<string, string>>;
  readonly skipIf?: boolean;
  readonly continueOnFail?: boolean;
  readonly label?: string;
  readonly meta?: Readonly<Record<string, JsonValue>>;
}

interface AttemptProps {
  readonly timeoutMs?: number;
  readonly heartbeatTimeoutMs?: number;
  readonly retries?: number;
  readonly noRetry?: boolean;
  readonly retryPolicy?: Partial<Omit<RetryPolicy, "retries">>;
}

export type TaskProps<O extends OutputTarget, D extends Readonly<Record<string, OutputTarget>>> = NodeProps<O> &
  AttemptProps & {
    /** An array is a fallback chain. */
    readonly agent?: AgentLike | readonly AgentLike[];
    readonly fallbackAgent?: AgentLike;
    /** Upstream rows handed to a function child. */
    readonly deps?: D;
    readonly children?: ReactNode | OutputValue<NoInfer<O>> | ComputeBody<NoInfer<O>, D>;
  };

/** With `agent`: its children are the prompt. Without: a function is computed, an object is the value. */
export function Task<O extends OutputTarget, D extends Readonly<Record<string, OutputTarget>> = Record<never, never>>({
  children,
  ...props
}: TaskProps<O, D>): ReactElement {
  if (props.agent !== undefined && typeof children !== "function" && typeof children !== "string")
    return h(HOST.task, props, children as ReactNode);
  return h(HOST.task, { ...props, body: children });
}

export type ApprovalProps<O extends OutputTarget> = NodeProps<O> & {
  readonly mode?: "approve" | "select" | "rank";
  readonly options?: readonly ApprovalOption[];
  readonly request: {
    readonly title: string;
    readonly summary?: string | undefined;
    readonly metadata?: Readonly<Record<string, JsonValue>> | undefined;
  };
  readonly onDeny?: "fail" | "continue" | "skip";
  readonly allowedUsers?: readonly string[];
  readonly allowedScopes?: readonly string[];
  /** What comes after does not wait for the decision. */
  readonly async?: boolean;
  /** Run after the approval. */
  readonly children?: ReactNode;
};
export const Approval = <O extends OutputTarget>(props: ApprovalProps<O>): ReactElement => h(HOST.approval, props);
