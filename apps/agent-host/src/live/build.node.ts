import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { bundler } from "@smooth/platform/node/bundler";
import type { Plugin } from "esbuild";

/** Makes the live session's files: one page, one script, one style sheet.
 *  B1. Nothing is built when nothing changed: the inputs' hash lies beside the output, written last.
 *  B2. Assets carry their hash in the name, so the gateway may let browsers keep them for ever. */

const HERE = import.meta.dirname;
const ROOT = join(HERE, "../../../..");
const INPUTS = ["apps/agent-host/src/live", "packages/ui/src", "packages/protocol/src", "packages/gateway/src/client"];
const STAMP = ".inputs";

/** Answers whether it had to build. */
export async function buildLive(outDir: string): Promise<boolean> {
  const inputs = await hashInputs();
  if ((await readFile(join(outDir, STAMP), "utf8").catch(() => "")) === inputs) return false; // B1
  await rm(outDir, { recursive: true, force: true });
  await mkdir(join(outDir, "assets"), { recursive: true });
  const [script, style] = await Promise.all([bundle(), styles()]);
  const [js, css] = [nameOf(script, "js"), nameOf(style, "css")];
  await writeFile(join(outDir, js), script);
  await writeFile(join(outDir, css), style);
  await writeFile(join(outDir, "index.html"), pageOf(js, css));
  await writeFile(join(outDir, STAMP), inputs);
  return true;
}

async function hashInputs(): Promise<string> {
  const hash = createHash("sha256").update(await readFile(join(ROOT, "package-lock.json")));
  for (const dir of INPUTS) {
    const files = await readdir(join(ROOT, dir), { withFileTypes: true, recursive: true });
    const paths = files.filter((file) => file.isFile()).map(({ parentPath, name }) => join(parentPath, name));
    for (const path of paths.toSorted()) hash.update(path).update(await readFile(path));
  }
  return hash.digest("hex");
}

async function bundle(): Promise<Uint8Array> {
  const { outputFiles } = await bundler().build({
    entryPoints: [join(HERE, "main.tsx")],
    absWorkingDir: HERE,
    bundle: true,
    write: false,
    minify: true,
    format: "esm",
    target: "es2022",
    jsx: "automatic",
    jsxImportSource: "react",
    plugins: [englishOnly],
    define: { "process.env.NODE_ENV": '"production"' },
  });
  return outputFiles[0]?.contents ?? new Uint8Array();
}

/** zod brings its messages in fifty languages: more bytes than React. */
const englishOnly: Plugin = {
  name: "english-only",
  setup: ({ onLoad }) =>
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, ({ path }) => ({
      contents: 'export { default as en } from "./en.js";',
      resolveDir: dirname(path),
    })),
};

async function styles(): Promise<Uint8Array> {
  const cli = join(dirname(createRequire(import.meta.url).resolve("@tailwindcss/cli/package.json")), "dist/index.mjs");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [cli, "--input", join(HERE, "live.css"), "--output", "-", "--minify"],
    { cwd: HERE, maxBuffer: 8_388_608 },
  );
  return Buffer.from(stdout);
}

/** B2 */
const nameOf = (content: Uint8Array, ending: string): string =>
  `assets/live-${createHash("sha256").update(content).digest("hex").slice(0, 12)}.${ending}`;

const pageOf = (js: string, css: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Smooth · Live session</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/${css}">
</head>
<body><div id="root"></div><script type="module" src="/${js}"></script></body>
</html>
`;
