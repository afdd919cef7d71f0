/** Loads workflow files (.tsx, .ts, .jsx) and their prompts (.mdx) into this process.
 *  W1. `smithers-orchestrator` and React are always this workspace's, so a file from anywhere shares the engine's copies.
 *  W2. Other packages resolve from the file's own project first, then from here (zod, mostly).
 *  W3. Relative imports may leave the extension out, or say .js for a .ts file, as bundlers allow.
 *  W4. A file that changed on disk since it was loaded is loaded anew, with everything around it; what runs is what `source` says.
 *  esbuild and Node's synchronous hooks instead of tsx: tsx treats files outside a tsconfig as CommonJS with classic JSX. */
import { readFileSync, statSync } from "node:fs";
import { registerHooks, setSourceMapsSupport, type ResolveFnOutput, type ResolveHookContext } from "node:module";
import { extname, resolve } from "node:path";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { SmoothError } from "@smooth/protocol/errors";
import type { WorkflowSource } from "@smooth/engine/metadata";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { importGraph } from "./import-graph.node.ts";
import { mdxToJsx } from "./mdx/compile.node.ts";
import { OWN_COPIES, OWN_FOLDER } from "./own-copies.node.ts";
import { transpile } from "./transpile.node.ts";

/** The file's default export. Throws INVALID_INPUT with what is wrong and which file. */
export async function loadWorkflow(path: string, { deadlineMs = 60_000 } = {}): Promise<WorkflowDefinition> {
  const file = resolve(process.cwd(), path);
  refuseOther(file);
  hookOnce();
  const { workflow, source } = await importCurrent(file, deadlineMs);
  if (!isWorkflow(workflow))
    throw new SmoothError(
      "INVALID_INPUT",
      `${file} does not export a workflow by default; write \`export default smithers((ctx) => …)\``,
    );
  return { source, ...workflow, file }; // a workflowHash of its own wins
}

function refuseOther(file: string): void {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw new SmoothError("INVALID_INPUT", `no workflow file ${file}`);
  if (found.isDirectory())
    throw new SmoothError("INVALID_INPUT", `${file} is a folder; name the workflow's file in it`);
  if (!CODE.test(file))
    throw new SmoothError("INVALID_INPUT", `${file} is no workflow file: those end in .tsx, .ts, .jsx or .js`);
}

const CODE = /\.[cm]?[jt]sx?$/;

let generation = 0;
/** Entry file → the query its URLs carry, so that a new generation is a new module to Node. */
const generations = new Map<string, string>();

/** W4 */
async function importCurrent(
  file: string,
  deadlineMs: number,
): Promise<{ readonly workflow: unknown; readonly source: WorkflowSource }> {
  for (;;) {
    const url = pathToFileURL(file).href + (generations.get(file) ?? "");
    const { default: workflow } = await inTime(importFile(file, url), { file, deadlineMs });
    if (graph.isCurrent(url)) return { workflow, source: graph.source(url) };
    generations.set(file, `?v=${(generation += 1)}`);
  }
}

async function importFile(file: string, url: string): Promise<{ readonly default?: unknown }> {
  try {
    return (await import(url)) as { readonly default?: unknown };
  } catch (cause) {
    throw new SmoothError("INVALID_INPUT", `${file} cannot be loaded: ${String(cause)}`, { cause });
  }
}

/** A module that awaits for ever at its top would hold whoever loads it. */
async function inTime<T>(loaded: Promise<T>, { file, deadlineMs }: { file: string; deadlineMs: number }): Promise<T> {
  const late = Promise.withResolvers<never>();
  const problem = `${file} has not loaded after ${deadlineMs / 1_000} s; does it await something at its top level?`;
  const timer = setTimeout(() => late.reject(new SmoothError("INVALID_INPUT", problem)), deadlineMs);
  return Promise.race([loaded, late.promise]).finally(() => clearTimeout(timer));
}

const isWorkflow = (value: unknown): value is WorkflowDefinition =>
  typeof value === "object" &&
  value !== null &&
  typeof (value as WorkflowDefinition).build === "function" &&
  "registry" in value;

const OURS = /^(?:smithers-orchestrator|react)(?:\/|$)/;
const PACKAGES = new URL("../../", import.meta.url).href;
const LOADERS: Readonly<Record<string, "ts" | "tsx" | "jsx">> = {
  ".ts": "ts",
  ".mts": "ts",
  ".tsx": "tsx",
  ".jsx": "jsx",
};

const graph = importGraph();
let hooked = false;
/** From now on this process can import workflow files and prompts. */
export function hookOnce(): void {
  if (hooked) return;
  hooked = true;
  setSourceMapsSupport(true); // errors name the lines of the file as it was written
  registerHooks({
    resolve(specifier, context, next) {
      if (isOwnFile(context.parentURL) || isInPackage(context.parentURL)) return next(specifier, context);
      if (OURS.test(specifier)) return ownCopy(next(specifier, fromHere(context))); // W1
      const relative = specifier.startsWith(".");
      const found = (relative ? resolveRelative : resolvePackage)(specifier, context, next);
      graph.imports(context.parentURL ?? "", found.url, relative);
      return ownCopy(found);
    },
    load(url, context, next) {
      if (isOwnFile(url) || isInPackage(url) || !url.startsWith("file:")) return next(url, context);
      graph.loaded(url);
      const sourcefile = fileURLToPath(url);
      const isPrompt = extname(sourcefile) === ".mdx";
      const loader = isPrompt ? "jsx" : LOADERS[extname(sourcefile)];
      if (!loader) return next(url, context);
      const text = readFileSync(sourcefile, "utf8");
      const code = transpile({ text: isPrompt ? mdxToJsx(text, sourcefile) : text, file: sourcefile, loader });
      return { format: "module", source: code, shortCircuit: true };
    },
  });
}

/** The workspace's own sources need no help: Node strips their types itself. */
const isOwnFile = (url: string | undefined): boolean =>
  url === undefined ||
  (url.startsWith(PACKAGES) && !url.endsWith("x")) ||
  (OWN_FOLDER !== null && url.startsWith(OWN_FOLDER));
/** The bundle that we run from has its own copy of the engine's modules. */
function ownCopy(found: ResolveFnOutput): ResolveFnOutput {
  const url = OWN_COPIES.get(found.url);
  return url === undefined ? found : { ...found, url, format: "module" };
}
/** What a package does inside is its own business; CommonJS in it knows nothing of file URLs. */
const isInPackage = (url: string | undefined): boolean => url?.includes("/node_modules/") === true;
const fromHere = (context: ResolveHookContext): ResolveHookContext => ({ ...context, parentURL: import.meta.url });

type NextResolve = (specifier: string, context: ResolveHookContext) => ResolveFnOutput;

/** W3 */
function resolveRelative(specifier: string, context: ResolveHookContext, next: NextResolve): ResolveFnOutput {
  const asked = fileURLToPath(new URL(specifier, context.parentURL));
  const bare = asked.replace(/\.[cm]?jsx?$/, "");
  const found = [asked, ...[".ts", ".tsx", "/index.ts", "/index.tsx"].map((end) => bare + end)].find(isFile);
  const query = new URL(context.parentURL ?? "").search; // W4: one generation throughout
  // What is there as it is called needs no help: CommonJS in packages takes no URL.
  const help = found !== undefined && (found !== asked || query !== "");
  return next(help ? pathToFileURL(found).href + query : specifier, context);
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** W2 */
function resolvePackage(specifier: string, context: ResolveHookContext, next: NextResolve): ResolveFnOutput {
  try {
    return next(specifier, context);
  } catch (error) {
    if (/^(?:node|file|data):/.test(specifier)) throw error;
    return orElse(() => next(specifier, fromHere(context)), error);
  }
}

/** What is nowhere is missing where it was asked for. */
function orElse<T>(attempt: () => T, error: unknown): T {
  try {
    return attempt();
  } catch {
    throw error;
  }
}
