/** Which files and packages a loaded workflow is made of, seen while Node loads it.
 *  G1. A file counts with the content that was loaded, not with what is on disk now.
 *  G2. What a package imports is its own business: packages count by name and version. */
import { readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256 } from "@smooth/engine/sha256";
import type { WorkflowSource } from "@smooth/engine/metadata";

export interface ImportGraph {
  /** `parent` imports `child`. */
  imports(parent: string, child: string, relative: boolean): void;
  /** The file of this URL is being loaded now. */
  loaded(url: string): void;
  /** Everything that `entry` reaches over relative imports. */
  source(entry: string): WorkflowSource;
  /** Whether those files are on disk as they were loaded. */
  isCurrent(entry: string): boolean;
}

interface Module {
  readonly hash: string;
  readonly files: Set<string>;
  readonly packages: Map<string, string>;
}

export function importGraph(): ImportGraph {
  const modules = new Map<string, Module>();
  const reached = (entry: string): readonly string[] => {
    const seen = new Set([entry]);
    for (const url of seen) for (const child of modules.get(url)?.files ?? []) seen.add(child);
    return [...seen].filter((url) => modules.has(url));
  };
  return {
    imports(parent, child, isRelative) {
      const importer = modules.get(parent);
      if (!importer || !child.startsWith("file:")) return;
      if (isRelative) importer.files.add(child);
      else for (const { name, version } of packageOf(fileURLToPath(child))) importer.packages.set(name, version);
    },
    loaded(url) {
      modules.set(url, { hash: hashOf(url), files: new Set(), packages: new Map() });
    },
    source(entry) {
      const folder = dirname(fileURLToPath(entry));
      const urls = reached(entry);
      const nameOf = (url: string): string => relative(folder, fileURLToPath(url));
      return {
        entry: nameOf(entry),
        files: sorted(urls.map((url) => [nameOf(url), modules.get(url)?.hash ?? ""])),
        packages: sorted(urls.flatMap((url) => [...(modules.get(url)?.packages ?? [])])),
      };
    },
    isCurrent: (entry) => reached(entry).every((url) => modules.get(url)?.hash === hashOf(url)),
  };
}

const sorted = (entries: readonly (readonly [string, string])[]): Record<string, string> =>
  Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** A file that is gone has no hash, and so it is not what was loaded. */
function hashOf(url: string): string {
  const file = fileURLToPath(url);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return "";
  return sha256(readFileSync(file, "utf8"));
}

/** The nearest package.json that says a version; a folder without one belongs to no package. */
function packageOf(file: string): readonly { readonly name: string; readonly version: string }[] {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (!statSync(manifest, { throwIfNoEntry: false })?.isFile()) continue;
    const { name, version } = JSON.parse(readFileSync(manifest, "utf8")) as { name?: string; version?: string };
    if (name !== undefined && version !== undefined) return [{ name, version }];
  }
  return [];
}
