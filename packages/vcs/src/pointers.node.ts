/** Pointers by whatever looks after the folder: jj where it does, git otherwise. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gitPointers } from "./git-pointers.node.ts";
import { jjPointers } from "./jj-pointers.node.ts";
import type { Pointers } from "./vcs.ts";

const of = (root: string): Pointers => (existsSync(join(root, ".jj")) ? jjPointers : gitPointers);

export const pointers: Pointers = {
  snapshot: (root, runId) => of(root).snapshot(root, runId),
  restore: (root, pointer) => of(root).restore(root, pointer),
  diff: (root, from, to) => of(root).diff(root, from, to),
  forget: (root, runId) => of(root).forget(root, runId),
};
