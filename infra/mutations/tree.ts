/** A copy of the working tree that may be spoilt: sources are copied, installed packages are linked, and the workspace's own packages
 *  resolve to the copy. The checkout is only read. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

export interface Copy extends AsyncDisposable {
  readonly folder: string;
}

export function copyOf(root: string): Copy {
  const folder = mkdtempSync(join(tmpdir(), "smooth-mutations-"));
  for (const file of tracked(root)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    copyFileSync(join(root, file), join(folder, file));
  }
  buildsNothing(join(folder, "vitest.config.ts"));
  for (const at of [".", ...packageFolders(root)])
    if (existsSync(join(root, at, "node_modules"))) linkPackages(join(root, at), join(folder, at));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}

/** No test of a guard starts a shipped program, and these would be built anew for every mutation. */
function buildsNothing(config: string): void {
  writeFileSync(config, readFileSync(config, "utf8").replaceAll(/^\s*globalSetup,\n/gm, ""));
}

/** What git knows or would add, and what is really there. */
function tracked(root: string): readonly string[] {
  const args = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
  const { stdout } = spawnSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
  return [...new Set(stdout.split("\0"))].filter((file) => file !== "" && existsSync(join(root, file)));
}

const packageFolders = (root: string): readonly string[] =>
  ["packages", "apps"].flatMap((at) => readdirSync(join(root, at)).map((name) => join(at, name)));

/** A link of the workspace stays relative, and so leads into the copy. */
function linkPackages(from: string, to: string, at = "node_modules"): void {
  mkdirSync(join(to, at), { recursive: true });
  for (const name of readdirSync(join(from, at))) {
    const path = join(at, name);
    if (lstatSync(join(from, path)).isSymbolicLink()) symlinkSync(readlinkSync(join(from, path)), join(to, path));
    else if (name.startsWith("@")) linkPackages(from, to, path);
    else symlinkSync(join(from, path), join(to, path));
  }
}
