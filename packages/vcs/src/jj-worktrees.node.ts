/** Worktrees on Jujutsu 0.42: workspaces. Whose one is stands in a note of ours in `.jj/repo`, by the workspace's name; one that a
 *  person renamed has none.
 *  J2. The note comes before the workspace and goes after it: whatever a crash leaves is still somebody's, and pruned with their run.
 *  J3. A branch is a bookmark at the workspace's own change, so that what is written there is on it; an existing one moves forward onto it.
 *  J4. Only a folder that is a workspace of this repository is removed: another one in its place is left alone (T3). */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import { jj } from "./jj-process.node.ts";
import type { Worktree } from "./vcs.ts";
import type { KnownWorktree, WorktreeSteps } from "./worktree-steps.ts";

export function jjWorktreeSteps(repo: string): WorktreeSteps {
  const home = async (): Promise<string> => join(await storeOf(repo), "smooth/worktrees");
  const remove = async ({ path }: Pick<KnownWorktree, "path">): Promise<void> => {
    if (await isWorkspace(repo, path)) await rm(path, { recursive: true, force: true }); // J4
    await jj(repo, ["workspace", "forget", nameOf(path)]);
    await rm(join(await home(), `${nameOf(path)}.json`), { force: true }); // J2
  };
  return {
    home,
    list: async () => list(repo, await home()),
    async add(worktree, runId) {
      const { path, branch } = worktree;
      const from = await startOf(repo, worktree); // jj itself would make the workspace before it misses the revision
      await note(await home(), { path, runId }); // J2
      await mkdir(dirname(path), { recursive: true });
      try {
        await jj(repo, ["workspace", "add", "--name", nameOf(path), ...(from === null ? [] : ["-r", from]), path]);
        // J3. Asked in `repo`: where git looks at it too, jj tells git of it.
        if (branch !== null) await jj(repo, ["bookmark", "set", JSON.stringify(branch), "-r", `${nameOf(path)}@`]);
      } catch (error) {
        await remove(worktree);
        throw error;
      }
    },
    assign: async ({ path }, runId) => note(await home(), { path, runId }),
    remove,
  };
}

/** As a person sees it in `jj log`. */
function nameOf(path: string): string {
  const word = basename(path).replaceAll(/[^A-Za-z0-9]+/g, "-");
  return `smooth-${word}-${createHash("sha256").update(path).digest("hex").slice(0, 8)}`;
}

/** What a repository and all of its workspaces share. */
async function storeOf(root: string): Promise<string> {
  const at = join(root, ".jj/repo");
  const place = (await stat(at)).isDirectory() ? at : resolve(root, ".jj", await readFile(at, "utf8"));
  return await realpath(place);
}

async function isWorkspace(repo: string, path: string): Promise<boolean> {
  const [ours, its] = await Promise.all([storeOf(repo), storeOf(path).catch(() => null)]);
  return ours === its;
}

type Note = { readonly path: string; readonly runId: string };

async function note(home: string, note: Note): Promise<void> {
  const part = join(home, `${nameOf(note.path)}.part`);
  await writeFile(part, JSON.stringify(note));
  await rename(part, join(home, `${nameOf(note.path)}.json`));
}

async function list(repo: string, home: string): Promise<readonly KnownWorktree[]> {
  const notes = new Map<string, Note>();
  for (const file of await readdir(home).catch(() => []))
    if (file.endsWith(".json"))
      notes.set(file.slice(0, -".json".length), JSON.parse(await readFile(join(home, file), "utf8")) as Note);
  const template = String.raw`json(name) ++ "\t" ++ json(root) ++ "\n"`;
  const lines = (await jj(repo, ["--ignore-working-copy", "workspace", "list", "-T", template])).split("\n");
  return lines.flatMap((line): readonly KnownWorktree[] => {
    const [name = "", root = ""] = line.split("\t");
    const ours = notes.get(JSON.parse(name) as string);
    if (ours) return [ours];
    return root.startsWith('"') ? [{ path: JSON.parse(root) as string, runId: null }] : []; // else its folder is gone
  });
}

/** Null: where the last commit is. */
async function startOf(repo: string, { path, branch, baseBranch }: Worktree): Promise<string | null> {
  const there = branch === null ? [] : await commitsOf(repo, `bookmarks(exact:${JSON.stringify(branch)})`);
  const named = there.length > 0 ? there : await commitsOf(repo, `present(${JSON.stringify(baseBranch)})`);
  const found = named.length > 0 ? named : await commitsOf(repo, baseBranch).catch(noSuchRevision);
  if (found.length <= 1) return found[0] ?? null;
  throw new SmoothError("VCS_FAILED", `worktree ${path} would start from several revisions, and starts from one`, {
    details: { path, branch, baseBranch, failureRetryable: false },
  });
}

const commitsOf = async (repo: string, revset: string): Promise<readonly string[]> =>
  (await jj(repo, ["log", "--no-graph", "-r", revset, "-T", String.raw`commit_id ++ "\n"`]))
    .split("\n")
    .filter((line) => line !== "");

function noSuchRevision(error: unknown): readonly string[] {
  if (error instanceof SmoothError) return [];
  throw error;
}
