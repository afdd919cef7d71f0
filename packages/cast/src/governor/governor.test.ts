import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideTurn, type Turn } from "./decide-turn.ts";
import { detectVerify } from "./detect-verify.ts";
import { readVerify } from "./evidence.ts";

const red = (failing: number | null, costUsd: number | null = null): Turn => ({ green: false, failing, costUsd });
const after = (...history: Turn[]) => decideTurn({ history, budgetUsd: null });

describe("decideTurn", () => {
  test("starts, and goes on while it gets better", () => {
    expect(after()).toEqual({ kind: "continue", turn: 1 });
    expect(after(red(9), red(5), red(2))).toEqual({ kind: "continue", turn: 4 });
  });

  test("green stops, even when cancelled or over budget at that moment", () => {
    const history = [red(1, 5), { green: true, failing: 0, costUsd: 5 }];
    expect(decideTurn({ history, budgetUsd: 1, cancelled: true })).toMatchObject({ kind: "stop", reason: "green" });
  });

  test("few failures without improvement are a plateau; many are not", () => {
    expect(after(red(3), red(3))).toMatchObject({ reason: "plateau" });
    expect(after(red(3), red(null))).toMatchObject({ reason: "plateau", restoreTurn: 1 });
    expect(after(red(4), red(4))).toMatchObject({ kind: "continue" });
    expect(after(red(2))).toMatchObject({ kind: "continue" });
  });

  test("stops before the turn that would break the budget", () => {
    expect(decideTurn({ history: [red(9, 0.4), red(8, 0.4)], budgetUsd: 1.2 })).toMatchObject({ kind: "continue" });
    expect(decideTurn({ history: [red(9, 0.4), red(8, 0.5)], budgetUsd: 1.2 })).toMatchObject({
      kind: "stop",
      reason: "budget",
    });
  });

  test("V3: unpriced is said, not counted as $0 in words", () => {
    expect(decideTurn({ history: [red(9, 0.9), red(8)], budgetUsd: 1 })).toMatchObject({
      reason: "budget",
      detail: expect.stringContaining("1 turn(s) unpriced") as string,
    });
    expect(decideTurn({ history: [red(9), red(8)], budgetUsd: 1 })).toMatchObject({ kind: "continue" });
  });

  test("the cap holds, five by default", () => {
    expect(after(red(9), red(8), red(7), red(6), red(5))).toMatchObject({ reason: "cap" });
    expect(decideTurn({ history: [red(9)], budgetUsd: null, cap: 1 })).toMatchObject({ reason: "cap" });
  });

  test("V2: a worse end restores the first best turn; the best end restores nothing", () => {
    expect(after(red(9), red(5), red(7), red(5), red(8))).toMatchObject({ reason: "cap", restoreTurn: 2 });
    expect(after(red(9), red(8), red(7), red(6), red(5))).not.toHaveProperty("restoreTurn");
    expect(decideTurn({ history: [red(4), red(6)], budgetUsd: null, cancelled: true })).toMatchObject({
      reason: "cancelled",
      restoreTurn: 1,
    });
  });

  test("always ends within the cap, with a reason", () => {
    const turn = fc.record({
      green: fc.boolean(),
      failing: fc.option(fc.nat(20)),
      costUsd: fc.option(fc.float({ min: 0, max: 5, noNaN: true })),
    });
    fc.assert(
      fc.property(
        fc.array(turn, { maxLength: 10 }),
        fc.option(fc.float({ min: 0, max: 10, noNaN: true })),
        (history, budgetUsd) => {
          const decision = decideTurn({ history, budgetUsd, cap: 4 });
          expect(decision.kind === "stop" || history.length < 4).toBe(true);
          expect(decision.kind === "stop" && decision.reason === "green").toBe(history.at(-1)?.green ?? false);
        },
      ),
    );
  });
});

describe("readVerify", () => {
  test.each<[string, number | null, string, { green: boolean; failing: number | null }]>([
    [
      "node --test, TAP",
      0,
      "TAP version 13\nok 1 - a\n1..1\n# tests 1\n# pass 1\n# fail 0\n# cancelled 0\n# skipped 0\n# todo 0",
      { green: true, failing: 0 },
    ],
    [
      "node --test, spec",
      1,
      "✖ b\nℹ tests 3\nℹ pass 1\nℹ fail 2\nℹ cancelled 0\nℹ skipped 0",
      { green: false, failing: 2 },
    ],
    ["node --test, all skipped", 0, "# tests 2\n# pass 0\n# fail 0\n# skipped 2", { green: false, failing: null }],
    ["node --test, nothing", 0, "# tests 0\n# pass 0\n# fail 0\n# skipped 0", { green: false, failing: null }],
    ["TAP", 1, "1..3\nok 1\nnot ok 2 - x\nok 3 # SKIP", { green: false, failing: 1 }],
    [
      "vitest in colour",
      1,
      "\u001b[2m      Tests \u001b[22m \u001b[31m4 failed\u001b[39m | 379 passed (383)",
      { green: false, failing: 4 },
    ],
    ["vitest green", 0, " Test Files  8 passed (8)\n      Tests  383 passed (383)", { green: true, failing: 0 }],
    ["vitest all skipped", 0, "      Tests  3 skipped (3)", { green: false, failing: null }],
    ["jest", 1, "Tests:       1 failed, 2 skipped, 3 passed, 6 total", { green: false, failing: 1 }],
    ["pytest", 1, "===== 2 failed, 3 passed, 1 error in 0.12s =====", { green: false, failing: 3 }],
    ["pytest -q", 0, "....\n4 passed in 0.01s", { green: true, failing: 0 }],
    ["pytest all skipped", 0, "== 3 skipped in 0.01s ==", { green: false, failing: null }],
    ["pytest nothing", 5, "== no tests ran in 0.01s ==", { green: false, failing: null }],
    ["unittest", 1, "Ran 5 tests in 0.001s\n\nFAILED (failures=1, errors=2, skipped=1)", { green: false, failing: 3 }],
    ["unittest ok", 0, "Ran 5 tests in 0.001s\n\nOK", { green: true, failing: 0 }],
    [
      "cargo, two crates",
      101,
      "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured\ntest result: FAILED. 1 passed; 2 failed; 0 ignored;",
      { green: false, failing: 2 },
    ],
    ["go", 1, "--- FAIL: TestA (0.00s)\nFAIL\texample.org/x\t0.1s", { green: false, failing: 1 }],
    ["go ok", 0, "ok  \texample.org/x\t0.1s", { green: true, failing: 0 }],
    ["mocha", 1, "  3 passing (10ms)\n  1 failing", { green: false, failing: 1 }],
    ["exit code only", 0, "done", { green: true, failing: 0 }],
    ["exit code only, red", 2, "compile error", { green: false, failing: null }],
    ["killed", null, "      Tests  3 passed (3)", { green: false, failing: 0 }],
    ["E2: exit 0 with failures", 0, "      Tests  1 failed | 3 passed (4)", { green: false, failing: 1 }],
    [
      "E1: prose is no evidence",
      1,
      "All tests pass! 100 passed, 0 failed. Great success.",
      { green: false, failing: null },
    ],
    [
      "red with zero counted failures has an unknown number",
      1,
      "      Tests  3 passed (3)\nlint failed",
      { green: false, failing: null },
    ],
  ])("%s", (_name, exitCode, output, evidence) => expect(readVerify({ exitCode, output })).toMatchObject(evidence));

  test("any output gives evidence, and a nonzero exit is never green", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 1, max: 255 }), (output, exitCode) => {
        expect(readVerify({ exitCode, output }).green).toBe(false);
      }),
    );
  });
});

test("detectVerify names the usual command or nothing", () => {
  const manifest = (test: string): string => JSON.stringify({ scripts: { test } });
  expect(detectVerify({ files: ["package.json"], packageJson: manifest("vitest run") })).toBe("npm test");
  expect(detectVerify({ files: ["package.json", "pnpm-lock.yaml"], packageJson: manifest("vitest run") })).toBe(
    "pnpm test",
  );
  expect(
    detectVerify({ files: ["package.json"], packageJson: manifest('echo "Error: no test specified" && exit 1') }),
  ).toBeNull();
  expect(detectVerify({ files: ["package.json"], packageJson: "not json" })).toBeNull();
  expect(detectVerify({ files: ["Cargo.toml"] })).toBe("cargo test");
  expect(detectVerify({ files: ["pyproject.toml"] })).toBe("python3 -m pytest -q");
  expect(detectVerify({ files: ["go.mod"] })).toBe("go test ./...");
  expect(detectVerify({ files: ["Makefile"], makefile: "all:\n\ntest: all\n" })).toBe("make test");
  expect(detectVerify({ files: ["README.md"] })).toBeNull();
});
