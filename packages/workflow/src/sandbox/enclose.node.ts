/** Makes one file of JavaScript of a workflow and of the engine that runs it: what is put into a sandbox.
 *  E1. As in load-workflow.node.ts, `smithers-orchestrator` and React are this workspace's, and what a project has not is found here.
 *  E2. The workflow is named by file and export, since a function cannot be sent: one that no file exports is refused with a way out.
 *  E3. A file of the run's own counts as the run loaded it: one that changed since is refused, as a resume would. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { realOf } from "@smooth/platform/node/real-path";
import type { OnResolveResult, Plugin, PluginBuild } from "esbuild";
import { bundler } from "@smooth/platform/node/bundler";
import { SmoothError } from "@smooth/protocol/errors";
import { sha256 } from "@smooth/engine/sha256";
import { isWorkflow, type WorkflowDefinition } from "@smooth/engine/workflow";
import { hookOnce } from "../load-workflow.node.ts";
import { mdxToJsx } from "../mdx/compile.node.ts";

type Loaded = Pick<WorkflowDefinition, "file" | "source">;

export interface Enclosed {
  readonly code: Uint8Array;
}

/** `run`: what the run was loaded as. Throws SANDBOX_EXECUTION_FAILED. */
export async function enclose(workflow: WorkflowDefinition, run: Loaded): Promise<Enclosed> {
  const { file, name } = await whereIs(workflow);
  const entry = `import * as module from ${JSON.stringify(file)};
import { runInside } from ${JSON.stringify(fileURLToPath(new URL("./inside.node.ts", import.meta.url)))};
await runInside(module[${JSON.stringify(name)}]);`;
  try {
    const { outputFiles } = await bundler().build({
      absWorkingDir: HERE,
      stdin: { contents: entry, resolveDir: HERE, loader: "ts" },
      bundle: true,
      write: false,
      platform: "node",
      format: "esm",
      target: "node24",
      jsx: "automatic",
      jsxImportSource: "smithers-orchestrator",
      define: { "process.env.NODE_ENV": '"production"' },
      loader: { ".node": "empty" },
      // A global: a name in the file could be one of its modules' too.
      banner: {
        js: 'import { createRequire as requireFrom } from "node:module"; globalThis.require ??= requireFrom("/");',
      },
      logLevel: "silent",
      plugins: [workspaceFirst, asLoaded(run)],
    });
    const [out] = outputFiles;
    return { code: out?.contents ?? new Uint8Array() };
  } catch (cause) {
    throw refused(`${file} cannot be made one file for a sandbox: ${String(cause)}`, cause);
  }
}

/** E2 */
async function whereIs(workflow: WorkflowDefinition): Promise<{ readonly file: string; readonly name: string }> {
  const url = workflow.madeIn ?? (workflow.file && pathToFileURL(workflow.file).href);
  if (url === undefined)
    throw refused(
      `workflow ${workflow.name} was not made in a file, so a sandbox cannot load it; write it in one and export it`,
    );
  hookOnce();
  const module = (await import(url)) as Readonly<Record<string, unknown>>;
  const file = fileURLToPath(url);
  const [name] = Object.entries(module).find(([, value]) => isWorkflow(value) && value.build === workflow.build) ?? [];
  if (name !== undefined) return { file, name };
  throw refused(
    `workflow ${workflow.name} is made in ${file} and not exported by it, so a sandbox cannot find it; export it, by default or by name`,
  );
}

const HERE = fileURLToPath(new URL(".", import.meta.url));
const OURS = /^(?:smithers-orchestrator|react)(?:\/|$)/;

/** E1 */
const workspaceFirst: Plugin = {
  name: "workspace-first",
  setup(into) {
    into.onResolve({ filter: OURS }, ({ path, kind, pluginData }) =>
      pluginData === RESOLVING ? undefined : fromHere(into, path, kind),
    );
    into.onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData, importer }) => {
      if (pluginData === RESOLVING || importer.includes("/node_modules/")) return undefined;
      const own = await into.resolve(path, { kind, resolveDir, pluginData: RESOLVING });
      return own.errors.length === 0 ? own : fromHere(into, path, kind);
    });
  },
};

/** E3 */
function asLoaded({ file, source }: Loaded): Plugin {
  const files = file === undefined ? [] : Object.entries(source?.files ?? {});
  const hashes = new Map(files.map(([name, hash]) => [realOf(resolve(dirname(file ?? ""), name)), hash]));
  return {
    name: "as-loaded",
    setup(into) {
      into.onLoad({ filter: /./ }, async ({ path }) => {
        const isPrompt = path.endsWith(".mdx");
        const hash = hashes.get(path);
        if (!isPrompt && hash === undefined) return undefined;
        const text = await readFile(path, "utf8");
        if (hash !== undefined && sha256(text) !== hash) return { errors: [{ text: `${path} ${CHANGED}` }] };
        return isPrompt ? { contents: mdxToJsx(text, path), loader: "jsx" } : { contents: text, loader: "default" };
      });
    },
  };
}

const CHANGED =
  "changed since this run loaded it; put it back, or resume the run with --accept-workflow-change and retry the step";

const RESOLVING = "resolving";

const fromHere = (
  into: PluginBuild,
  path: string,
  kind: Parameters<PluginBuild["resolve"]>[1] extends infer O ? NonNullable<(O & { kind: unknown })["kind"]> : never,
): Promise<OnResolveResult> =>
  into.resolve(path, { kind: kind as "import-statement", resolveDir: HERE, pluginData: RESOLVING });

const refused = (message: string, cause?: unknown): SmoothError =>
  new SmoothError("SANDBOX_EXECUTION_FAILED", message, { cause, details: { failureRetryable: false } });
