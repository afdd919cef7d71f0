/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about budgets. */
import type { ReactElement } from "react";
import { lastResult } from "@smooth/engine/run";
import { describe, expect, test } from "vitest";
import {
  Approval,
  Aspects,
  ContinueAsNew,
  Loop,
  outputs,
  Sequence,
  smithers,
  Task,
  TryCatchFinally,
  Workflow,
} from "../testing/rules.ts";
import type { GenerateArgs } from "@smooth/engine/task";
import { decideAsk, runToEnd, testEngine } from "../testing/run-in-memory.ts";

const spending = (tokens: number, costUsd?: number) => ({
  generate: async () => ({
    output: { text: "x" },
    usage: { inputTokens: tokens, outputTokens: 0, ...(costUsd === undefined ? {} : { costUsd }) },
  }),
});
const Spend = ({ id, tokens = 0, costUsd }: { id: string; tokens?: number; costUsd?: number }) => (
  <Task id={id} output={outputs.text} agent={spending(tokens || 1, costUsd)} retries={5}>
    Spend.
  </Task>
);
const wf = (children: ReactElement) => smithers(() => <Workflow name="aspects">{children}</Workflow>);
const ended = (lines: readonly string[]) => lines.filter((line) => /finished|failed|skipped/.test(line));

describe("a token budget", () => {
  const three = (onExceeded: "fail" | "warn" | "skip-remaining" | undefined) => (
    <Aspects tokenBudget={{ max: 150, ...(onExceeded ? { onExceeded } : {}) }}>
      <Spend id="a" tokens={100} />
      <Spend id="b" tokens={100} />
      <Spend id="c" tokens={100} />
    </Aspects>
  );

  test("fails by default the task that breaks it, without a retry, and nothing starts after it", async () => {
    const run = await runToEnd(wf(three(undefined)));

    expect(run.result).toMatchObject({ status: "failed", error: { code: "ASPECT_BUDGET_EXCEEDED", nodeId: "b" } });
    expect(ended(run.trace())).toEqual(["node.finished a#0", "node.failed b#0"]);
  });

  test("with warn only says so, once", async () => {
    const run = await runToEnd(wf(three("warn")));

    expect(run.result.status).toBe("finished");
    expect(run.log.lines.filter((line) => line.event === "aspects.exceeded")).toHaveLength(1);
  });

  test("with skip-remaining lets what runs end and skips the rest, and what depends on it", async () => {
    const run = await runToEnd(
      wf(
        <Sequence>
          {three("skip-remaining")}
          <Task id="after" output={outputs.n}>
            {{ n: 1 }}
          </Task>
          <Task id="dependent" output={outputs.n} dependsOn={["c"]}>
            {{ n: 1 }}
          </Task>
        </Sequence>,
      ),
    );

    expect(run.result.status).toBe("finished");
    expect(ended(run.trace()).slice(2)).toEqual([
      "node.skipped c#0",
      "node.finished after#0",
      "node.skipped dependent#0",
    ]);
  });

  test("is a failure like any other: a try catches it", async () => {
    const run = await runToEnd(
      wf(
        <TryCatchFinally
          id="t"
          try={three(undefined)}
          catch={({ code }) => (
            <Task id={`caught-${code}`} output={outputs.n}>
              {{ n: 1 }}
            </Task>
          )}
        />,
      ),
    );

    expect(run.result.status).toBe("finished");
    expect(run.trace()).toContain("node.finished caught-ASPECT_BUDGET_EXCEEDED#0");
  });

  test("is enforced while a task reports what it uses", async () => {
    let aborted = false;
    const greedy = {
      generate: ({ reportUsage, signal }: GenerateArgs) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => ((aborted = true), reject(new Error("stopped"))));
          reportUsage({ inputTokens: 200 });
        }),
    };
    const run = await runToEnd(
      wf(
        <Aspects tokenBudget={{ max: 1_000, perTask: 150 }}>
          <Task id="greedy" output={outputs.text} agent={greedy}>
            Spend.
          </Task>
        </Aspects>,
      ),
    );

    expect(aborted).toBe(true);
    expect(run.result).toMatchObject({
      status: "failed",
      error: { code: "ASPECT_BUDGET_EXCEEDED", message: expect.stringContaining("150 tokens per task") },
    });
  });

  test("that one task broke for itself does not stop the others", async () => {
    const run = await runToEnd(
      wf(
        <Aspects tokenBudget={{ max: 1_000, perTask: 150 }}>
          <TryCatchFinally id="t" try={<Spend id="greedy" tokens={200} />} catch={<Spend id="modest" />} />
        </Aspects>,
      ),
    );

    expect(run.result.status).toBe("finished");
    expect(ended(run.trace())).toEqual(["node.failed greedy#0", "node.finished modest#0"]);
  });

  test("counts every pass of a loop, and what was spent before a resume", async () => {
    const workflow = wf(
      <Aspects tokenBudget={{ max: 250 }}>
        <Spend id="a" tokens={100} />
        <Approval id="ask" output={outputs.decision} request={{ title: "Go on?" }} />
        <Loop id="l" maxIterations={5}>
          <Spend id="b" tokens={100} />
        </Loop>
      </Aspects>,
    );
    const engine = testEngine();
    const { runId, result } = await engine.start(workflow);
    await result;
    await decideAsk(engine, runId, "approve");

    expect(await (await engine.resume(workflow, runId)).result).toMatchObject({
      status: "failed",
      error: { code: "ASPECT_BUDGET_EXCEEDED" },
    });
    expect(ended(engine.trace()).slice(2)).toEqual(["node.finished b#0", "node.failed b#1"]);
  });

  test("an inner Aspects replaces one budget and inherits the others; a task outside is free, and what it spent counts", async () => {
    const run = await runToEnd(
      wf(
        <Sequence>
          <Spend id="outside" tokens={100} costUsd={2} />
          <Aspects tokenBudget={{ max: 50 }} costBudget={{ maxUsd: 1 }}>
            <Aspects tokenBudget={{ max: 500 }}>
              <Spend id="inside" />
            </Aspects>
          </Aspects>
        </Sequence>,
      ),
    );

    expect(run.result).toMatchObject({
      status: "failed",
      error: { nodeId: "inside", message: expect.stringContaining("cost budget of 1 USD") },
    });
    expect(run.trace()).not.toContain("node.started inside#0");
  });
});

describe("a latency SLO", () => {
  test("stops an attempt that takes longer than perTask, once and for all", async () => {
    const engine = testEngine();
    const handle = await engine.start(
      wf(
        <Aspects latencySlo={{ maxMs: 100_000, perTask: 500 }}>
          <Task id="slow" output={outputs.n}>
            {() => new Promise<{ n: number }>(() => {})}
          </Task>
        </Aspects>,
      ),
    );
    await engine.clock.advance(500);

    expect(await handle.result).toMatchObject({ status: "failed", error: { code: "ASPECT_BUDGET_EXCEEDED" } });
  });

  test("starts nothing once the run is older than maxMs, counted from its first row", async () => {
    const engine = testEngine();
    const handle = await engine.start(
      wf(
        <Aspects latencySlo={{ maxMs: 1_000 }}>
          <Task id="first" output={outputs.n}>
            {() => engine.clock.sleep(2_000).then(() => ({ n: 1 }))}
          </Task>
          <Task id="second" output={outputs.n}>
            {{ n: 2 }}
          </Task>
        </Aspects>,
      ),
    );
    await engine.clock.advance(2_000);

    expect(await handle.result).toMatchObject({ status: "failed", error: { nodeId: "second" } });
  });
});

describe("N4: a run that continues as new forgets nothing of what was spent", () => {
  const endless = (budgets: object, task: ReactElement, every = 1) =>
    wf(
      <Aspects {...budgets}>
        <Loop id="l" until={false} maxIterations={20} continueAsNewEvery={every}>
          {task}
        </Loop>
      </Aspects>,
    );
  const over = { status: "failed", error: { code: "ASPECT_BUDGET_EXCEEDED" } };
  const passes = (lines: readonly string[]) => lines.filter((line) => line.startsWith("node.started")).length;

  test.each([
    ["tokens", { tokenBudget: { max: 350 } }],
    ["cost", { costBudget: { maxUsd: 3.5 } }],
  ])("%s: the pass that goes over the budget fails, in whatever run it is", async (_, budgets) => {
    const engine = testEngine();
    const handle = await engine.start(endless(budgets, <Spend id="a" tokens={100} costUsd={1} />));

    expect(await lastResult(handle)).toMatchObject(over);
    expect(passes(engine.trace())).toBe(4);
  });

  test("latency counts from the first row of the first run", async () => {
    const engine = testEngine();
    const handle = await engine.start(
      endless(
        { latencySlo: { maxMs: 3_500 } },
        <Task id="a" output={outputs.n}>
          {() => engine.clock.sleep(1_000).then(() => ({ n: 1 }))}
        </Task>,
      ),
    );
    for (let second = 0; second < 5; second += 1) await engine.clock.advance(1_000);

    expect(await lastResult(handle)).toMatchObject(over);
    expect(passes(engine.trace())).toBe(4);
  });

  test("what one task may spend is of that task alone, as within one run", async () => {
    const engine = testEngine();
    const handle = await engine.start(
      endless({ tokenBudget: { max: 10_000, perTask: 150 } }, <Spend id="a" tokens={100} />),
    );

    expect((await lastResult(handle)).status).toBe("finished");
    expect(passes(engine.trace())).toBe(20);
  });

  test("a run that an element continues forgets nothing either", async () => {
    const engine = testEngine();
    const handle = await engine.start(
      wf(
        <Aspects tokenBudget={{ max: 350 }}>
          <Sequence>
            <Spend id="a" tokens={100} />
            <ContinueAsNew />
          </Sequence>
        </Aspects>,
      ),
    );

    expect(await lastResult(handle)).toMatchObject(over);
    expect(passes(engine.trace())).toBe(4);
  });
});

test("tracking says what each task spent, and nothing where it is off", async () => {
  const run = await runToEnd(
    wf(
      <Aspects tracking={{ latency: false, cost: false }}>
        <Spend id="a" tokens={7} costUsd={1} />
      </Aspects>,
    ),
  );

  const spent = run.log.lines.find((line) => line.event === "aspects.spent");
  expect(spent?.fields).toEqual({ runId: run.runId, nodeId: "a", tokens: 7 });
});

test("a budget that is no budget is refused with what is wrong", async () => {
  const { result } = await runToEnd(
    wf(
      <Aspects tokenBudget={{ max: -1 }}>
        <Spend id="a" />
      </Aspects>,
    ),
  );

  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
});
