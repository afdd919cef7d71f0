import { constants, type Stats } from "node:fs";
import { lstat, mkdir, open, rm, symlink, unlink } from "node:fs/promises";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import type { GetReport, GetTree } from "../driver.ts";
import { linkStaysInside, matcher, namesOf } from "./paths.ts";
import { readTar, type TarEntry, TarFault } from "./tar-read.ts";
import { DEFAULT_TREE_BYTES } from "./tar-write.ts";

/** A stranger's tar becomes files below `to`, and nothing anywhere else.
 *  E1. Regular files, folders and links that stay inside (`linkStaysInside`). Hard links, devices, pipes: refused and reported.
 *  E2. Every folder on the way to an entry is a real folder: a link there, from this tar or from before, refuses the entry.
 *  E3. Links are made last, so no entry of this tar is written through one.
 *  E4. Modes are 0644 or 0755, the owner is ours; setuid and friends do not survive.
 *  E5. Bytes and entries are capped over the whole stream, what is passed over included. */

const DEFAULT_ENTRIES = 100_000;
const MAX_REFUSALS = 1_000;
/** Headers, name records and padding of one entry. */
const OVERHEAD_BYTES = 8 * 1024;

type Refused = { path: string; reason: string };

export async function extractTree(
  source: AsyncIterable<Buffer>,
  request: Omit<GetTree, "from" | "paths">,
): Promise<GetReport> {
  const { to, exclude = [], maxBytes = DEFAULT_TREE_BYTES, maxEntries = DEFAULT_ENTRIES } = request;
  const { refuse: unwanted = () => null } = request;
  const left = matcher(exclude);
  const refused: Refused[] = [];
  const links: { path: string; target: string }[] = [];
  const tally = { files: 0, bytes: 0, entries: 0 };
  const refuse = (entry: TarEntry, reason: string): void => {
    if (refused.length < MAX_REFUSALS) refused.push({ path: entry.path.slice(0, 300), reason });
  };
  const take = async (entry: TarEntry): Promise<void> => {
    const names = namesOf(entry.path);
    if ("refused" in names) return refuse(entry, names.refused);
    const path = names.join("/");
    if (path === "" || left(path)) return;
    const reason = unwanted(path);
    if (reason !== null) return refuse(entry, reason);
    if (entry.kind === "other") return refuse(entry, "not a file, folder or link");
    if (entry.kind === "link" && !linkStaysInside(path, entry.target)) return refuse(entry, "link leaves the tree");
    const blocker = await makeFolders(to, entry.kind === "folder" ? names : names.slice(0, -1));
    if (blocker !== null) return refuse(entry, blocker);
    if (entry.kind === "link") return void links.push({ path, target: entry.target });
    if (entry.kind === "folder") return;
    tally.files += 1;
    tally.bytes += entry.sizeBytes;
    if (tally.bytes > maxBytes)
      throw new SmoothError("PAYLOAD_TOO_LARGE", `the guest's tree holds more than ${maxBytes} bytes`); // E5
    await writeFile(join(to, path), entry);
  };
  await mkdir(to, { recursive: true });
  try {
    for await (const entry of readTar(capped(source, maxBytes + maxEntries * OVERHEAD_BYTES))) {
      tally.entries += 1;
      if (tally.entries > maxEntries)
        throw new SmoothError("PAYLOAD_TOO_LARGE", `the guest's tree holds more than ${maxEntries} entries`); // E5
      await take(entry);
    }
  } catch (error) {
    if (error instanceof TarFault)
      throw new SmoothError("SANDBOX_FAILED", `the guest sent a broken tar: ${error.message}`, { cause: error });
    throw error;
  }
  for (const link of links) {
    const problem = await makeLink(to, link);
    if (problem !== null) refused.push({ path: link.path, reason: problem });
  }
  return { files: tally.files, bytes: tally.bytes, refused };
}

async function* capped(source: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer> {
  let total = 0;
  for await (const chunk of source) {
    total += chunk.length;
    if (total > maxBytes)
      throw new SmoothError("PAYLOAD_TOO_LARGE", `the guest sent more than ${maxBytes} bytes of tar`);
    yield chunk;
  }
}

/** E2. Answers what is in the way, or null. */
async function makeFolders(root: string, names: readonly string[]): Promise<string | null> {
  let path = root;
  for (const name of names) {
    path = join(path, name);
    const info = await lookAt(path);
    if (info?.isDirectory()) continue;
    if (info?.isSymbolicLink()) return "a link is on the way";
    if (info) await unlink(path);
    await mkdir(path, { mode: 0o755 });
  }
  return null;
}

async function writeFile(path: string, entry: TarEntry): Promise<void> {
  await clear(path);
  const mode = entry.executable ? 0o755 : 0o644; // E4
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    for await (const chunk of entry.body()) await file.writeFile(chunk);
  } finally {
    await file.close();
  }
}

/** E3. By now every other entry is in place; the way to the link is judged again. */
async function makeLink(root: string, { path, target }: { path: string; target: string }): Promise<string | null> {
  const names = path.split("/");
  const blocker = await makeFolders(root, names.slice(0, -1));
  if (blocker !== null) return blocker;
  await clear(join(root, path));
  await symlink(target, join(root, path));
  return null;
}

/** What is in the way of a file or link is replaced: the guest's tree is the newer one. */
async function clear(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
}

async function lookAt(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** Removes what the guest deleted: only below `root`, never through a link. */
export async function removePaths(root: string, paths: readonly string[]): Promise<readonly Refused[]> {
  const refused: Refused[] = [];
  for (const path of paths) {
    const names = namesOf(path);
    const reason = "refused" in names ? names.refused : await wayIsReal(root, names);
    if (reason === null && !("refused" in names) && names.length > 0)
      await rm(join(root, ...names), { recursive: true, force: true });
    else if (reason !== null) refused.push({ path: path.slice(0, 300), reason });
  }
  return refused;
}

async function wayIsReal(root: string, names: readonly string[]): Promise<string | null> {
  let path = root;
  for (const name of names.slice(0, -1)) {
    path = join(path, name);
    if ((await lookAt(path))?.isSymbolicLink()) return "a link is on the way";
  }
  return null;
}
