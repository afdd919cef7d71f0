import type { Graph, GraphNode, GraphOf } from "@smooth/cli/daemon";
import { renderFrame, type XmlNode } from "@smooth/engine/render-frame";
import { loadWorkflow } from "@smooth/workflow/load-workflow";

/** A workflow's first frame, for people: nothing is executed and nothing written. */
export const graphOf: GraphOf = async (file, input): Promise<Graph> => {
  const { xml, tasks, warnings } = renderFrame(await loadWorkflow(file), { input: input as never });
  return {
    tree: xml === null ? null : (nodesOf(xml)[0] ?? null),
    tasks: tasks.map(({ nodeId, type, label, outputTableName, dependsOn, needsApproval }) => ({
      nodeId,
      type,
      label,
      dependsOn,
      needsApproval,
      output: outputTableName,
    })),
    warnings,
  };
};

/** Texts are prompts; they are no part of the tree. */
const nodesOf = (node: XmlNode): GraphNode[] =>
  node.kind === "text" ? [] : [{ tag: node.tag, props: node.props, children: node.children.flatMap(nodesOf) }];
