import { lstat, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";

/** One folder per running VM: its sockets or files, and a note about who owns it.
 *  D1. A folder whose owner is no longer running is a crash's leftover; its guest is killed and the folder removed. A process
 *      is recognised by id and start time, so a reused id is never taken for the old one.
 *  D2. The root is a folder that only this user can write: anybody else who could would choose what is killed, and what runs. */

const Note = z.object({ owner: z.string(), guest: z.string().nullable() });
const NOTE = "owner.json";
/** Room for `/agent.sock` and friends under the 107 bytes a Unix socket path may have. */
const MAX_FOLDER_BYTES = 107 - "/goalie.sock".length;

export async function makeRunFolder(root: string, id: string): Promise<string> {
  const folder = join(root, id);
  if (Buffer.byteLength(folder) > MAX_FOLDER_BYTES)
    throw new SmoothError(
      "CONFIG_INVALID",
      `run folder ${folder} is too long for Unix sockets; choose a shorter runDir`,
    );
  await mkdir(root, { recursive: true, mode: 0o700 });
  await mustBeOwn(root); // D2
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await noteOwner(folder, null);
  return folder;
}

async function mustBeOwn(root: string): Promise<void> {
  const found = await lstat(root);
  const isOwn = found.uid === (process.getuid?.() ?? found.uid) && (found.mode & 0o022) === 0;
  if (found.isDirectory() && isOwn) return;
  throw new SmoothError(
    "CONFIG_INVALID",
    `run folder ${root} is not a folder that only this user can write; remove it, or set TMPDIR to another place`,
  );
}

export async function noteOwner(folder: string, guestPid: number | null): Promise<void> {
  const guest = guestPid === null ? null : await identityOf(guestPid);
  await writeFile(join(folder, NOTE), JSON.stringify({ owner: await identityOf(process.pid), guest }));
}

export async function reapRunFolders(root: string): Promise<number> {
  const folders = await readdir(root).catch(() => []);
  if (folders.length > 0) await mustBeOwn(root); // D2
  let reaped = 0;
  for (const name of folders) {
    const folder = join(root, name);
    const note = await readNote(folder);
    if (note === null || (await isAlive(note.owner))) continue;
    if (note.guest !== null && (await isAlive(note.guest))) process.kill(Number(note.guest.split("@")[0]), "SIGKILL");
    await rm(folder, { recursive: true, force: true });
    reaped += 1;
  }
  return reaped;
}

async function readNote(folder: string): Promise<z.infer<typeof Note> | null> {
  const text = await readFile(join(folder, NOTE), "utf8").catch(() => null);
  try {
    return text === null ? null : Note.parse(JSON.parse(text));
  } catch {
    return null; // Half written: its owner is just starting, or it is not ours.
  }
}

async function isAlive(identity: string): Promise<boolean> {
  return (await identityOf(Number(identity.split("@")[0]))) === identity;
}

/** `pid@start`, or `pid@` for a process that is not there. Field 22 of stat, counted after the name in brackets. */
async function identityOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
  return start === "" ? `${pid}@gone` : `${pid}@${start}`;
}

export async function rssBytes(rootPid: number): Promise<number> {
  let total = 0;
  for (const pid of [rootPid, ...(await descendants(rootPid))]) {
    const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    total += Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) * 1024;
  }
  return total;
}

async function descendants(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  const own = children.split(" ").filter(Boolean).map(Number);
  return [...own, ...(await Promise.all(own.map(descendants))).flat()];
}
