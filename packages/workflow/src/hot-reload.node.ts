/** Watches the files a running workflow was loaded from and reloads it when they change.
 *  W1. Saves that come close together are one reload; a file that is replaced, as editors do, is a change.
 *  W2. After a reload the files of the edited workflow are watched; after a refusal those of the old one still are. */
import { watch, type FSWatcher } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { SmoothError } from "@smooth/protocol/errors";
import type { RunHandle } from "@smooth/engine/run";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { loadWorkflow } from "./load-workflow.node.ts";

export interface HotReloadOptions {
  /** How long to wait for more changes; default 100. */
  readonly debounceMs?: number;
}

/** Answers what starts to watch, until it is disposed. Throws INVALID_INPUT for a workflow that was not loaded from a file, and for options that are not implemented. */
export function hotReload(workflow: WorkflowDefinition, options: HotReloadOptions): (handle: RunHandle) => Disposable {
  const { debounceMs = 100, ...rest } = options;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw new SmoothError("INVALID_INPUT", `hot does not implement the option \`${unknown}\``);
  const { file } = workflow;
  if (file === undefined)
    throw new SmoothError("INVALID_INPUT", "hot needs a workflow that was loaded from a file, by loadWorkflow");
  return (handle) => watchAndReload({ workflow, file, debounceMs }, handle);
}

interface Watched {
  readonly workflow: WorkflowDefinition;
  readonly file: string;
  readonly debounceMs: number;
}

function watchAndReload({ workflow, file, debounceMs }: Watched, handle: RunHandle): Disposable {
  const watched = new WatchedFiles(() => {
    clearTimeout(timer);
    timer = setTimeout(() => void reload(), debounceMs);
  });
  let timer: NodeJS.Timeout | undefined;
  const reload = async (): Promise<void> => {
    let loaded: WorkflowDefinition | undefined;
    const outcome = await handle.reload(async () => (loaded = await loadWorkflow(file)));
    if (outcome.kind === "reloaded" && loaded) watched.set(filesOf(loaded)); // W2
  };
  watched.set(filesOf(workflow));
  return {
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      watched.set([]);
    },
  };
}

const filesOf = ({ file = "", source }: WorkflowDefinition): string[] =>
  Object.keys(source?.files ?? {}).map((name) => resolve(dirname(file), name));

/** W1. Folders are watched, not files: a replaced file is another one. */
class WatchedFiles {
  readonly #onChange: () => void;
  readonly #folders = new Map<string, FSWatcher>();
  #files: ReadonlySet<string> = new Set();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  set(files: readonly string[]): void {
    this.#files = new Set(files);
    const wanted = new Set(files.map((file) => dirname(file)));
    for (const [folder, watcher] of this.#folders)
      if (!wanted.has(folder)) {
        watcher.close();
        this.#folders.delete(folder);
      }
    for (const folder of wanted) if (!this.#folders.has(folder)) this.#folders.set(folder, this.#watch(folder));
  }

  #watch(folder: string): FSWatcher {
    const watcher = watch(folder, { persistent: false }, (_, name) => {
      if (name === null || this.#files.has(join(folder, name))) this.#onChange();
    });
    watcher.on("error", () => watcher.close()); // the folder is gone; what was loaded goes on
    return watcher;
  }
}
