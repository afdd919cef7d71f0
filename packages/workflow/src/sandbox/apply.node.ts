/** Writes what a sandbox changed into the folder it was copied from.
 *  W1. Every path is looked at before the first is written. One that is neither as the sandbox saw it nor as it left it refuses all.
 *  W2. What is in place already is left alone: cut off and done again, nothing is written twice.
 *  W3. Each file is made beside its place and put there by a rename: a reader sees the one or the other.
 *  W4. No link on the way to a path is followed: not one that was there, not one of the bundle itself, not one that came meanwhile.
 *  W5. Who may read and write a file that was there stays as it was.
 *  W6. A folder gives way to a file only when the bundle deletes all that is in it, what no sandbox saw included. */
import { hash } from "node:crypto";
import type { Stats } from "node:fs";
import { chmod, mkdir, readdir, rename, rm, rmdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BundleFile } from "@smooth/engine/sandboxes";
import { SmoothError } from "@smooth/protocol/errors";
import { sameVersion, versionOf } from "./collect.node.ts";
import { buriedPath, PART, waysTo } from "./judge.node.ts";
import { lstatOrNull } from "./workspace.node.ts";

/** Throws MERGE_CONFLICT, SANDBOX_BUNDLE_INVALID. */
export async function applyFiles(root: string, files: readonly BundleFile[]): Promise<void> {
  const buried = buriedPath(files);
  if (buried !== null) throw buriedFault(buried); // W4
  const bundle = new Map(files.map((file) => [file.path, file.after]));
  const due: BundleFile[] = [];
  for (const file of files) {
    const now = await currentOf(root, file, bundle);
    if (sameVersion(now, file.after)) continue; // W2
    if (!sameVersion(now, file.before)) throw conflict(root, file.path); // W1
    due.push(file);
  }
  // Deleted first: a folder may come where a file was.
  for (const file of due.toSorted((a, b) => Number(a.after !== null) - Number(b.after !== null))) await put(root, file);
}

/** What is on the way to it, or below it, and of the same bundle is looked at under its own name: a file that became a folder, and a
 *  folder that became a file, before and after it is written. */
async function currentOf(root: string, { path, after }: BundleFile, bundle: ReadonlyMap<string, unknown>) {
  const inTheWay = await blockerOf(root, path);
  if (inTheWay !== null && bundle.has(inTheWay)) return null;
  if (inTheWay !== null) throw conflict(root, inTheWay); // W4
  if ((await lstatOrNull(join(root, path)))?.isDirectory()) {
    const stays = after === null ? undefined : (await filesBelow(root, path)).find((one) => bundle.get(one) !== null);
    if (stays === undefined) return null;
    throw conflict(root, stays); // W6
  }
  return await versionOf(root, path);
}

/** Everything that is no folder. */
async function filesBelow(root: string, folder: string): Promise<readonly string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const found = entries.map(async (entry): Promise<readonly string[]> => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? await filesBelow(root, path) : [path];
  });
  return (await Promise.all(found)).flat();
}

/** W6. A folder that is not empty by now stays, and so does what is in it. */
async function clearFolder(root: string, folder: string): Promise<void> {
  for (const name of await readdir(join(root, folder))) {
    const path = `${folder}/${name}`;
    if (!(await lstatOrNull(join(root, path)))?.isDirectory()) throw conflict(root, path);
    await clearFolder(root, path);
  }
  await rmdir(join(root, folder));
}

/** What is no folder on the way to a path. */
async function blockerOf(root: string, path: string): Promise<string | null> {
  for (const way of waysTo(path)) {
    const info = await lstatOrNull(join(root, way));
    if (info && !info.isDirectory()) return way;
  }
  return null;
}

async function put(root: string, { path, after }: BundleFile): Promise<void> {
  const at = join(root, path);
  const inTheWay = await blockerOf(root, path); // again: the first look was before anything was written
  if (inTheWay !== null) throw conflict(root, inTheWay);
  if (!after) return await rm(at, { force: true });
  await mkdir(dirname(at), { recursive: true });
  const content = Buffer.from(after.content, "base64");
  if ((await lstatOrNull(at))?.isDirectory()) await clearFolder(root, path);
  const beside = join(dirname(at), `${PART}${hash("sha256", path).slice(0, 16)}`); // as short as any name may be
  await rm(beside, { force: true });
  if (after.kind === "link") await symlink(content.toString(), beside);
  else {
    await writeFile(beside, content, { flag: "wx", flush: true, mode: 0o600 });
    await chmod(beside, modeFor(await lstatOrNull(at), after.executable)); // W5
  }
  await rename(beside, at); // W3
}

/** Whoever may read it may run it. */
function modeFor(was: Stats | null, executable: boolean): number {
  const mode = was?.isFile() ? was.mode & 0o777 : 0o644;
  return executable ? mode | ((mode & 0o444) >> 2) : mode & ~0o111;
}

const buriedFault = (path: string): SmoothError =>
  new SmoothError(
    "SANDBOX_BUNDLE_INVALID",
    `${path}: a file or link of the same bundle is on the way; nothing was written`,
    {
      details: { path, failureRetryable: false },
    },
  );
const conflict = (root: string, path: string): SmoothError =>
  new SmoothError(
    "MERGE_CONFLICT",
    `${path} in ${root} is no longer as the sandbox was given it; nothing was written. Put it back, or retry the step on what is there now`,
    { details: { path, failureRetryable: false } },
  );
