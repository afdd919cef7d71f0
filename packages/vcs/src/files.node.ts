import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { runGit } from "./git-process.node.ts";

/** Which files of a folder are somebody's work: what its repository neither ignores nor is made of. */

/** Relative to `root`, those that are staged but gone included; null: not under version control. */
export async function unignoredFiles(root: string): Promise<readonly string[] | null> {
  const { code, stdout } = await runGit(root, ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    allow: [128],
  });
  if (code === 128) return null;
  return [...new Set(stdout.toString("utf8").split("\0"))].filter((path) => path !== "");
}

/** The nearest folder from here up that is under version control. */
export function vcsRootOf(folder: string): string | null {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, ".jj")) || existsSync(join(at, ".git"))) return at;
    if (at === dirname(at)) return null;
  }
}
