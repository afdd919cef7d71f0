import type { ReactElement } from "react";
import { SmoothError } from "@smooth/protocol/errors";
import { HOST } from "@smooth/engine/elements";
import { useInlineChild } from "@smooth/engine/inline";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { host, type NodeProps, type OutputTarget } from "./host.ts";
import type { TaskCache, TaskProps } from "./task.ts";

export interface SubflowProps<O extends OutputTarget>
  extends NodeProps<O>, Pick<TaskProps<O, Record<never, never>>, "timeoutMs" | "retries" | "retryPolicy"> {
  readonly workflow: WorkflowDefinition;
  /** JSON; default `{}`. */
  readonly input?: unknown;
  /** `childRun` (default): a run of its own. `inline`: its tasks stand in this run, and share its ids and outputs. */
  readonly mode?: "childRun" | "inline";
  /** The node of the child whose row is the output; default: its row in `output`. */
  readonly outputFrom?: string;
  readonly cache?: TaskCache;
}

/** Another workflow, as one step of this one. */
export function Subflow<O extends OutputTarget>({ mode, ...props }: SubflowProps<O>): ReactElement {
  return mode === "inline" ? host(InlineSubflow, props) : host(HOST.subflow, props);
}

const INLINE = new Set(["id", "workflow", "input", "output", "outputSchema", "outputFrom", "skipIf", "label", "meta"]);

function InlineSubflow<O extends OutputTarget>(props: Omit<SubflowProps<O>, "mode">): ReactElement | null {
  const { workflow, input = {}, outputFrom, skipIf, ...own } = props;
  const child = useInlineChild(workflow, input);
  const odd = Object.entries(props).find(([name, value]) => value !== undefined && !INLINE.has(name));
  if (odd)
    throw new SmoothError(
      "PROP_UNSUPPORTED",
      `<Subflow> (id ${JSON.stringify(props.id)}) has prop \`${odd[0]}\`, which means nothing inline: there is no run of its own; remove it`,
      { details: { element: "Subflow", prop: odd[0] } },
    );
  if (skipIf) return null;
  const answer = host(HOST.task, { ...own, body: () => child.valueOf(outputFrom) });
  return host(HOST.sequence, null, child.element, answer);
}
