/** Pointers on git: a commit object of everything that is not ignored, made through a throw-away git folder beside the real one.
 *  P1. The person's index, HEAD, branches and stash are not moved; only files move, and only in `restore`.
 *  P2. The same files on the same HEAD have the same pointer: author and date are fixed.
 *  P3. Neither configuration nor attributes of the repository are honoured: no filter program runs, bytes come back exactly.
 *  P4. git's gc leaves a pointer alone for each run that asked for it, until that run is forgotten.
 *  P5. The copy of the index is as old as the index: git looks into files that were written in the same second or later, and
 *      trusts what it knows of the others. */
import { hash } from "node:crypto";
import { copyFile, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { SmoothError } from "@smooth/protocol/errors";
import { describeTree } from "./git.node.ts";
import { runGit, type GitEnv } from "./git-process.node.ts";
import type { Pointers } from "./vcs.ts";

export const gitPointers: Pointers = {
  async snapshot(root, runId) {
    if (!(await isRepo(root))) return null;
    const pointer = await inShadow(root, (shadow) => snapshotInto(root, shadow));
    await runGit(root, ["update-ref", `${heldFor(runId)}/${pointer}`, pointer]); // P4
    return pointer;
  },

  restore: (root, pointer) =>
    inShadow(root, async (shadow) => {
      const commit = await text(root, ["rev-parse", "--verify", `${pointer}^{commit}`]);
      const present = await snapshotInto(root, shadow);
      await runGit(root, ["read-tree", "-m", "-u", present, commit], { env: shadow });
    }),

  diff: async (root, from, to) => (await describeTree(root, from, to)).files,

  async forget(root, runId) {
    const list = await text(root, ["for-each-ref", "--format=delete %(refname)", `${heldFor(runId)}/`]);
    if (list !== "") await runGit(root, ["update-ref", "--stdin"], { stdin: `${list}\n` }); // P4
  },
};

/** What a run is called may be no name of a ref. */
const heldFor = (runId: string): string => `refs/smooth/pointers/${hash("sha256", runId).slice(0, 20)}`;

/** P3. A git folder with the repository's objects, index and ignore rules, and nothing else of it. */
async function inShadow<T>(root: string, use: (env: GitEnv) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "smooth-git-"));
  try {
    await Promise.all(["info", "refs", "objects"].map((name) => mkdir(join(dir, name))));
    await writeFile(join(dir, "HEAD"), "ref: refs/heads/none\n");
    await writeFile(join(dir, "info/attributes"), "* -text -eol -filter -ident -working-tree-encoding\n");
    await writeFile(join(dir, "info/exclude"), await ignoreRules(root));
    await copyIndex(await gitPath(root, "index"), join(dir, "index"));
    return await use({
      GIT_DIR: dir,
      GIT_WORK_TREE: await text(root, ["rev-parse", "--show-toplevel"]),
      GIT_OBJECT_DIRECTORY: await gitPath(root, "objects"),
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** P5. Without a commit there is no index. */
async function copyIndex(from: string, to: string): Promise<void> {
  try {
    const { mtimeMs } = await stat(from);
    await copyFile(from, to);
    const wholeSecond = Math.floor(mtimeMs / 1000);
    await utimes(to, wholeSecond, wholeSecond);
  } catch (error) {
    ignoreMissing(error);
  }
}

/** The repository's own rules, and those the person has for all repositories. */
async function ignoreRules(root: string): Promise<string> {
  const { stdout } = await runGit(root, ["config", "--type=path", "--get", "core.excludesFile"], { allow: [1] });
  const configHome = process.env["XDG_CONFIG_HOME"] ?? join(homedir(), ".config");
  const files = [stdout.toString().trim() || join(configHome, "git/ignore"), await gitPath(root, "info/exclude")];
  return (await Promise.all(files.map((file) => readFile(file, "utf8").catch(ignoreMissing)))).join("\n");
}

const gitPath = (root: string, name: string): Promise<string> =>
  text(root, ["rev-parse", "--path-format=absolute", "--git-path", name]);

function ignoreMissing(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
  throw error;
}

/** P2 */
const NOBODY: GitEnv = Object.fromEntries(
  Object.entries({ NAME: "smooth", EMAIL: "smooth@localhost", DATE: "946684800 +0000" }).flatMap(([key, value]) => [
    [`GIT_AUTHOR_${key}`, value],
    [`GIT_COMMITTER_${key}`, value],
  ]),
);

/** Afterwards the shadow's index is the working folder. */
async function snapshotInto(root: string, shadow: GitEnv): Promise<string> {
  await runGit(root, ["add", "--all", "--", ":/"], { env: shadow });
  const tree = await text(root, ["write-tree"], shadow);
  const head = await runGit(root, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], { allow: [1, 128] });
  const parents = head.code === 0 ? ["-p", head.stdout.toString().trim()] : [];
  return await text(root, ["commit-tree", tree, ...parents, "-m", "smooth: files of a run"], NOBODY);
}

async function isRepo(root: string): Promise<boolean> {
  try {
    const inside = await runGit(root, ["rev-parse", "--is-inside-work-tree"], { allow: [128] });
    return inside.stdout.toString().trim() === "true";
  } catch (error) {
    if (error instanceof SmoothError) return false; // no git on this machine
    throw error;
  }
}

const text = async (root: string, args: readonly string[], env: GitEnv = {}): Promise<string> =>
  (await runGit(root, args, { env })).stdout.toString().trim();
