// Opens what `scripts/bundle.mjs` made of a program. Plain JavaScript, and no module is loaded that `--version` does not need.
const { readFileSync, existsSync, mkdirSync } = process.getBuiltinModule("node:fs");
const dist = new URL("../../dist/", import.meta.url);

export async function open(name) {
  if (process.argv[2] === "--version") {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", dist), "utf8"));
    return process.stdout.write(`${version}\n`);
  }
  if (Number(process.versions.node.split(".")[0]) < 24)
    refuse(`${name} needs Node 24 or newer; this is ${process.versions.node}`, name);
  const program = new URL(`${name}.js`, dist);
  if (!existsSync(program)) refuse(`${name} is not built yet`, name);
  keepCompiled();
  readableStacks();
  await import(program);
}

function refuse(why, name) {
  process.stderr.write(`${why}\nstart it through npm, which sees to it: npm run ${name} -- …\n`);
  process.exit(4);
}

/** What V8 compiled once is kept in the user's own folder, and the next start takes half the time. */
function keepCompiled() {
  const home = process.env.SMOOTH_HOME ?? `${process.getBuiltinModule("node:os").homedir()}/.smooth`;
  const folder = process.getBuiltinModule("node:path").resolve(home, "cache/node");
  if (!make(folder)) return; // whoever needs the home says so
  process.getBuiltinModule("node:module").enableCompileCache(folder);
}

/** Folder by folder: Node's own ways to make them all never return where one is refused as if the one above it were missing (/proc). */
function make(folder) {
  if (existsSync(folder)) return true;
  if (!make(process.getBuiltinModule("node:path").dirname(folder))) return false;
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch {}
  return existsSync(folder);
}

/** Errors name sources: ours, and the workflow files that Node has maps of. Ours are read when the first stack is asked for;
 *  Node's own switch would read them all at every start. */
function readableStacks() {
  const { findSourceMap, SourceMap } = process.getBuiltinModule("node:module");
  const read = (file) => new SourceMap(JSON.parse(readFileSync(new URL(`${file}.map`), "utf8")));
  const maps = new Map();
  const mapOf = (file) => {
    if (!maps.has(file)) maps.set(file, file.startsWith(dist.href) ? read(file) : findSourceMap(file));
    return maps.get(file);
  };
  const inSource = (frame, ...[file, line, column]) => {
    const { originalSource, originalLine, originalColumn } = mapOf(file)?.findEntry(line - 1, column - 1) ?? {};
    return originalSource === undefined
      ? frame
      : `${new URL(originalSource, file).href}:${originalLine + 1}:${originalColumn + 1}`;
  };
  Error.prepareStackTrace = (error, sites) =>
    [String(error), ...sites.map((site) => String(site).replace(/(file:\S+?):(\d+):(\d+)/, inSource))].join(
      "\n    at ",
    );
}
