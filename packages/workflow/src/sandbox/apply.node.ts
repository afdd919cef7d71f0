/** Writes what a sandbox changed into the folder it was copied from.
 *  W1. Every path is looked at before the first is written. One that is neither as the sandbox saw it nor as it left it refuses all.
 *  W2. What is in place already is left alone: cut off and done again, nothing is written twice.
 *  W3. Each file is made beside its place and put there by a rename: a reader sees the one or the other.
 *  W4. No link on the way to a path is followed: not one that was there, not one of the bundle itself, not one that came meanwhile.
 *  W5. Who may read and write a file that was there stays as it was. */
import type { Stats } from "node:fs";
import { chmod, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BundleFile } from "@smooth/engine/sandboxes";
import { SmoothError } from "@smooth/protocol/errors";
import { sameVersion, versionOf } from "./collect.node.ts";
import { buriedPath, waysTo } from "./judge.node.ts";
import { lstatOrNull } from "./workspace.node.ts";

/** Throws MERGE_CONFLICT, SANDBOX_BUNDLE_INVALID. */
export async function applyFiles(root: string, files: readonly BundleFile[]): Promise<void> {
  const buried = buriedPath(files);
  if (buried !== null) throw buriedFault(buried); // W4
  const gone = new Set(files.filter(({ after }) => after === null).map(({ path }) => path));
  const due: BundleFile[] = [];
  for (const file of files) {
    const now = await currentOf(root, file, gone);
    if (sameVersion(now, file.after)) continue; // W2
    if (!sameVersion(now, file.before)) throw conflict(root, file.path); // W1
    due.push(file);
  }
  // Deleted first: a folder may come where a file was.
  for (const file of due.toSorted((a, b) => Number(a.after !== null) - Number(b.after !== null))) await put(root, file);
}

/** A file on the way that the bundle deletes is looked at under its own name. */
async function currentOf(root: string, { path, after }: BundleFile, gone: ReadonlySet<string>) {
  const inTheWay = await blockerOf(root, path);
  if (inTheWay !== null && gone.has(inTheWay)) return null;
  if (inTheWay !== null) throw conflict(root, inTheWay); // W4
  if ((await lstatOrNull(join(root, path)))?.isDirectory()) {
    if (after === null) return null;
    throw conflict(root, path);
  }
  return await versionOf(root, path);
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
  const beside = `${at}.smooth-part`;
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
