/** What of a folder gets into a sandbox.
 *  F1. Nothing that its repository ignores, no dependencies, no version control, no secrets by name, nothing that the host lets nobody
 *      read.
 *  F2. What each file was is kept, so that a change made meanwhile is seen afterwards. */
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { unignoredFiles } from "@smooth/vcs/files";

/** Neither copied in nor taken out: dependencies, version control, this engine's own files, secrets. */
export const LEFT_OUT: readonly string[] = (
  "node_modules .git .jj .smithers smithers.db smithers.db-wal smithers.db-shm " +
  ".env .env.local .env.development .env.production .env.test .npmrc .netrc .ssh .aws"
).split(" ");
const left = new Set(LEFT_OUT);
/** In whatever case: some file systems do not tell them apart. */
export const isLeftOut = (path: string): boolean => path.split("/").some((name) => left.has(name.toLowerCase()));

/** Path → what tells that a file was touched since. */
export type HostStamp = ReadonlyMap<string, string>;

export async function stampsOf(root: string, mayRead: (path: string) => boolean): Promise<HostStamp> {
  const paths = (await unignoredFiles(root).catch(() => null)) ?? (await walk(root, ""));
  const open = paths.filter((path) => !isLeftOut(path) && mayRead(join(root, path))); // F1
  const stamps = await Promise.all(open.map(async (path) => [path, await stampOf(root, path)] as const));
  return new Map(stamps.filter((entry): entry is readonly [string, string] => entry[1] !== null));
}

/** Null: no file and no link. */
export async function stampOf(root: string, path: string): Promise<string | null> {
  const info = await lstatOrNull(join(root, path));
  return info?.isFile() || info?.isSymbolicLink() ? `${info.ino} ${info.size} ${info.mtimeMs}` : null; // F2
}

export const lstatOrNull = (path: string) =>
  lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });

async function walk(root: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { withFileTypes: true });
  const found = entries
    .filter(({ name }) => !isLeftOut(name))
    .map(async (entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? await walk(root, path) : [path];
    });
  return (await Promise.all(found)).flat();
}
