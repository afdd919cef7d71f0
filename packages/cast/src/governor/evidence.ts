/** What a verify command proved.
 *  E1. Exit code 0 is needed for green; a killed or timed-out command is never green.
 *  E2. Counts can only take green away: failures in the output, nothing run, or everything skipped are not green. */

export interface VerifyResult {
  /** Null: killed or timed out. */
  readonly exitCode: number | null;
  readonly output: string;
}

export interface Evidence {
  readonly green: boolean;
  readonly failing: number | null;
  readonly detail: string;
}

export function readVerify({ exitCode, output }: VerifyResult): Evidence {
  const counts = countTests(output);
  const failing = counts?.failed ?? null;
  if (exitCode === null) return { green: false, failing, detail: "the verify command did not finish" };
  if (exitCode !== 0)
    return {
      green: false,
      failing: failing === 0 ? null : failing,
      detail: failing ? `${failing} failing (exit code ${exitCode})` : `exit code ${exitCode}`,
    };
  if (!counts) return { green: true, failing: 0, detail: "exit code 0; the output tells no counts" };
  if (counts.failed > 0)
    return { green: false, failing, detail: `exit code 0, but the output reports ${counts.failed} failing` };
  if (counts.passed === 0)
    return {
      green: false,
      failing: null,
      detail: counts.skipped > 0 ? `all ${counts.skipped} tests were skipped` : "no test ran",
    };
  return {
    green: true,
    failing: 0,
    detail: `${counts.passed} passed${counts.skipped > 0 ? `, ${counts.skipped} skipped` : ""}`,
  };
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}
type Reader = (text: string) => readonly Counts[];

const MAX_OUTPUT = 1_000_000;

/** Several runners in one command add up. */
function countTests(output: string): Counts | null {
  const text = output
    .slice(-MAX_OUTPUT)
    .replace(/(?![\n\r\t])\p{Cc}\[[0-9;]{0,20}[A-Za-z]/gu, "")
    .replaceAll("\r", "");
  const found = READERS.flatMap((read) => read(text));
  return found.length === 0
    ? null
    : found.reduce((sum, next) => ({
        passed: sum.passed + next.passed,
        failed: sum.failed + next.failed,
        skipped: sum.skipped + next.skipped,
      }));
}

const READERS: readonly Reader[] = [nodeTest, summaryLine, pytest, unittest, cargo, goTest, mocha];

/** `# pass 3` (TAP) and `ℹ pass 3` (spec) of node --test; without them, plain TAP lines. */
function nodeTest(text: string): Counts[] {
  const of = (name: string): number => sum(text, new RegExp(`^(?:#|ℹ) ${name} (\\d+)$`, "gm"));
  if (/^(?:#|ℹ) (?:pass|fail) \d+$/m.test(text))
    return [{ passed: of("pass"), failed: of("fail") + of("cancelled"), skipped: of("skipped") + of("todo") }];
  if (!/^1\.\.\d+/m.test(text)) return [];
  const lines = text.split("\n").filter((line) => /^(?:not )?ok\b/.test(line));
  const skipped = lines.filter((line) => /# (?:skip|todo)/i.test(line)).length;
  const failed = lines.filter((line) => line.startsWith("not ok") && !/# (?:skip|todo)/i.test(line)).length;
  return [{ passed: lines.length - failed - skipped, failed, skipped }];
}

/** Vitest (`Tests  1 failed | 2 passed (3)`), Jest (`Tests: 1 failed, 2 passed, 3 total`), and our own one-line total. */
function summaryLine(text: string): Counts[] {
  const lines = text
    .split("\n")
    .filter(
      (line) =>
        /^\s{0,10}Tests:?\s{1,10}\d+ (?:failed|passed|skipped|todo)/.test(line) ||
        /^\d+ passed, \d+ failed, \d+ skipped$/.test(line.trim()) ||
        /^\s{0,10}Tests\s{1,10}no tests/.test(line),
    );
  return lines.map(words);
}

/** `=== 1 failed, 2 passed in 0.1s ===`, or the same line of `pytest -q`. */
function pytest(text: string): Counts[] {
  const lines = text
    .split("\n")
    .filter(
      (line) =>
        /^=* ?(?:\d+ [a-z]+,? ?)+ in [\d.]+s(?: \([\d:]+\))? ?=*$/.test(line.slice(0, 300)) ||
        /^=* ?no tests ran/.test(line),
    );
  return lines.map(words);
}

/** `Ran 3 tests in 0.1s` + `FAILED (failures=1, errors=1)` or `OK (skipped=3)`. */
function unittest(text: string): Counts[] {
  const ran = /^Ran (\d+) tests? in /m.exec(text);
  if (!ran) return [];
  const of = (name: string): number =>
    Number(new RegExp(`^(?:FAILED|OK) \\([^)\\n]{0,200}\\b${name}=(\\d+)`, "m").exec(text)?.[1] ?? 0);
  const [failed, skipped] = [of("failures") + of("errors"), of("skipped")];
  return [{ passed: Math.max(0, Number(ran[1]) - failed - skipped), failed, skipped }];
}

function cargo(text: string): Counts[] {
  return [...text.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/gm)].map((match) => ({
    passed: Number(match[1]),
    failed: Number(match[2]),
    skipped: Number(match[3]),
  }));
}

/** A package that passed without `-v` counts as one. */
function goTest(text: string): Counts[] {
  const count = (re: RegExp): number => text.match(re)?.length ?? 0;
  const verbose = {
    passed: count(/^--- PASS: /gm),
    failed: count(/^\s{0,20}--- FAIL: /gm),
    skipped: count(/^--- SKIP: /gm),
  };
  const packages = count(/^ok {2}\t\S+\t(?!.*\[no tests to run\])/gm);
  const broken = count(/^FAIL\t\S+/gm);
  if (verbose.passed + verbose.failed + verbose.skipped + packages + broken === 0) return [];
  return [
    {
      passed: verbose.passed + verbose.skipped > 0 ? verbose.passed : packages,
      failed: Math.max(verbose.failed, broken),
      skipped: verbose.skipped,
    },
  ];
}

function mocha(text: string): Counts[] {
  if (!/^\s{1,10}\d+ passing\b/m.test(text)) return [];
  return [
    {
      passed: sum(text, /^\s{1,10}(\d+) passing\b/gm),
      failed: sum(text, /^\s{1,10}(\d+) failing\b/gm),
      skipped: sum(text, /^\s{1,10}(\d+) pending\b/gm),
    },
  ];
}

function words(line: string): Counts {
  const of = (...names: string[]): number =>
    names.reduce((total, name) => total + Number(new RegExp(`(\\d+) ${name}\\b`).exec(line)?.[1] ?? 0), 0);
  return {
    passed: of("passed", "xpassed"),
    failed: of("failed", "errors?"),
    skipped: of("skipped", "todo", "deselected", "xfailed"),
  };
}

function sum(text: string, re: RegExp): number {
  return [...text.matchAll(re)].reduce((total, match) => total + Number(match[1]), 0);
}
