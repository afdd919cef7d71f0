import { access, constants, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Limits for a whole guest, where the machine lets us set them.
 *  A cgroup with processes cannot hand controllers on (v2), so a guest's group is made beside our own, in a folder that was
 *  delegated to us with memory and pids: a user's systemd slice, a service with `Delegate=yes`. */

export interface GuestGroup {
  /** Put before the command: joins the group, then becomes the command. */
  readonly prefix: readonly string[];
  remove(): Promise<void>;
}

/** The folder in which groups may be made, or null. */
export async function delegatedGroup(root = "/sys/fs/cgroup", self = "/proc/self/cgroup"): Promise<string | null> {
  const own = /^0::(\/.+)$/m.exec(await readFile(self, "utf8").catch(() => ""))?.[1];
  if (own === undefined) return null;
  const parent = join(root, dirname(own));
  const handedOn = await readFile(join(parent, "cgroup.subtree_control"), "utf8").catch(() => "");
  const may = await Promise.all([writable(parent), writable(join(parent, "cgroup.procs"))]);
  const controllers = handedOn.trim().split(" ");
  return ["memory", "pids"].every((name) => controllers.includes(name)) && may.every(Boolean) ? parent : null;
}

export async function makeGroup(parent: string, id: string, limits: Limits): Promise<GuestGroup> {
  const folder = join(parent, `smooth-${id}`);
  await mkdir(folder);
  await writeFile(join(folder, "memory.max"), String(limits.memoryBytes));
  await writeFile(join(folder, "memory.swap.max"), "0").catch(ignoreMissing); // A kernel without swap accounting.
  await writeFile(join(folder, "pids.max"), String(limits.processes));
  return {
    prefix: ["sh", "-c", 'echo $$ > "$0" && exec "$@"', join(folder, "cgroup.procs")],
    remove: () => rmdir(folder).catch(ignoreMissing),
  };
}

interface Limits {
  readonly memoryBytes: number;
  readonly processes: number;
}

function writable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== "ENOENT" && error.code !== "EACCES") throw error;
}
