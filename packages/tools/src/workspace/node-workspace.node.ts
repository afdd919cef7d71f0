import { constants, realpathSync } from "node:fs";
import { lstat, mkdir, open, readdir, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { killMarked, runCommand } from "./node-run.node.ts";
import { pathInRoot, type Access, type Command, type Exit, type Workspace } from "./workspace.ts";

/** The Workspace on a real folder. Containment is checked twice: on the words of the path, then on where the links lead (R1).
 *  Final components are opened without following links, so a link swapped in after the check is refused too. */

export interface NodeWorkspaceOptions {
  /** The whole environment of started processes. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Unique on this machine: marks every process started here, so that those who leave their group are found (R2). */
  readonly marker: string;
}

export function openNodeWorkspace(folder: string, options: NodeWorkspaceOptions): Workspace {
  const root = realpathSync(folder);
  return {
    root,
    read: (path, maxBytes) => within(root, path, (place) => readRegular(place, maxBytes)),
    write: (path, bytes) => within(root, path, (place) => writeRegular(place, bytes)),
    list: (path) => within(root, path, listFolder),
    run: (command) => runInside(root, command, options),
    [Symbol.asyncDispose]: () => killMarked(options.marker),
  };
}

async function within<T>(root: string, path: string, act: (place: string) => Promise<Access<T>>): Promise<Access<T>> {
  try {
    const place = await locate(root, path);
    return place === null ? refuse("outside", `${path} is outside the workspace ${root}`) : await act(place);
  } catch (error) {
    return explain(path, error);
  }
}

/** The real path, with links in existing parts followed; null when it is outside (R1). */
async function locate(root: string, path: string): Promise<string | null> {
  const inner = pathInRoot(root, path);
  if (inner === null) return null;
  const place = await followExisting(join(root, inner));
  return pathInRoot(root, place) === null ? null : place;
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

async function readRegular(place: string, maxBytes: number): Promise<Access<Uint8Array>> {
  await using file = await open(place, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const stat = await file.stat();
  if (!stat.isFile()) return refuse("not-a-file", `${place} is not a regular file`);
  if (stat.size > maxBytes) return refuse("too-large", `${place} has ${stat.size} bytes, the limit is ${maxBytes}`);
  return { kind: "ok", value: await file.readFile() };
}

async function writeRegular(place: string, bytes: Uint8Array): Promise<Access<null>> {
  const before = await lstat(place).catch(() => null);
  if (before && !before.isFile()) return refuse("not-a-file", `${place} is not a regular file`);
  await mkdir(dirname(place), { recursive: true });
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW;
  await using file = await open(place, flags, 0o644);
  await file.writeFile(bytes);
  return { kind: "ok", value: null };
}

async function listFolder(place: string): Promise<Access<readonly string[]>> {
  const entries = await readdir(place, { withFileTypes: true });
  return {
    kind: "ok",
    value: entries.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).toSorted(),
  };
}

async function runInside(root: string, command: Command, options: NodeWorkspaceOptions): Promise<Exit> {
  const cwd = await within(root, command.cwd ?? ".", async (value) => ({ kind: "ok" as const, value }));
  if (cwd.kind === "refused") return { kind: "not-started", message: cwd.message };
  return runCommand(command, { ...options, cwd: cwd.value });
}

const REASONS = { ENOENT: "missing", ENOTDIR: "not-a-folder", EISDIR: "not-a-file", ELOOP: "outside" } as const;

function explain<T>(path: string, error: unknown): Access<T> {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  const reason = code in REASONS ? REASONS[code as keyof typeof REASONS] : "failed";
  return refuse(reason, `${path}: ${reason === "failed" ? String(error) : WORDS[reason]}`);
}

const WORDS = {
  missing: "no such file or folder",
  "not-a-folder": "not a folder",
  "not-a-file": "not a regular file",
  outside: "a symbolic link that is not followed",
} as const;

function refuse(reason: Extract<Access<unknown>, { kind: "refused" }>["reason"], message: string): Access<never> {
  return { kind: "refused", reason, message };
}
