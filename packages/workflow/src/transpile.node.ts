/** From TypeScript and JSX to what Node runs. Results are kept, so that a second start neither loads nor starts the compiler (50 ms).
 *  T1. The key is all that a result depends on: text, file name, loader and the compiler's version.
 *  T2. A result that was not written to its end, or cannot be read or kept, is made anew. */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { bundler } from "@smooth/platform/node/bundler";
import { sha256 } from "@smooth/engine/sha256";
import { makeFolder, smoothHome } from "@smooth/platform/node/home";

export interface Source {
  readonly text: string;
  readonly file: string;
  readonly loader: "ts" | "tsx" | "jsx";
}
export type Compile = (source: Source) => string;

interface Cache {
  readonly folder: string;
  readonly compile: Compile;
}

const require = createRequire(import.meta.url);
const usual = (): Cache => ({ folder: join(smoothHome(process.env), "cache", "workflows"), compile });

export function transpile(source: Source, { folder, compile: make }: Cache = usual()): string {
  const kept = join(folder, `${keyOf(source)}.js`); // T1
  const found = read(kept);
  if (found.endsWith(END)) return found; // T2
  const made = make(source) + END;
  keep(kept, made);
  return made;
}

const END = "\n// whole\n";
/** When there are more they are dropped, all of them: who edits one file all day needs the last ones only. */
const MOST_KEPT = 500;

const keyOf = ({ text, file, loader }: Source): string =>
  sha256(JSON.stringify([(require("esbuild/package.json") as { version: string }).version, loader, file, text]));

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function keep(path: string, made: string): void {
  const folder = join(path, "..");
  try {
    makeFolder(folder);
    if (readdirSync(folder).length >= MOST_KEPT) rmSync(folder, { recursive: true });
    makeFolder(folder);
    writeFileSync(`${path}.${process.pid}`, made, { mode: 0o600 });
    renameSync(`${path}.${process.pid}`, path);
  } catch {
    // A home that cannot be written to, or another process that emptied it: the next start compiles again.
  }
}

function compile({ text, file, loader }: Source): string {
  return bundler().transformSync(text, {
    loader,
    sourcefile: file,
    format: "esm",
    target: "node24",
    sourcemap: "inline",
    jsx: "automatic",
    jsxImportSource: "smithers-orchestrator",
  }).code;
}
