/** Pointers on Jujutsu: the commit id that the working copy has after jj looked at the files. jj keeps every one of them.
 *  J1. The change id names a change that moves on; the commit id names files. So the commit id is the pointer.
 *  J2. How long jj keeps what it saw is its person's affair (`jj operation abandon`, `jj util gc`), run by run nothing can be dropped. */
import { describeTree } from "./git.node.ts";
import { jj } from "./jj-process.node.ts";
import type { Pointers } from "./vcs.ts";

export const jjPointers: Pointers = {
  snapshot: (root) => jj(root, ["log", "--no-graph", "-r", "@", "-T", "commit_id"]),
  async restore(root, pointer) {
    await jj(root, ["restore", "--from", pointer]);
  },
  diff: async (root, from, to) => (await describeTree(await jj(root, ["git", "root"]), from, to)).files,
  async forget() {}, // J2
};
