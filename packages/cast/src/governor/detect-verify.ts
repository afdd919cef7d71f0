import { z } from "zod";

/** Finds the command that proves a repository works, when the pearl declares none. Null: ask a person rather than guess. */

export interface RepoListing {
  /** Names in the root folder. */
  readonly files: readonly string[];
  readonly packageJson?: string | undefined;
  readonly makefile?: string | undefined;
}

const Manifest = z.looseObject({
  scripts: z.record(z.string(), z.string()).optional(),
  packageManager: z.string().optional(),
});

export function detectVerify({ files, packageJson, makefile }: RepoListing): string | null {
  const has = (name: string): boolean => files.includes(name);
  const script = packageJson === undefined ? undefined : readScripts(packageJson)["test"];
  if (script !== undefined && !/no test specified/.test(script)) return `${packageManager(files)} test`;
  if (has("Cargo.toml")) return "cargo test";
  if (has("go.mod")) return "go test ./...";
  if (["pytest.ini", "conftest.py", "tox.ini", "pyproject.toml", "setup.py"].some(has)) return "python3 -m pytest -q";
  if (makefile !== undefined && /^(?:test|check)\s{0,4}:/m.test(makefile))
    return /^test\s{0,4}:/m.test(makefile) ? "make test" : "make check";
  if (has("deno.json") || has("deno.jsonc")) return "deno test -A";
  if (has("gradlew")) return "./gradlew test";
  if (has("pom.xml")) return "mvn -q test";
  if (has("mix.exs")) return "mix test";
  return null;
}

function packageManager(files: readonly string[]): string {
  if (files.includes("pnpm-lock.yaml")) return "pnpm";
  if (files.includes("yarn.lock")) return "yarn";
  return files.includes("bun.lock") || files.includes("bun.lockb") ? "bun run" : "npm";
}

function readScripts(packageJson: string): Record<string, string> {
  try {
    return Manifest.parse(JSON.parse(packageJson)).scripts ?? {};
  } catch {
    return {};
  }
}
