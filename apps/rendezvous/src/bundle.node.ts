import { rename } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const CONFIG_PATH = at("../workerd.capnp");

/** `dist/worker.mjs`, swapped in whole: starts that overlap never read half a bundle. */
export async function buildWorker(): Promise<void> {
  const outfile = at("../dist/worker.mjs");
  const draft = `${outfile}.${process.pid}.draft`;
  await build({
    entryPoints: [at("./worker.ts")],
    outfile: draft,
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:workers"],
    minify: true,
    legalComments: "none",
    logLevel: "warning",
  });
  await rename(draft, outfile);
}
