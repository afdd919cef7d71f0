import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import type { JsonValue } from "@smooth/engine/json";
import type { ApprovalOption } from "@smooth/engine/plan";
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
  readonly allowedUsers?: readonly string[];
  readonly allowedScopes?: readonly string[];
  /** What comes after does not wait for the decision. */
  readonly async?: boolean;
  /** Run after the approval. */
  readonly children?: ReactNode;
};

/** Waits for a person, for any time, as a row. */
export const Approval = <O extends OutputTarget>(props: ApprovalProps<O>): ReactElement => host(HOST.approval, props);
