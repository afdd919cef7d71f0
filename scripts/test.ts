/** `npm test`: static gates, build, unit and machine tests, browser stories. Ends with one line: `N passed, N failed, N skipped`. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runGates } from "./check.ts";

const root = join(import.meta.dirname, "..");
const report = { vitest: join(root, ".data/vitest.json"), playwright: join(root, ".data/playwright.json") };
const env = {
  ...process.env,
  CI: "true",
  TURBO_TELEMETRY_DISABLED: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  PATH: `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`,
};
const total = { passed: 0, failed: 0, skipped: 0 };

function step(name: string, command: string, args: readonly string[]): boolean {
  console.log(`\n[test] ${name}`);
  const startedMs = performance.now();
  const { status } = spawnSync(command, args, { cwd: root, env, stdio: "inherit" });
  console.log(
    `[test] ${name}: ${status === 0 ? "ok" : "FAILED"} (${((performance.now() - startedMs) / 1_000).toFixed(1)} s)`,
  );
  return status === 0;
}

/** A runner that wrote no report, or failed without a failing test, counts as one failure. */
function count(file: string, ran: boolean, read: (json: never) => typeof total): void {
  const seen = existsSync(file)
    ? read(JSON.parse(readFileSync(file, "utf8")) as never)
    : { passed: 0, failed: 1, skipped: 0 };
  total.passed += seen.passed;
  total.failed += Math.max(seen.failed, ran ? 0 : 1);
  total.skipped += seen.skipped;
}

mkdirSync(join(root, ".data"), { recursive: true });
rmSync(report.vitest, { force: true });
rmSync(report.playwright, { force: true });
step("system packages", "sh", ["scripts/system-deps", "--tests"]);
const gates = runGates();
total.failed += gates;
if (!step("build", "turbo", ["run", "build", "--output-logs=errors-only"])) total.failed += 1;

const vitest = step("unit and machine tests", "vitest", ["run"]);
count(
  report.vitest,
  vitest,
  ({ numPassedTests, numFailedTests, numPendingTests, numTodoTests }: Record<string, number>) => ({
    passed: numPassedTests ?? 0,
    failed: numFailedTests ?? 0,
    skipped: (numPendingTests ?? 0) + (numTodoTests ?? 0),
  }),
);

const stories = step("browser stories", "playwright", ["test"]);
count(
  report.playwright,
  stories,
  ({ stats }: { stats: Record<"expected" | "unexpected" | "flaky" | "skipped", number> }) => ({
    passed: stats.expected,
    failed: stats.unexpected + stats.flaky,
    skipped: stats.skipped,
  }),
);

console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);
