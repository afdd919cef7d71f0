/** The inside of one <Sandbox> as a workflow of its own: all that stands around it is left out. */
import { SmoothError } from "@smooth/protocol/errors";
import { HOST } from "../graph/props.ts";
import type { HostElement, HostNode } from "./renderer.ts";

export function onlyWithin(nodes: readonly HostNode[], id: string | undefined): readonly HostNode[] {
  if (id === undefined) return nodes;
  const sandbox = find(nodes, id);
  if (sandbox) return [{ ...sandbox, tag: HOST.workflow, props: { name: id } }];
  throw new SmoothError(
    "WORKFLOW_RENDER_FAILED",
    `sandbox ${id} is not in the frame that its children were to be read from`,
  );
}

function find(nodes: readonly HostNode[], id: string): HostElement | undefined {
  for (const node of nodes) {
    if (node.kind !== "element") continue;
    if (node.tag === HOST.sandbox && node.props["id"] === id) return node;
    const deeper = find(node.children, id);
    if (deeper) return deeper;
  }
  return undefined;
}
