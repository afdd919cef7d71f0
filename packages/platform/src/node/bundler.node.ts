/** esbuild, loaded when it is first used.
 *  B1. It starts its service in the folder that was current when it was loaded, and there again whenever that has ended. Such a
 *      folder may be gone by then; the root never is. Callers name every path in full. */
import { createRequire } from "node:module";
import { parse } from "node:path";
import process from "node:process";
import type * as Esbuild from "esbuild";

const require = createRequire(import.meta.url);
let loaded: typeof Esbuild | undefined;

export function bundler(): typeof Esbuild {
  const { cwd } = process;
  process.cwd = () => parse(import.meta.filename).root; // B1; read while esbuild is evaluated, and by nobody else
  try {
    return (loaded ??= require("esbuild") as typeof Esbuild);
  } finally {
    process.cwd = cwd;
  }
}
