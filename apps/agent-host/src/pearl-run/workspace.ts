import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Checkpoint, FileChange, Groove, NewCheckpoint } from "@smooth/cast/groove";
import { treeDifference } from "@smooth/cast/groove/tree";
import type { TreeChange } from "@smooth/vcs/vcs";
import { type TreeStamp, type Vm, WORKSPACE } from "@smooth/vm/driver";

/** The operator's copy of the repository: kept by Groove, put into a VM, read back after each call.
 *  F1. The first checkpoint of a run holds the whole tree it started from; the diff is always against that.
 *  F2. Files come out of a VM only through the driver's hostile-tree reader, into a folder that is thrown away.
 *  F3. A link is read as a link, never through: a repository that links to a home folder does not bring it along. */

/** Built and installed things are neither work nor worth keeping. */
export const LEFT_OUT = ["node_modules", ".git", "__pycache__", ".venv", "target"];

export class Workspace {
  readonly #groove: Groove;
  readonly #runId: string;
  #stamp: TreeStamp | null = null;

  constructor(groove: Groove, runId: string) {
    this.#groove = groove;
    this.#runId = runId;
  }

  latest(): Checkpoint | null {
    return this.#groove.latest(this.#runId);
  }

  /** F1 */
  async begin(exportTo: (dir: string) => Promise<void>): Promise<void> {
    if (this.latest()) return;
    await inFolder(async (dir) => {
      await exportTo(dir);
      const changed = await readTree(dir);
      await this.#save({
        afterCallId: null,
        iteration: 0,
        conversation: [],
        changed,
        deleted: [],
        usage: NOTHING_USED,
      });
    });
  }

  /** Makes the VM's workspace what the checkpoint says. */
  async putInto(vm: Vm, seq = this.latest()?.seq ?? 0): Promise<void> {
    await inFolder(async (dir) => {
      for (const entry of this.#groove.tree(this.#runId, seq)) {
        const path = join(dir, entry.path);
        await mkdir(dirname(path), { recursive: true });
        if (entry.kind === "link") await symlink(entry.target, path);
        else await writeEntry(path, await this.#groove.bytes(entry.sha256), entry.mode);
      }
      await vm.putTree({ from: dir, to: WORKSPACE });
    });
    this.#stamp = (await vm.changes(WORKSPACE, { exclude: LEFT_OUT })).stamp;
  }

  /** One checkpoint: what changed in the VM since the last one, and the conversation that led there. */
  async keep(vm: Vm, checkpoint: Omit<NewCheckpoint, "runId" | "changed" | "deleted">): Promise<Checkpoint> {
    const since = this.#stamp === null ? {} : { since: this.#stamp };
    const { changed: paths, deleted, stamp } = await vm.changes(WORKSPACE, { exclude: LEFT_OUT, ...since });
    const changed = paths.length === 0 ? [] : await inFolder((dir) => fetchFiles(vm, paths, dir)); // F2
    const saved = await this.#save({ ...checkpoint, changed, deleted });
    this.#stamp = stamp;
    return saved;
  }

  /** What the run changed, from its first checkpoint to `seq`. */
  async changesUntil(seq: number): Promise<TreeChange[]> {
    const { changed, deleted } = treeDifference(this.#groove.tree(this.#runId, 1), this.#groove.tree(this.#runId, seq));
    const writes = changed.map(async (entry): Promise<TreeChange> => {
      const { path } = entry;
      if (entry.kind === "link")
        return { kind: "write", path, mode: "120000", bytes: new TextEncoder().encode(entry.target) };
      return {
        kind: "write",
        path,
        mode: entry.mode & 0o100 ? "100755" : "100644",
        bytes: await this.#groove.bytes(entry.sha256),
      };
    });
    return [...(await Promise.all(writes)), ...deleted.map((path): TreeChange => ({ kind: "delete", path }))];
  }

  #save(checkpoint: Omit<NewCheckpoint, "runId">): Promise<Checkpoint> {
    return this.#groove.save({ runId: this.#runId, ...checkpoint });
  }
}

export const NOTHING_USED: NewCheckpoint["usage"] = { inputTokens: 0, outputTokens: 0, costUsd: null };

async function fetchFiles(vm: Vm, paths: readonly string[], dir: string): Promise<FileChange[]> {
  await vm.getTree({ from: WORKSPACE, to: dir, paths });
  return readTree(dir);
}

async function readTree(root: string): Promise<FileChange[]> {
  // With file types: without them readdir walks into linked folders, wherever they lead (F3).
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const names = entries.map(({ parentPath, name }) => relative(root, join(parentPath, name)));
  const found = await Promise.all(names.toSorted().map((path) => readEntry(root, path)));
  return found.filter((entry) => entry !== null);
}

async function readEntry(root: string, path: string): Promise<FileChange | null> {
  const at = join(root, path);
  const info = await lstat(at);
  if (info.isSymbolicLink()) return { kind: "link", path, target: await readlink(at) };
  return info.isFile() ? { kind: "file", path, mode: info.mode & 0o777, bytes: await readFile(at) } : null;
}

async function writeEntry(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  await writeFile(path, bytes);
  await chmod(path, mode);
}

async function inFolder<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "smooth-work-"));
  try {
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
