import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import type { WorkflowContext } from "@smooth/engine/ctx";
import type { JsonValue } from "@smooth/engine/json";
import type { ApprovalOption } from "@smooth/engine/plan";
import type { RetryPolicy } from "@smooth/engine/retry";
import { useWorkflowContext } from "@smooth/engine/scope";
import { host, type NodeProps, type OutputTarget } from "./host.ts";

export type ApprovalProps<O extends OutputTarget> = NodeProps<O> & {
  readonly mode?: "approve" | "select" | "rank";
  readonly options?: readonly ApprovalOption[];
  readonly request: {
    readonly title: string;
    readonly summary?: string | undefined;
    readonly metadata?: Readonly<Record<string, JsonValue>> | undefined;
  };
  readonly onDeny?: "fail" | "continue" | "skip";
  /** Nobody's decision in time counts as a denial. */
  readonly timeoutMs?: number;
  /** How often it is asked again, each time for `timeoutMs`, before it counts as denied. Default 0. */
  readonly retries?: number;
  readonly retryPolicy?: Partial<Omit<RetryPolicy, "retries">>;
  /** When nobody needs to be asked. Only for mode approve. */
  readonly autoApprove?: AutoApprove;
  readonly allowedUsers?: readonly string[];
  readonly allowedScopes?: readonly string[];
  /** What comes after does not wait for the decision. */
  readonly async?: boolean;
  /** Run after the approval. */
  readonly children?: ReactNode;
};

export interface AutoApprove {
  /** So many approvals by people in a row, of the same node in other runs. Default 0. */
  readonly after?: number;
  /** And only while this holds. */
  readonly condition?: (ctx: WorkflowContext) => boolean;
  /** And not when this does. */
  readonly revertOn?: (ctx: WorkflowContext) => boolean;
  /** Say in the log on what grounds. Default true. */
  readonly audit?: boolean;
}

/** Waits for a person, for any time, as a row. */
export function Approval<O extends OutputTarget>({ autoApprove, ...props }: ApprovalProps<O>): ReactElement {
  const ctx = useWorkflowContext();
  return host(HOST.approval, autoApprove ? { ...props, autoApprove: resolved(autoApprove, ctx) } : props);
}

/** The functions are asked here, where `ctx` is: what they read is noted, so that the frame is rendered again when it changes. */
function resolved({ condition, revertOn, after, audit = true, ...rest }: AutoApprove, ctx: WorkflowContext): object {
  const holds = (condition?.(ctx) ?? true) && !(revertOn?.(ctx) ?? false);
  // Without any ground, somebody is always asked.
  return { ...rest, audit, after: after ?? 0, holds: holds && (after !== undefined || condition !== undefined) };
}
