import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** What each workspace declares and what its sources really import, read from the files. */

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../../..");

export interface Workspace {
  readonly name: string;
  readonly dir: string;
  readonly declared: readonly string[];
  readonly imported: readonly string[];
  readonly doors: Readonly<Record<string, string>>;
  readonly sources: readonly string[];
}

interface Manifest {
  readonly name: string;
  readonly exports?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}

export function workspaces(): Workspace[] {
  return ["apps/*", "packages/*", "prisma"]
    .flatMap((pattern) => globSync(`${pattern}/package.json`, { cwd: ROOT }))
    .map(read);
}

function read(manifestPath: string): Workspace {
  const manifest = JSON.parse(readFileSync(join(ROOT, manifestPath), "utf8")) as Manifest;
  const dir = dirname(manifestPath);
  const sources = globSync(`${dir}/src/**/*.{ts,tsx}`, { cwd: ROOT }).toSorted();
  const own = manifest.name.replace("@smooth/", "");
  const imported = new Set(sources.flatMap((file) => importsOf(readFileSync(join(ROOT, file), "utf8"))));
  imported.delete(own);
  const declared = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }).filter((name) =>
    name.startsWith("@smooth/"),
  );
  return {
    name: own,
    dir,
    declared: declared.map((name) => name.slice("@smooth/".length)),
    imported: [...imported].toSorted(),
    doors: manifest.exports ?? {},
    sources,
  };
}

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:from|import)\s*\(?\s*"@smooth\/([a-z-]+)/g)].map((match) => match[1] ?? "");
}
