/** Jujutsu for programs that look after a repository themselves. Nothing here throws: a `jj` that is missing, or refuses, is an answer. */
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

export interface RunJjOptions {
  /** Default: the working directory. */
  readonly cwd?: string;
}

export interface RunJjResult {
  /** 127: it could not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const exec = promisify(execFile);
const MAX_BYTES = 64 * 1024 * 1024;
const NOT_STARTED = 127;

export async function runJj(args: readonly string[], { cwd = process.cwd() }: RunJjOptions = {}): Promise<RunJjResult> {
  try {
    const { stdout, stderr } = await exec("jj", args, { cwd, maxBuffer: MAX_BYTES });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout = "", stderr = "", message } = error as Partial<RunJjResult> & { readonly message: string };
    return typeof code === "number"
      ? { code, stdout, stderr }
      : { code: NOT_STARTED, stdout: "", stderr: stderr || message };
  }
}

/** The change id of `@`; null without jj or outside a repository. */
export async function getJjPointer(cwd?: string): Promise<string | null> {
  const { code, stdout } = await runJj(["log", "-r", "@", "--no-graph", "-T", "change_id"], at(cwd));
  return code === 0 && stdout !== "" ? stdout.trim() : null;
}

export const isJjRepo = async (cwd?: string): Promise<boolean> => (await runJj(["root"], at(cwd))).code === 0;

export type WorkspaceResult =
  | { readonly success: true; readonly error?: undefined }
  | { readonly success: false; readonly error: string };
export type JjRevertResult = WorkspaceResult;

/** The working copy's files as they were at that pointer, as a new change. */
export const revertToJjPointer = async (pointer: string, cwd?: string): Promise<JjRevertResult> =>
  outcome(await runJj(["restore", "--from", pointer], at(cwd)));

export interface WorkspaceAddOptions {
  readonly cwd?: string;
  /** The revision it starts from. */
  readonly atRev?: string;
}

/** A workspace of the same name is forgotten first; its folder stays, and is an error when it is this path. */
export async function workspaceAdd(
  name: string,
  path: string,
  options: WorkspaceAddOptions = {},
): Promise<WorkspaceResult> {
  const { atRev } = options;
  if ((await workspaceList(options.cwd)).some((known) => known.name === name)) await workspaceClose(name, options);
  mkdirSync(dirname(path), { recursive: true });
  return outcome(await runJj(["workspace", "add", "--name", name, ...(atRev ? ["-r", atRev] : []), path], options));
}

export interface WorkspaceInfo {
  readonly name: string;
  readonly path: string | null;
  /** The one that `cwd` lies in. */
  readonly selected: boolean;
}

export async function workspaceList(cwd?: string): Promise<readonly WorkspaceInfo[]> {
  const [list, root] = await Promise.all([
    runJj(["workspace", "list", "-T", String.raw`name ++ "\t" ++ root ++ "\n"`], at(cwd)),
    runJj(["workspace", "root"], at(cwd)),
  ]);
  if (list.code !== 0) return [];
  const here = root.stdout.trim();
  return list.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [name = "", path = ""] = line.split("\t");
      return { name, path: path === "" ? null : path, selected: path !== "" && path === here };
    });
}

/** Forgets it; its folder stays. */
export const workspaceClose = async (name: string, { cwd }: RunJjOptions = {}): Promise<WorkspaceResult> =>
  outcome(await runJj(["workspace", "forget", name], at(cwd)));

const at = (cwd: string | undefined): RunJjOptions => (cwd === undefined ? {} : { cwd });

const outcome = ({ code, stderr }: RunJjResult): WorkspaceResult =>
  code === 0 ? { success: true } : { success: false, error: stderr.trim() || `jj ended with ${code}` };
