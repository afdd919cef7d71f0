/** What this machine would run later, and no sandbox of its writes: the files that the run is made of, which the next resume loads,
 *  and hooks. Version control's own folders come out of no sandbox at all (judge.node.ts, J1). */
import { realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { WorkflowDefinition } from "@smooth/engine/workflow";

export function ownFileRefusal(
  path: string,
  { file, source }: Pick<WorkflowDefinition, "file" | "source">,
): string | null {
  if (path.split("/").some((name) => HOOKS.has(fold(name)))) return "version control runs what is in it";
  if (file === undefined) return null;
  const made = [file, ...Object.keys(source?.files ?? {}).map((name) => resolve(dirname(file), name))];
  const own = new Set(made.flatMap((one) => [fold(one), fold(realOf(one))]));
  return own.has(fold(path)) || own.has(fold(realOf(path))) ? "this run is made of it" : null;
}

const HOOKS = new Set([".husky", ".githooks"]);

/** Protection ignores letter case, as some file systems do. */
const fold = (path: string): string => path.toLowerCase();

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
