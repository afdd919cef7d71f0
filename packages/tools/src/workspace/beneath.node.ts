/** Finds a place below a root so that nothing swapped in on the way can lead out.
 *  B1. On Linux every component is opened relative to the one before it, without following links (`openat`, by way of
 *      /proc/self/fd); a link is read and walked the same way, and one that leads out of the root is refused.
 *  B2. A component that turns into a link between the look and the opening is refused by the opening.
 *  B3. Elsewhere the real path is compared before, and the final component opened without following: a folder that is swapped in
 *      that moment is not noticed. */
import { constants, existsSync } from "node:fs";
import { lstat, mkdir, open, readlink, realpath, type FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pathInRoot } from "./workspace.ts";

/** `path` names the place until it is disposed. */
export interface Spot extends AsyncDisposable {
  readonly path: string;
}

const MAX_LINKS = 40;
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const hasDescriptors = existsSync("/proc/self/fd");

/** null: outside. Rejects with the file system's own errors. `create`: missing folders on the way are made. */
export async function findBeneath(root: string, path: string, create = false): Promise<Spot | null> {
  const inner = pathInRoot(root, path);
  if (inner === null) return null;
  return hasDescriptors ? new Descent(root, create).find(steps(inner)) : compared(root, inner, create);
}

const steps = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");

class Descent {
  readonly #root: string;
  readonly #create: boolean;
  #folder: FileHandle | undefined;
  /** Where `#folder` is, below the root; free of links. */
  #at: string[] = [];
  #links = 0;

  constructor(root: string, create: boolean) {
    this.#root = root;
    this.#create = create;
  }

  async find(parts: readonly string[]): Promise<Spot | null> {
    const todo = [...parts];
    try {
      await this.#restart();
      let found: "go-on" | "outside" | Spot = "go-on";
      while (found === "go-on") found = await this.#step(todo);
      return found === "outside" ? await this.#leave() : found;
    } catch (error) {
      await this.#leave();
      throw error;
    }
  }

  /** B1. Takes one component off `todo`; a link puts its own in front. */
  async #step(todo: string[]): Promise<"go-on" | "outside" | Spot> {
    const part = todo.shift();
    if (part === undefined) return this.#spot(this.#in("."));
    if (part === "..") return (await this.#up()) ? "go-on" : "outside";
    const target = await linkTarget(this.#in(part));
    if (target !== null) {
      const rest = await this.#turn(target);
      todo.unshift(...(rest ?? []));
      return rest ? "go-on" : "outside";
    }
    if (todo.length === 0) return this.#spot(this.#in(part));
    await this.#down(part);
    return "go-on";
  }

  #in(part: string): string {
    return `/proc/self/fd/${this.#folder?.fd}/${part}`;
  }

  /** B2 */
  async #down(part: string): Promise<void> {
    if (this.#create)
      await mkdir(this.#in(part)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "EEXIST") throw error;
      });
    await this.#enter(await open(this.#in(part), FOLDER));
    this.#at.push(part);
  }

  /** From the root again: a folder's own `..` may have been moved. */
  async #up(): Promise<boolean> {
    const path = this.#at.slice(0, -1);
    if (this.#at.length === 0) return false;
    await this.#restart();
    for (const part of path) await this.#down(part);
    return true;
  }

  async #restart(): Promise<void> {
    await this.#enter(await open(this.#root, constants.O_RDONLY | constants.O_DIRECTORY));
    this.#at = [];
  }

  /** The steps a link asks for from here; null when it leads out. */
  async #turn(target: string): Promise<string[] | null> {
    if ((this.#links += 1) > MAX_LINKS) throw Object.assign(new Error("too many links"), { code: "ELOOP" });
    if (!target.startsWith("/")) return steps(target);
    const inner = pathInRoot(this.#root, target);
    if (inner === null) return null;
    await this.#restart();
    return steps(inner);
  }

  async #enter(folder: FileHandle): Promise<void> {
    const before = this.#folder;
    this.#folder = folder;
    await before?.close();
  }

  async #leave(): Promise<null> {
    await this.#folder?.close();
    this.#folder = undefined;
    return null;
  }

  #spot(path: string): Spot {
    return { path, [Symbol.asyncDispose]: async () => void (await this.#leave()) };
  }
}

async function linkTarget(path: string): Promise<string | null> {
  try {
    return await readlink(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EINVAL" || code === "ENOENT" || code === "ENOTDIR") return null; // no link; what it is, the opening will say
    throw error;
  }
}

/** B3 */
async function compared(root: string, inner: string, create: boolean): Promise<Spot | null> {
  const path = await followExisting(join(root, inner));
  if (pathInRoot(root, path) === null) return null;
  if (create) await mkdir(dirname(path), { recursive: true });
  return { path, [Symbol.asyncDispose]: async () => {} };
}

async function followExisting(path: string): Promise<string> {
  const found = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw error;
  });
  if (found !== null) return found;
  if ((await lstat(path).catch(() => null)) !== null)
    throw Object.assign(new Error("a link that leads nowhere"), { code: "ELOOP" });
  return join(await followExisting(dirname(path)), basename(path));
}
