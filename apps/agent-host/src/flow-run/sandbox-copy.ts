import { lstat, readdir } from "node:fs/promises";
import { join, relative } from "node:path";
import { toSmoothError } from "@smooth/protocol/errors";
import { OutputWindow } from "@smooth/tools/workspace/output-window";
import { type Command, type Exit, pathInRoot } from "@smooth/tools/workspace";
import { unignoredFiles } from "@smooth/vcs/files";
import { type Exec, type TreeStamp, type Vm, WORKSPACE } from "@smooth/vm/driver";
import { removePaths } from "@smooth/vm/trees";
import { LEFT_OUT } from "../pearl-run/workspace.ts";
import { type FlowRules, refusalOf } from "./flow-rules.ts";

/** Commands of one task, in a VM that holds a copy of its folder, under the same path where it can.
 *  Y1. Before a command the VM gets what changed here, after it this folder gets what changed there: to the task they are one.
 *  Y2. Only what may be read goes in: nothing ignored by the repository, no secrets by name.
 *  Y3. What comes out is a stranger's tree: read by the driver's own reader, and a path that may not be written is left out
 *      and named.
 *  Y4. One command at a time; a VM that died is forgotten, and the next command gets a new one. */

interface CopyDeps {
  /** Absolute, links followed. */
  readonly root: string;
  readonly rules: FlowRules;
  readonly acquire: (signal: AbortSignal) => Promise<Vm>;
  /** The task's own. */
  readonly signal: AbortSignal;
}

type HostStamp = Map<string, string>;

export class SandboxCopy implements AsyncDisposable {
  readonly #deps: CopyDeps;
  #vm: Vm | null = null;
  #inGuest: HostStamp = new Map();
  #stamp: TreeStamp = new Map();
  #turn: Promise<unknown> = Promise.resolve();

  constructor(deps: CopyDeps) {
    this.#deps = deps;
  }

  /** Never rejects. Y4 */
  run(command: Command): Promise<Exit> {
    const turn = this.#turn
      .then(() => this.#inTurn(command))
      .catch((error: unknown): Exit => ({ kind: "not-started", message: toSmoothError(error).message }));
    this.#turn = turn;
    return turn;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turn;
    await this.#vm?.kill();
  }

  async #inTurn(command: Command): Promise<Exit> {
    const { root, signal } = this.#deps;
    const inner = pathInRoot(root, command.cwd ?? ".");
    if (inner === null) return { kind: "not-started", message: `${command.cwd} is outside the workspace ${root}` };
    const vm = await this.#get(AbortSignal.any([signal, ...(command.signal ? [command.signal] : [])]));
    await this.#push(vm);
    const exit = await toItsEnd(vm, { ...command, cwd: join(this.#at(vm), inner) });
    return withNote(exit, await this.#pull(vm));
  }

  async #get(signal: AbortSignal): Promise<Vm> {
    if (this.#vm) return this.#vm;
    const vm = await this.#deps.acquire(signal);
    this.#vm = vm;
    this.#inGuest = new Map();
    this.#stamp = new Map();
    void vm.stopped.then(() => {
      if (this.#vm === vm) this.#vm = null;
    });
    return vm;
  }

  /** Y1, Y2 */
  async #push(vm: Vm): Promise<void> {
    const { root, rules } = this.#deps;
    const now = await stampOf(root, rules);
    const changed = [...now].filter(([path, version]) => this.#inGuest.get(path) !== version).map(([path]) => path);
    const gone = [...this.#inGuest.keys()].filter((path) => !now.has(path));
    const isFirst = this.#inGuest.size === 0;
    if (!isFirst && changed.length === 0 && gone.length === 0) return;
    const at = this.#at(vm);
    await vm.putTree({ from: root, to: at, include: changed, exclude: LEFT_OUT });
    if (gone.length > 0) await removeIn(vm, at, gone);
    this.#inGuest = now;
    this.#stamp = (await vm.changes(at, { exclude: LEFT_OUT })).stamp;
  }

  /** Y1, Y3. Answers what was left out. */
  async #pull(vm: Vm): Promise<readonly string[]> {
    const { root, rules } = this.#deps;
    const at = this.#at(vm);
    const refuse = (path: string): string | null => refusalOf(rules.write(join(root, path)));
    const { changed, deleted, stamp } = await vm.changes(at, { exclude: LEFT_OUT, since: this.#stamp });
    const left: { readonly path: string; readonly reason: string }[] = [];
    if (changed.length > 0) {
      const { refused } = await vm.getTree({ from: at, to: root, paths: changed, exclude: LEFT_OUT, refuse });
      left.push(...refused);
    }
    const kept = deleted.filter((path) => refuse(path) !== null);
    left.push(...kept.map((path) => ({ path, reason: refuse(path) ?? "" })));
    left.push(
      ...(await removePaths(
        root,
        deleted.filter((path) => !kept.includes(path)),
      )),
    );
    this.#stamp = stamp;
    for (const path of [...changed, ...deleted]) await this.#known(path);
    return left.map(({ path, reason }) => `${path}: ${reason}`);
  }

  /** A guest in namespaces may write few places. */
  #at({ level }: Vm): string {
    return level === "namespace" ? WORKSPACE : this.#deps.root;
  }

  /** The guest has this version: it made it. */
  async #known(path: string): Promise<void> {
    const version = await versionOf(join(this.#deps.root, path));
    if (version === null) this.#inGuest.delete(path);
    else this.#inGuest.set(path, version);
  }
}

/** Y2 */
async function stampOf(root: string, rules: FlowRules): Promise<HostStamp> {
  const paths = (await unignoredFiles(root)) ?? (await walk(root));
  const open = paths.filter((path) => rules.read(join(root, path)).kind === "allow");
  const versions = await Promise.all(open.map(async (path) => [path, await versionOf(join(root, path))] as const));
  return new Map(versions.flatMap(([path, version]) => (version === null ? [] : [[path, version] as const])));
}

async function versionOf(path: string): Promise<string | null> {
  const info = await lstat(path, { bigint: true }).catch(() => null);
  if (info === null || !(info.isFile() || info.isSymbolicLink())) return null;
  return `${info.mtimeNs} ${info.size} ${info.ino} ${info.mode}`;
}

async function walk(root: string, below = root): Promise<string[]> {
  const entries = await readdir(below, { withFileTypes: true });
  const found = entries.map(async (entry): Promise<string[]> => {
    const path = join(below, entry.name);
    if (LEFT_OUT.includes(entry.name)) return [];
    return entry.isDirectory() ? walk(root, path) : [relative(root, path)];
  });
  return (await Promise.all(found)).flat();
}

async function removeIn(vm: Vm, root: string, paths: readonly string[]): Promise<void> {
  const exec = vm.exec({ argv: ["xargs", "-0", "rm", "-f", "--"], cwd: root });
  exec.stdin.end(paths.map((path) => `./${path}`).join("\0"));
  exec.stdout.resume();
  exec.stderr.resume();
  await exec.outcome;
}

async function toItsEnd(vm: Vm, { argv, cwd = "/", timeoutMs, maxOutputBytes, signal }: Command): Promise<Exit> {
  if (signal?.aborted) return { kind: "killed", by: "cancel", output: "" };
  const exec = vm.exec({ argv, cwd, timeoutMs });
  exec.stdin.end();
  const stop = (): void => exec.signal("SIGKILL");
  signal?.addEventListener("abort", stop, { once: true });
  const output = await heard(exec, maxOutputBytes);
  const outcome = await exec.outcome;
  signal?.removeEventListener("abort", stop);
  switch (outcome.kind) {
    case "exited":
      return { kind: "exited", code: outcome.code, output };
    case "timed-out":
      return { kind: "killed", by: "timeout", output };
    case "signaled":
      return { kind: "killed", by: signal?.aborted ? "cancel" : "signal", output };
    case "not-started":
      return { kind: "not-started", message: outcome.reason };
    case "vm-gone":
      return { kind: "not-started", message: `the sandbox died under the command\n${output}` };
  }
}

async function heard({ stdout, stderr }: Exec, maxBytes: number): Promise<string> {
  const window = new OutputWindow(maxBytes);
  const ended = [stdout, stderr].map(
    (stream) =>
      new Promise<void>((resolve) => stream.on("data", (chunk: Buffer) => window.push(chunk)).once("close", resolve)),
  );
  await Promise.all(ended);
  return window.text();
}

const MAX_NAMED = 20;

function withNote(exit: Exit, left: readonly string[]): Exit {
  if (left.length === 0 || exit.kind === "not-started") return exit;
  const more = left.length > MAX_NAMED ? `\n… and ${left.length - MAX_NAMED} more` : "";
  return { ...exit, output: `${exit.output}\n[not kept: ${left.slice(0, MAX_NAMED).join("; ")}${more}]` };
}
