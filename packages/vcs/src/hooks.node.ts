/** What git runs by itself in a repository. It is asked where it looks; nothing is run.
 *  H1. Every configured `core.hooksPath` counts, from each worktree's own root, and the folder that git looks into without one.
 *  H2. A link in such a folder makes a hook of what it leads to. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";
import process from "node:process";
import { foldCase, realOf } from "@smooth/platform/node/real-path";
import { vcsRootOf } from "./files.node.ts";

/** Whether a change of that path (absolute, there or not) changes what git runs. Git is asked once, when it is first needed. */
export function hooksAround(root: string): (path: string) => boolean {
  const byTop = new Map<string, readonly string[]>();
  const hooksAt = (top: string): readonly string[] => {
    const known = byTop.get(top) ?? hooksOf(top);
    byTop.set(top, known);
    return known;
  };
  return (path) => {
    const asked = [foldCase(path), foldCase(realOf(path))];
    const hooks = hooksAt(vcsRootOf(dirname(path)) ?? root);
    return hooks.some((hook) => asked.some((one) => one === hook || one.startsWith(hook + sep)));
  };
}

function hooksOf(top: string): readonly string[] {
  const configured = ask(top, ["config", "--type=path", "-z", "--get-all", "core.hooksPath"]).split("\0");
  const common = ask(top, ["rev-parse", "--path-format=absolute", "--git-common-dir"]).trim();
  const folders = [
    ...configured.filter((path) => path !== "").map((path) => resolve(top, path)),
    ...(common === "" ? [] : [join(common, "hooks")]),
  ]; // H1
  const linked = folders.flatMap((folder) => entriesOf(folder).map((name) => realOf(join(folder, name)))); // H2
  return [...new Set([...folders, ...folders.map(realOf), ...linked].map(foldCase))];
}

/** "": there is no such thing. */
function ask(top: string, args: readonly string[]): string {
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"], XDG_CONFIG_HOME: process.env["XDG_CONFIG_HOME"] };
  try {
    return execFileSync("git", ["-C", top, ...args], { env, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

const entriesOf = (folder: string): readonly string[] => (existsSync(folder) ? readdirSync(folder) : []);
