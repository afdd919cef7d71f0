/** Composites that run commands of this machine. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { h } from "../jsx-runtime.ts";
import { CheckSuite } from "./check-suite.node.ts";
import { Runbook } from "./runbook.node.ts";
import { agent, outputs, runToEnd } from "./testing.ts";

describe("CheckSuite", () => {
  const suite = (strategy: "all-pass" | "majority" | "any-pass") =>
    h(CheckSuite, {
      checks: { ok: { command: "true" }, fine: { agent: agent(() => ({ passed: true })) }, bad: { command: "exit 3" } },
      verdictOutput: outputs.judged,
      strategy,
    });

  test.each([
    ["all-pass", false],
    ["majority", true],
    ["any-pass", true],
  ] as const)("really runs the commands and counts the verdict: %s is %s", async (strategy, passed) => {
    const ran = await runToEnd(() => suite(strategy));

    expect(ran.result.status).toBe("finished");
    expect(await ran.row("judged", "checksuite-bad")).toMatchObject({ passed: false, exitCode: 3 });
    const summary = "2 of 3 checks passed; failed: bad";
    expect(await ran.row("judged", "checksuite-verdict")).toMatchObject({ passed, failed: ["bad"], summary });
  });

  test("continueOnFail={false}: a check that does not pass fails the run", async () => {
    const strict = { checks: [{ command: "exit 3" }], verdictOutput: outputs.judged, continueOnFail: false };
    expect((await runToEnd(() => h(CheckSuite, strict))).result).toMatchObject({
      status: "failed",
      error: { code: "TASK_FAILED", message: "exit 3: exit code 3" },
    });
  });
});

describe("Runbook", () => {
  const folder = mkdtempSync(join(tmpdir(), "runbook-"));
  afterAll(() => rmSync(folder, { recursive: true }));
  const steps = (name: string) => [
    { id: "look", command: `echo looked >> ${folder}/${name}`, risk: "safe" as const },
    { id: "migrate", command: `echo migrated >> ${folder}/${name}`, risk: "critical" as const },
    { id: "check", command: `echo checked >> ${folder}/${name}`, risk: "safe" as const },
  ];
  const book = (name: string, more: object = {}) =>
    h(Runbook, { steps: steps(name), stepOutput: outputs.made, ...more });
  const done = (name: string): string => readFileSync(join(folder, name), "utf8").replaceAll("\n", " ").trim();

  test("runs safe steps, stops before a critical one, and goes on once it is approved", async () => {
    const ran = await runToEnd(() => book("approved", { approvalOutput: outputs.decided }));
    const gate = { nodeId: "runbook-migrate-approval-decision", iteration: 0 };
    expect(ran.result).toMatchObject({ status: "waiting-approval", waiting: [gate] });
    expect(done("approved")).toBe("looked");
    const [open] = await ran.store.approvals({ only: "open" });
    expect(open?.request.metadata).toMatchObject({ risk: "critical", elevated: true });

    await ran.answer("approve");
    expect(await ran.resumed()).toMatchObject({ status: "finished" });
    expect(done("approved")).toBe("looked migrated checked");
  });

  test.each(["skip", "fail"] as const)(
    "denied with onDeny=%s, nothing of it and nothing after it happens",
    async (onDeny) => {
      const ran = await runToEnd(() => book(onDeny, { approvalOutput: outputs.decided, onDeny }));

      await ran.answer("deny");

      expect((await ran.resumed()).status).toBe(onDeny === "skip" ? "finished" : "failed");
      expect(done(onDeny)).toBe("looked");
    },
  );

  test("without a place for decisions the step itself is held back", async () => {
    const ran = await runToEnd(() => book("held"));
    expect(ran.result).toMatchObject({ status: "waiting-approval", waiting: [{ nodeId: "runbook-migrate" }] });
    expect(done("held")).toBe("looked");
  });

  test("a step that fails stops the rest, with what it said", async () => {
    const failing = [{ id: "a", command: "echo broken pipe; exit 9", risk: "safe" as const }, ...steps("failed")];
    const ran = await runToEnd(() => h(Runbook, { steps: failing, stepOutput: outputs.made }));

    expect(ran.result).toMatchObject({ status: "failed", error: { nodeId: "runbook-a" } });
    expect(JSON.stringify(ran.result)).toContain("broken pipe");
    expect(() => done("failed")).toThrow("ENOENT");
  });
});
