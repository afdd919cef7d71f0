import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A person's own git repository, at a path they chose. */

export interface Repository {
  readonly path: string;
  git(...args: readonly string[]): string;
}

export function makeRepository(path: string, files: Readonly<Record<string, string>>): Repository {
  const git = (...args: readonly string[]): string =>
    execFileSync("git", ["-C", path, ...args], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trimEnd();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Ada");
  git("config", "user.email", "ada@example.com");
  git("add", "-A");
  git("commit", "-q", "-m", "start");
  return { path, git };
}
