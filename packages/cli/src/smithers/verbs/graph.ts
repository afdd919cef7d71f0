import { resolve } from "node:path";
import type { GraphNode, GraphOf } from "../../daemon.ts";
import { clean, say, show, table, type JsonFlag } from "../../output.ts";
import { parseObject } from "./arguments.ts";

/** A workflow as it would begin; no host is asked and nothing runs. */
export const graphWith =
  (graphOf: GraphOf) =>
  async ([file = ""]: readonly string[], { input, ...flags }: JsonFlag & { input: string }): Promise<void> => {
    const graph = await graphOf(resolve(file), parseObject(input, "--input"));
    for (const warning of graph.warnings) say(clean(warning));
    show(graph, flags, ({ tree, tasks }) => [
      ...(tree === null ? [] : treeLines(tree, "")),
      "",
      ...table([
        ["task", "kind", "output", "after"],
        ...tasks.map(({ nodeId, type, output, dependsOn }) => [nodeId, type, output ?? "", dependsOn.join(", ")]),
      ]).map(clean),
    ]);
  };

function treeLines({ tag, props, children }: GraphNode, indent: string): string[] {
  const name = props["id"] ?? props["name"];
  return [
    clean(`${indent}${tag}${name === undefined ? "" : ` ${name}`}`),
    ...children.flatMap((child) => treeLines(child, `${indent}  `)),
  ];
}
