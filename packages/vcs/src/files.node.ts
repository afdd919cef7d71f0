import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { runGit, type GitEnv } from "./git-process.node.ts";
import { jj } from "./jj-process.node.ts";

/** Which files of a folder are somebody's work: what its repository neither ignores nor is made of. */

/** Relative to `root`, those that are staged but gone included; null: not under version control. */
export async function unignoredFiles(root: string): Promise<readonly string[] | null> {
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--exclude=.jj"];
  const { code, stdout } = await runGit(root, list, { allow: [128], env: await inJj(root) });
  if (code === 128) return null;
  return [...new Set(stdout.toString("utf8").split("\0"))].filter((path) => path !== "");
}

/** Where only jj looks after the files, git is told whose they are: an outer repository of git's would answer with its own rules.
 *  Its index is none of jj's, so to git all of them are new. */
async function inJj(root: string): Promise<GitEnv> {
  const vcsRoot = vcsRootOf(root);
  if (vcsRoot === null || existsSync(join(vcsRoot, ".git"))) return {};
  const gitDir = await jj(vcsRoot, ["--ignore-working-copy", "git", "root"]);
  return { GIT_DIR: gitDir, GIT_WORK_TREE: vcsRoot, GIT_INDEX_FILE: join(gitDir, "none-of-jj") };
}

/** The nearest folder from here up that is under version control. */
export function vcsRootOf(folder: string): string | null {
  for (let at = resolve(folder); ; at = dirname(at)) {
    if (existsSync(join(at, ".jj")) || existsSync(join(at, ".git"))) return at;
    if (at === dirname(at)) return null;
  }
}
