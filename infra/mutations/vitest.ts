/** Runs a few tests by their titles in a folder, and tells what became of each. */
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { pattern, type TestName } from "./guard.ts";

/** `missing`: it did not run at all, because there is none or because its file could not be loaded. */
export type Fate = "passed" | "failed" | "missing";

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

/** Without its guard a test may wait for ever; one that starts processes needs longer. */
const TEST_MS = 8_000;
const MACHINE_TEST_MS = 60_000;
/** What does not even come to its limit is missing. Per file, on a busy machine. */
const PATIENCE_MS = 120_000;

export async function fates(folder: string, tests: readonly TestName[]): Promise<(test: TestName) => Fate> {
  const scratch = mkdtempSync(join(tmpdir(), "smooth-fates-"));
  const report = join(scratch, "report.json");
  const files = [...new Set(tests.map(([file]) => file))];
  const titles = [...new Set(tests.map(([, title]) => `(?:${pattern(title)})`))];
  const limit = files.some((file) => file.includes(".machine.")) ? MACHINE_TEST_MS : TEST_MS;
  const args = [
    "run",
    "--reporter=json",
    `--outputFile=${report}`,
    `--testTimeout=${limit}`,
    "-t",
    titles.join("|"),
    ...files,
  ];
  await ended(folder, args, files.length * PATIENCE_MS);
  try {
    const results = readResults(report, folder);
    return ([file, title]) => {
      const own = results.filter(
        (result) => result.file === file && new RegExp(`^${pattern(title)}$`, "s").test(result.title),
      );
      if (own.some(({ status }) => status === "failed")) return "failed";
      return own.some(({ status }) => status === "passed") ? "passed" : "missing";
    };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function readResults(report: string, folder: string) {
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
    return testResults.flatMap(({ name, assertionResults }) =>
      assertionResults.map(({ title, status }) => ({ file: relative(folder, name), title, status })),
    );
  } catch {
    return []; // it was killed before it could report
  }
}

/** Without its guard a test may leave processes behind: where the system allows it, they end with their namespace. */
const FENCE = ["unshare", ...(process.getuid?.() === 0 ? [] : ["--user", "--map-current-user"])];
FENCE.push("--pid", "--fork", "--kill-child", "--mount-proc", "--");
const fence = spawnSync(FENCE[0] ?? "", [...FENCE.slice(1), "true"]).status === 0 ? FENCE : [];

function ended(folder: string, args: readonly string[], patienceMs: number): Promise<void> {
  const [program = "", ...rest] = [...fence, join(folder, "node_modules/.bin/vitest"), ...args];
  const child = spawn(program, rest, { cwd: folder, stdio: "ignore", detached: true, env: { ...process.env, CI: "" } });
  const patience = setTimeout(() => child.pid && process.kill(-child.pid, "SIGKILL"), patienceMs);
  return new Promise((resolve) =>
    child.once("close", () => {
      clearTimeout(patience);
      resolve();
    }),
  );
}
