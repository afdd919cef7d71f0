// Makes what `th` and `smithers` run: apps/agent-host/dist, plain JavaScript out of our sources and what they import.
// Node strips the types of 200 files in 100 ms; of the bundle it reads what a command needs, from its compile cache.
//   U1. One engine: a workflow file that imports `smithers-orchestrator`, `react` or our zod gets the bundle's copy.
//   U2. Fresh means: every input has the content it was built from. Nothing is built when nothing changed.
//   U3. A process that runs meanwhile keeps its chunks: files appear whole, and old ones stay for a week.
//   U4. What a module calls `import.meta.url` is its source file, so that it finds what lies beside it.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { builtinModules, createRequire } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const dist = join(root, "apps/agent-host/dist");
const WEEK_MS = 7 * 86_400_000;

/** What `th` and `smithers` run, and what workflow files import. vitest calls it `setup`. */
export async function bundleBins() {
  if (isFresh(dist)) return;
  const orchestrator = join(root, "packages/smithers-orchestrator");
  const { exports } = JSON.parse(readFileSync(join(orchestrator, "package.json"), "utf8"));
  const doors = new Set(Object.values(exports));
  await bundle(dist, {
    th: join(root, "apps/agent-host/src/bin/th.ts"),
    smithers: join(root, "apps/agent-host/src/bin/smithers.ts"),
    ...Object.fromEntries([...doors].map((file) => [`author-${basename(file, ".ts")}`, join(orchestrator, file)])),
    ...Object.fromEntries(SHARED.map((name) => [name.replace("/", "-"), `own:${name}`])),
  });
}

export { bundleBins as setup };

/** Packages that workflow files share with the engine, beside `smithers-orchestrator`. */
const SHARED = ["react", "react/jsx-runtime", "react/jsx-dev-runtime", "react/compiler-runtime", "zod"];

/** `entries`: name in the folder → source file. All files lie flat in it. */
export async function bundle(folder, entries) {
  const { build } = await import("esbuild");
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: Object.entries(entries).map(([out, file]) => ({ out, in: file })),
    outdir: folder,
    write: false,
    bundle: true,
    splitting: true,
    minifyWhitespace: true, // names stay: stacks are read by people, and renaming saves no time
    minifySyntax: true,
    platform: "node",
    format: "esm",
    target: "node24",
    jsx: "automatic",
    sourcemap: "linked",
    sourcesContent: false,
    legalComments: "none",
    logLevel: "error",
    metafile: true,
    define: { "process.env.NODE_ENV": '"production"' },
    // A native binary; a driver that only teams load; two that `ws` does without.
    external: ["esbuild", "pg", "bufferutil", "utf-8-validate"],
    plugins: [builtins, ownPackages, ownCopies(folder, entries), sources(folder), plainClock, lazyLocales],
  });
  const inputs = Object.keys(metafile.inputs).filter(
    (file) => !file.includes("node_modules/") && existsSync(join(root, file)),
  );
  write(folder, outputFiles, [...inputs, "package-lock.json", "scripts/bundle.mjs"]);
}

const STAMP = "inputs.json";

/** U2. Packages count by the lock file. */
export function isFresh(folder) {
  const stamp = join(folder, STAMP);
  if (!existsSync(stamp)) return false;
  const { inputs, hash } = JSON.parse(readFileSync(stamp, "utf8"));
  return inputs.every((file) => existsSync(join(root, file))) && hash === hashOf(inputs);
}

const hashOf = (inputs) =>
  inputs
    .reduce((sum, file) => sum.update(file).update(readFileSync(join(root, file))), createHash("sha256"))
    .digest("hex");

/** U3. Entries after the chunks they import, the stamp last. */
function write(folder, files, inputs) {
  const isEntry = ({ path }) => !basename(path).startsWith("chunk-");
  for (const { path, contents } of files.toSorted((a, b) => isEntry(a) - isEntry(b))) put(path, contents);
  const kept = new Set(files.map(({ path }) => path));
  const before = Date.now() - WEEK_MS;
  for (const name of readdirSync(folder, { recursive: true })) {
    const path = join(folder, name);
    const found = statSync(path);
    if (found.isFile() && found.mtimeMs < before && !kept.has(path)) rmSync(path);
  }
  put(join(folder, STAMP), JSON.stringify({ inputs, hash: hashOf(inputs) }));
}

function put(path, contents) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, contents);
  renameSync(`${path}.${process.pid}`, path);
}

/** `import … from "node:fs"` would read every property of it, and so load streams, promises and more: 4 ms a start. Here it
 *  reads the names that are used. */
const builtins = {
  name: "builtins",
  setup({ onResolve, onLoad }) {
    const names = new Set(builtinModules);
    onResolve({ filter: /^[\w:/]+$/ }, ({ path, kind }) => {
      const name = path.replace(/^node:/, "");
      if (!path.startsWith("node:") && !names.has(name)) return undefined;
      return { path: name, namespace: kind === "require-call" ? "required" : "builtin", sideEffects: false };
    });
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => ({
      contents: LATE.has(path) ? late(path) : named(path),
    }));
    onLoad({ filter: /./, namespace: "required" }, ({ path }) => ({ contents: `module.exports = ${found(path)}` }));
  },
};

/** Those that Node has not loaded anyway by the time a program starts: they are loaded when first used. */
const LATE = new Set(["child_process", "crypto", "dns", "http", "https", "http2", "net", "readline", "tls", "zlib"]);

const found = (name) => `process.getBuiltinModule("node:${name}")`;
const keysOf = (name) => Object.keys(require(`node:${name}`)).filter((key) => key !== "default");

const named = (name) => `const found = ${found(name)};
  export default found;
  ${keysOf(name)
    .map((key) => `const own_${key} = /* @__PURE__ */ (() => found.${key})(); export { own_${key} as ${key} };`)
    .join("\n")}`;

const late = (name) =>
  `module.exports = { ${keysOf(name)
    .map((key) => `get ${key}() { return ${found(name)}.${key} }`)
    .join(", ")} }`;

/** React's scheduler looks for the best clock; asking for `performance` loads 3 ms of Node, and frames are not timed by it. */
const plainClock = {
  name: "plain-clock",
  setup: ({ onLoad }) =>
    onLoad({ filter: /scheduler\.production\.js$/ }, ({ path }) => ({
      contents: `var performance;\n${readFileSync(path, "utf8")}`,
    })),
};

/** React is CommonJS: its names have to be written out for those who import them. */
const ownPackages = {
  name: "own-packages",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^own:/ }, ({ path }) => ({ path: path.slice("own:".length), namespace: "own" }));
    onLoad({ filter: /./, namespace: "own" }, ({ path }) => ({ contents: ownPackage(path), resolveDir: root }));
  },
};

function ownPackage(name) {
  if (name === "zod") return 'export * from "zod"; export { default } from "zod";';
  const names = Object.keys(require(name)).filter((key) => key !== "default" && key !== "act");
  return `import own from "${name}"; export default own; export const { ${names.join(", ")} } = own;`;
}

/** U4. And `import { z }` is one object that keeps all of zod alive; the star import can be shaken. */
const sources = (folder) => ({
  name: "sources",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/(?:packages|apps|infra)\/[^/]+\/.*\.tsx?$/ }, ({ path }) => {
      const url = (to) => `new URL(${JSON.stringify(relative(folder, to))}, import.meta.url)`;
      const contents = readFileSync(path, "utf8")
        .replaceAll("import.meta.url", () => `(${url(path)}.href)`)
        .replaceAll("import.meta.dirname", `process.getBuiltinModule("node:url").fileURLToPath(${url(dirname(path))})`)
        .replace('import { z } from "zod"', 'import * as z from "zod"');
      return { contents, loader: path.endsWith("x") ? "tsx" : "ts" };
    }),
});

/** U1. Fills the table of packages/workflow/src/own-copies.node.ts. */
const ownCopies = (folder, entries) => ({
  name: "own-copies",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/own-copies\.node\.ts$/ }, () => {
      const sources = Object.entries(entries).map(([out, file]) => [sourceOf(file), `./${out}.js`]);
      const pairs = sources.map(([source, file]) => [relative(folder, source), file]);
      return {
        contents: `const here = (path) => new URL(path, import.meta.url).href;
          export const OWN_COPIES = new Map(${JSON.stringify(pairs)}.map((pair) => pair.map(here)));
          export const OWN_FOLDER = here("./");`,
      };
    }),
});

/** What an `import` of a package finds; zod has another file for `require`. */
const sourceOf = (entry) =>
  entry.startsWith("own:") ? require.resolve(entry.slice("own:".length)).replace(/\.cjs$/, ".js") : entry;

/** zod speaks fifty languages, and a file of that size is slow to read: all but English are fetched when asked for. */
const lazyLocales = {
  name: "lazy-locales",
  setup: ({ onLoad }) =>
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, ({ path }) => {
      const names = [...readFileSync(path, "utf8").matchAll(/as (\w+) \} from "\.\/([\w-]+)\.js"/g)];
      const lazy = names.filter(([, name]) => name !== "en");
      return {
        contents: `import { createRequire } from "node:module";
          const load = (file) => createRequire(import.meta.url)(\`zod/v4/locales/\${file}.cjs\`)();
          export { default as en } from "./en.js";
          ${lazy.map(([, name, file]) => `export const ${name} = () => load("${file}");`).join("\n")}`,
        resolveDir: dirname(path),
      };
    }),
};

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleBins();
