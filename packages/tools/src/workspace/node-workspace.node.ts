import { constants, realpathSync } from "node:fs";
import { lstat, open, readdir, realpath } from "node:fs/promises";
import { findBeneath } from "./beneath.node.ts";
import { networkWall } from "./network-wall.node.ts";
import { killMarked, runCommand } from "./node-run.node.ts";
import type { Access, Command, Exit, Workspace } from "./workspace.ts";

/** The Workspace on a real folder. Places are found as `beneath` says (R1); final components are opened without following links. */

export interface NodeWorkspaceOptions {
  /** The whole environment of started processes. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Unique on this machine: marks every process started here, so that those who leave their group are found (R2). */
  readonly marker: string;
  /** `none`: commands run behind a wall (see network-wall), or not at all where there is none. Default `open`. */
  readonly network?: "open" | "none" | undefined;
}

export function openNodeWorkspace(folder: string, options: NodeWorkspaceOptions): Workspace {
  const root = realpathSync(folder);
  return {
    root,
    read: (path, maxBytes) => within({ root, path }, (place) => readRegular(place, maxBytes)),
    write: (path, bytes) => within({ root, path, create: true }, (place) => writeRegular(place, bytes)),
    list: (path) => within({ root, path }, listFolder),
    run: (command) => runInside(root, command, options),
    [Symbol.asyncDispose]: () => killMarked(options.marker),
  };
}

interface Wanted {
  readonly root: string;
  readonly path: string;
  readonly create?: boolean;
}

async function within<T>(
  { root, path, create = false }: Wanted,
  act: (place: string) => Promise<Access<T>>,
): Promise<Access<T>> {
  try {
    await using spot = await findBeneath(root, path, create);
    if (spot === null) return refuse("outside", `${path} is outside the workspace ${root}`);
    const result = await act(spot.path);
    return result.kind === "ok" ? result : { ...result, message: result.message.replaceAll(spot.path, path) };
  } catch (error) {
    return explain(path, error);
  }
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
  const path = command.cwd ?? ".";
  const cwd = await within({ root, path }, async (place) => ({ kind: "ok" as const, value: await realpath(place) }));
  if (cwd.kind === "refused") return { kind: "not-started", message: cwd.message };
  if (options.network !== "none") return runCommand(command, { ...options, cwd: cwd.value });
  const wall = await networkWall();
  if (!wall) return { kind: "not-started", message: NO_WALL };
  return runCommand({ ...command, argv: wall.around(command.argv, cwd.value) }, { ...options, cwd: cwd.value });
}

export const NO_WALL =
  "commands must run without network here, and neither bubblewrap nor unshare can make a network namespace: install bubblewrap, allow user namespaces, or allow the network";

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
