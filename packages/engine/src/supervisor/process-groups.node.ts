/** Which processes this one has started that would outlive it: one small file per process group.
 *  O1. The file is there before anybody else could need it, and gone when the group has ended.
 *  O2. A group is killed only when its owner is dead and its leader is the process that was written down. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { z } from "zod";
import { bootId, isOwnerAlive, startedAt } from "../run/process-owner.node.ts";
import type { Owner } from "../store/port.ts";

const GroupFile = z.object({
  pgid: z.int().min(2),
  /** Of the group's leader. */
  startedAt: z.string(),
  /** Where it works. */
  folder: z.string(),
  owner: z.object({ host: z.string(), boot: z.string(), pid: z.int(), pidStartedAt: z.string() }),
});
export type ProcessGroup = z.infer<typeof GroupFile>;

export interface ProcessGroups {
  /** The group whose leader is `pid` works in `folder`. Returns what to call when it has ended. */
  started(pid: number, folder: string): () => void;
  /** Kills every group whose owner is dead, and returns what it killed. */
  reap(): readonly ProcessGroup[];
}

/** `dir` is shared by all processes of one person on this machine. */
export function processGroups(dir: string, owner: Owner): ProcessGroups {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  return {
    started(pid, folder) {
      const file = join(dir, `${pid}.json`);
      writeFileSync(file, JSON.stringify({ pgid: pid, startedAt: startedAt(pid), folder, owner }), { mode: 0o600 }); // O1
      return () => rmSync(file, { force: true });
    },
    reap: () => readdirSync(dir).flatMap((name) => reapOne(join(dir, name))),
  };
}

function reapOne(file: string): readonly ProcessGroup[] {
  const group = read(file);
  if (group && isOwnerAlive(group.owner)) return [];
  rmSync(file, { force: true });
  if (!group || !isTheSame(group)) return [];
  return killGroup(group.pgid) ? [group] : [];
}

function read(file: string): ProcessGroup | null {
  try {
    return GroupFile.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    return null; // half written by a process that died, or ended by its owner just now
  }
}

/** O2. A pid is not given out again while its group has members, so a group without its leader is still the one that was written down. */
function isTheSame({ pgid, startedAt: then, owner }: ProcessGroup): boolean {
  const now = startedAt(pgid);
  return owner.boot === bootId() && (now === "" || now === then);
}

function killGroup(pgid: number): boolean {
  try {
    return process.kill(-pgid, "SIGKILL");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ESRCH" || code === "EPERM") return false; // it has ended; or it is somebody else's by now
    throw error;
  }
}
