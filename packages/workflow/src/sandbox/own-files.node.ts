/** What this machine would run later, and no sandbox of its writes: the files that the run is made of, which the next resume loads,
 *  and hooks. Version control's own folders come out of no sandbox at all (judge.node.ts, J1). */
import { dirname, resolve } from "node:path";
import { foldCase, realOf } from "@smooth/platform/node/real-path";
import type { WorkflowDefinition } from "@smooth/engine/workflow";

export function ownFileRefusal(
  path: string,
  { file, source }: Pick<WorkflowDefinition, "file" | "source">,
): string | null {
  if (path.split("/").some((name) => HOOKS.has(foldCase(name)))) return "version control runs what is in it";
  if (file === undefined) return null;
  const made = [file, ...Object.keys(source?.files ?? {}).map((name) => resolve(dirname(file), name))];
  const own = new Set(made.flatMap((one) => [foldCase(one), foldCase(realOf(one))]));
  return own.has(foldCase(path)) || own.has(foldCase(realOf(path))) ? "this run is made of it" : null;
}

const HOOKS = new Set([".husky", ".githooks"]);
