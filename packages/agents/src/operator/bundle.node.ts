import { readFile, stat } from "node:fs/promises";
import { bundler } from "@smooth/platform/node/bundler";
import type { Plugin } from "esbuild";

const ENTRY = `import { operatorMain } from "./main.node.ts"; await operatorMain();`;

/** One file that runs by `node operator.mjs` in a VM: no imports left but `node:*`, and only the parts of zod that are used. */
export async function buildOperator(outfile: string): Promise<{ readonly sizeBytes: number }> {
  await bundler().build({
    absWorkingDir: import.meta.dirname,
    stdin: { contents: ENTRY, resolveDir: import.meta.dirname, loader: "ts" },
    outfile,
    bundle: true,
    minify: true,
    platform: "node",
    format: "esm",
    target: "node22",
    legalComments: "none",
    logLevel: "silent",
    plugins: [slimZod],
  });
  return { sizeBytes: (await stat(outfile)).size };
}

/** `import { z }` is one object that keeps every locale alive (460 KB); the star import can be shaken (110 KB). */
const slimZod: Plugin = {
  name: "slim-zod",
  setup: ({ onLoad }) => {
    onLoad({ filter: /[\\/]packages[\\/]\w+[\\/]src[\\/].*\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace(/import \{ z \} from "zod"/, 'import * as z from "zod"'),
      loader: "ts",
    }));
  },
};
