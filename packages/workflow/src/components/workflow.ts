import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { host } from "./host.ts";

export interface WorkflowProps {
  readonly name: string;
  /** Completed nodes are skipped on resume: always so here, hence `false` is refused. */
  readonly cache?: boolean;
  readonly children?: ReactNode;
}

/** The root. Its children run in order. */
export const Workflow = (props: WorkflowProps): ReactElement => host(HOST.workflow, props);
