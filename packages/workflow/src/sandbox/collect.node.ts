/** What came out of a sandbox, judged whole before anything of it is used.
 *  B1. At most 1,000 changed paths and 100 MB.
 *  B2. A path or link that judge.node.ts refuses, anything that is no file or link, what the host lets nobody write: the bundle is
 *      refused, and the path is named. Nothing is picked out of a bundle that has such a thing.
 *  B3. What the host's file was when the sandbox got it is kept with each change, so that an edit made meanwhile is never written over.
 *  B4. Only what was asked for is taken, and each path of it through real folders: what was judged is what is read. */
import { createHash } from "node:crypto";
import { mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BundleFile, FileVersion } from "@smooth/engine/sandboxes";
import { SmoothError } from "@smooth/protocol/errors";
import type { TreeStamp, Vm } from "@smooth/vm/driver";
import { buriedPath, linkRefusal, pathRefusal, type Refusal, twinPath, waysTo } from "./judge.node.ts";
import { patchOf, type PatchedFile } from "./patch.ts";
import { LEFT_OUT, lstatOrNull, stampOf, type HostStamp } from "./workspace.node.ts";

const MAX_BYTES = 100 * 1024 * 1024;
const MAX_PATCHES = 1_000;

export interface Collecting {
  readonly id: string;
  /** The folder of the host that the workspace was copied from. */
  readonly root: string;
  /** Of the sandbox's workspace, right after that. */
  readonly since: TreeStamp;
  /** Of `root`, right before that. */
  readonly seen: HostStamp;
  /** Why a path of the host may not be written; null: it may. */
  readonly refusal: Refusal;
}

/** Throws SANDBOX_BUNDLE_INVALID, SANDBOX_BUNDLE_TOO_LARGE, MERGE_CONFLICT. */
export async function collect(
  vm: Vm,
  { id, root, since, seen, refusal }: Collecting,
): Promise<{ readonly files: readonly BundleFile[]; readonly patch: string }> {
  const { changed, deleted } = await vm.changes(vm.workspace, { since, exclude: LEFT_OUT });
  const count = changed.length + deleted.length;
  if (count > MAX_PATCHES) throw tooLarge(id, `${count} changed paths, the limit is ${MAX_PATCHES}`); // B1
  for (const path of [...changed, ...deleted]) {
    const why = pathRefusal(path) ?? refusal(join(root, path));
    if (why !== null) throw invalid(id, `${path}: ${why}`); // B2
  }
  if (count === 0) return { files: [], patch: "" };
  const into = await mkdtemp(join(tmpdir(), "smooth-bundle-"));
  try {
    if (changed.length > 0) await fetchInto(vm, { id, paths: changed, into });
    const changes = [
      ...changed.map((path) => ({ path, from: into })),
      ...deleted.map((path) => ({ path, from: null })),
    ].toSorted((a, b) => (a.path < b.path ? -1 : 1));
    const read = await Promise.all(changes.map((change) => changeOf(change, { id, root, seen })));
    const real = read.filter(({ file }) => !sameVersion(file.before, file.after));
    judge(
      id,
      real.map(({ file }) => file),
      (path) => refusal(join(root, path)),
    );
    return { files: real.map(({ file }) => file), patch: patchOf(real.map(({ patched }) => patched)) };
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

/** B2 */
function judge(id: string, files: readonly BundleFile[], refusal: Refusal): void {
  const buried = buriedPath(files);
  if (buried !== null) throw invalid(id, `${buried}: a file or link of the same bundle is on the way`);
  const twin = twinPath(files);
  if (twin !== null) throw invalid(id, `${twin}: another file of the same bundle differs from it in letter case only`); // J4
  for (const { path, after } of files) {
    if (after?.kind !== "link") continue;
    const why = linkRefusal(path, Buffer.from(after.content, "base64").toString(), refusal);
    if (why !== null) throw invalid(id, `${path}: ${why}`);
  }
}

async function fetchInto(
  vm: Vm,
  { id, paths, into }: { readonly id: string; readonly paths: readonly string[]; readonly into: string },
): Promise<void> {
  const asked = new Set(paths.flatMap((path) => [path, ...waysTo(path)]));
  const refuse: Refusal = (path) => (asked.has(path) ? null : "nobody asked for it"); // B4
  const report = await vm
    .getTree({ from: vm.workspace, to: into, paths, exclude: LEFT_OUT, maxBytes: MAX_BYTES, refuse })
    .catch((error: unknown) => {
      if (error instanceof SmoothError && error.code === "PAYLOAD_TOO_LARGE") throw tooLarge(id, error.message);
      throw error;
    });
  const [bad] = report.refused;
  if (bad) throw invalid(id, `${bad.path}: ${bad.reason}`); // B2
  for (const way of new Set(paths.flatMap(waysTo)))
    if (!(await lstatOrNull(join(into, way)))?.isDirectory()) throw invalid(id, `${way}: it is no folder`); // B4
  for (const path of paths)
    if ((await versionOf(into, path)) === null) throw invalid(id, `${path}: it did not come out of the sandbox`);
}

interface Change {
  readonly file: BundleFile;
  readonly patched: PatchedFile;
}

async function changeOf(
  { path, from }: { readonly path: string; readonly from: string | null },
  { id, root, seen }: Pick<Collecting, "id" | "root" | "seen">,
): Promise<Change> {
  const before = await versionOf(root, path);
  if ((await stampOf(root, path)) !== (seen.get(path) ?? null))
    throw new SmoothError(
      "MERGE_CONFLICT",
      `${path} was changed in ${root} while sandbox ${id} ran, and the sandbox changed it too`,
      {
        details: { path, failureRetryable: false },
      },
    ); // B3
  const after = from === null ? null : await versionOf(from, path);
  return {
    file: {
      path,
      before: before && plain(before),
      after: after && { ...plain(after), content: after.bytes.toString("base64") },
    },
    patched: { path, before, after },
  };
}

interface Version extends FileVersion {
  readonly bytes: Buffer;
}

const plain = ({ kind, hash, executable }: Version): FileVersion => ({ kind, hash, executable });

export const sameVersion = (a: FileVersion | null, b: FileVersion | null): boolean =>
  a?.kind === b?.kind && a?.hash === b?.hash && a?.executable === b?.executable;

/** What is at a path; null: no file and no link. */
export async function versionOf(root: string, path: string): Promise<Version | null> {
  const at = join(root, path);
  const info = await lstatOrNull(at);
  if (info?.isSymbolicLink()) return version("link", Buffer.from(await readlink(at)), false);
  if (info?.isFile()) return version("file", await readFile(at), (info.mode & 0o111) !== 0);
  return null;
}

const version = (kind: FileVersion["kind"], bytes: Buffer, executable: boolean): Version => ({
  kind,
  bytes,
  executable,
  hash: createHash("sha256").update(bytes).digest("hex"),
});

const invalid = (id: string, what: string): SmoothError =>
  new SmoothError("SANDBOX_BUNDLE_INVALID", `the bundle of sandbox ${id} is refused: ${what}`, {
    details: { failureRetryable: false },
  });
const tooLarge = (id: string, what: string): SmoothError =>
  new SmoothError("SANDBOX_BUNDLE_TOO_LARGE", `the bundle of sandbox ${id} is too large: ${what}`, {
    details: { failureRetryable: false },
  });
