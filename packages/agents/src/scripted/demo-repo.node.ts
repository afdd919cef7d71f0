import { execFile } from "node:child_process";
import { cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Puts the sample repository of the demo on disk, with one commit on `main`.
 *  Q1. A folder that holds anything else is never touched.
 *  Q2. The folder appears complete or not at all: it is made beside and moved. */

export type Seeded =
  | { readonly kind: "seeded" | "already-there"; readonly dir: string }
  | { readonly kind: "refused"; readonly message: string };

const DEMO = fileURLToPath(new URL("../../../../infra/demo/", import.meta.url));
const MARKER = join(".git", "smooth-sample");

export async function seedSampleRepo(dir: string): Promise<Seeded> {
  if (await exists(join(dir, MARKER))) return { kind: "already-there", dir };
  const entries = await readdir(dir).catch(() => []);
  if (entries.length > 0 || (await isFile(dir)))
    return { kind: "refused", message: `${dir} is in use; the sample repository wants an empty folder` }; // Q1
  const draft = `${dir}.draft-${process.pid}`;
  await mkdir(dirname(dir), { recursive: true });
  await rm(draft, { recursive: true, force: true });
  await cp(join(DEMO, "sample-repo"), draft, { recursive: true });
  await git(draft, "init", "--quiet", "--initial-branch=main", "--template=");
  await git(draft, "add", "--all");
  await git(draft, "commit", "--quiet", "--no-verify", "--message=Sample: durations as people write them");
  await writeFile(join(draft, MARKER), "");
  await rename(draft, dir); // Q2
  return { kind: "seeded", dir };
}

/** The page behind DEFAULT_SPEC_URL, for whoever plays the internet. */
export function demoSpec(): Promise<string> {
  return readFile(join(DEMO, "duration-format.md"), "utf8");
}

async function git(cwd: string, ...args: readonly string[]): Promise<void> {
  const identity = ["-c", "user.name=Smooth sample", "-c", "user.email=sample@smooth.invalid"];
  const quiet = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false"];
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("GIT_")));
  await promisify(execFile)("git", [...identity, ...quiet, ...args], { cwd, env });
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
const isFile = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => !found.isDirectory(),
    () => false,
  );
