import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { Inlined } from "@smooth/engine/inline";
import { React } from "@smooth/engine/react";
import { host } from "./host.ts";

export interface WorkflowProps {
  readonly name: string;
  /** Completed nodes are skipped on resume: always so here, hence `false` is refused. */
  readonly cache?: boolean;
  readonly children?: ReactNode;
}

/** The root. Its children run in order. */
export function Workflow(props: WorkflowProps): ReactElement {
  const inlined = React.useContext(Inlined);
  return inlined ? host(HOST.sequence, null, props.children) : host(HOST.workflow, props);
}
