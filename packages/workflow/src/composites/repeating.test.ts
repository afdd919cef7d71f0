/** Composites that go on until a review, a score or a look says enough. */
import { describe, expect, test } from "vitest";
import { h } from "../jsx-runtime.ts";
import { Task } from "../components/task.ts";
import { LoopUntilScored } from "./loop-until-scored.ts";
import { Optimizer } from "./optimizer.ts";
import { Poller } from "./poller.ts";
import { ReviewLoop } from "./review-loop.ts";
import { ScanFixVerify } from "./scan-fix-verify.ts";
import { Supervisor } from "./supervisor.ts";
import { agent, outputs, run, runToEnd } from "./testing.ts";
import { finishedIn } from "./testing.ts";

describe("ReviewLoop", () => {
  const loop = (reviewer: ReturnType<typeof agent>[], agreement?: "all" | "any" | "majority") => {
    const producer = agent((_, asked) => ({ text: `draft ${asked}` }));
    const props = { producer, reviewer, produceOutput: outputs.made, reviewOutput: outputs.judged, agreement };
    return { producer, element: () => h(ReviewLoop, props as never, "Write a page.") };
  };

  test("stops as soon as the reviewer approves, and the next draft is asked with the review", async () => {
    const { producer, element } = loop([agent((_, asked) => ({ approved: asked === 2, text: "shorter, please" }))]);

    const finished = await finishedIn(await runToEnd(element));

    const rounds = [0, 1].flatMap((round) => [`review-loop-produce#${round}`, `review-loop-review#${round}`]);
    expect(finished).toEqual(rounds);
    expect(producer.prompts[0]).toBe("Write a page.");
    expect(producer.prompts[1]).toContain("draft 1");
    expect(producer.prompts[1]).toContain("shorter, please");
  });

  test.each([
    ["all", 3],
    ["majority", 2],
    ["any", 1],
  ] as const)("with %s of several reviewers, round %i is the last", async (agreement, last) => {
    // The k-th reviewer approves from round k on.
    const reviewers = [1, 2, 3].map((k) => agent((_, asked) => ({ approved: asked >= k })));

    const finished = await finishedIn(await runToEnd(loop(reviewers, agreement).element));

    expect(finished.filter((step) => step.includes("produce"))).toHaveLength(last);
  });

  test("an approval of one round does not count together with one of another", async () => {
    const first = agent((_, asked) => ({ approved: asked === 1 }));
    const second = agent((_, asked) => ({ approved: asked === 2 }));

    const finished = await finishedIn(await runToEnd(loop([first, second]).element));

    expect(finished.filter((step) => step.includes("produce"))).toHaveLength(5); // the default limit
  });
});

describe("Optimizer and LoopUntilScored", () => {
  test("generates until the score reaches the target, told of the last score", async () => {
    const generator = agent((_, asked) => ({ text: `candidate ${asked}` }));
    const evaluator = (row: Readonly<Record<string, unknown>>) => ({ score: Number(String(row["text"]).at(-1)) / 4 });
    const props = { generator, evaluator, generateOutput: outputs.made, evaluateOutput: outputs.judged };

    const ran = await runToEnd(() => h(Optimizer, { ...props, targetScore: 0.75, children: "Improve." }));

    expect((await finishedIn(ran)).at(-1)).toBe("optimizer-evaluate#2");
    expect(generator.prompts.at(-1)).toContain('"score": 0.5');
  });

  test("without a target every iteration runs", async () => {
    const evaluator = agent(() => ({ score: 1 }));
    const props = {
      generator: agent(() => ({})),
      evaluator,
      generateOutput: outputs.made,
      evaluateOutput: outputs.judged,
    };

    const finished = await finishedIn(
      await runToEnd(() => h(Optimizer, { ...props, maxIterations: 3, children: "Go." })),
    );

    expect(finished).toHaveLength(6);
  });

  test("a body is repeated until the task that scores reaches the threshold", async () => {
    const scorer = agent((_, asked) => ({ score: asked / 10 }));
    const score = () =>
      h(Task<typeof outputs.judged>, { id: "score", output: outputs.judged, agent: scorer, children: "?" });
    const props = { scoredBy: "score", scoreOutput: outputs.judged, threshold: 0.3 };

    const finished = await finishedIn(await runToEnd(() => h(LoopUntilScored, { ...props, children: score() })));

    expect(finished).toEqual(["score#0", "score#1", "score#2"]);
  });
});

describe("Poller", () => {
  test("waits longer each time, and not before the first look", async () => {
    let looks = 0;
    const props = { check: () => ({ satisfied: (looks += 1) === 3 }), checkOutput: outputs.judged };
    const ran = await run(() => h(Poller, { ...props, backoff: "exponential", intervalMs: 1_000 }));
    await ran.clock.advance(0);
    expect(looks).toBe(1);
    await ran.clock.advance(999);
    expect(looks).toBe(1);
    await ran.clock.advance(1);
    expect(looks).toBe(2);
    await ran.clock.advance(1_999);
    expect(looks).toBe(2);
    await ran.clock.advance(1);
    expect(looks).toBe(3);
  });

  test("fails when the attempts are used up, or returns the last look", async () => {
    const props = { check: () => ({ satisfied: false }), checkOutput: outputs.judged, maxAttempts: 1 };
    expect((await runToEnd(() => h(Poller, props))).result).toMatchObject({ error: { code: "RALPH_MAX_REACHED" } });
    expect((await runToEnd(() => h(Poller, { ...props, onTimeout: "return-last" }))).result.status).toBe("finished");
  });
});

test("ScanFixVerify: one fixer per issue, again for what survived, and a report in any case", async () => {
  const props = {
    scanner: agent((_, asked) => ({ issues: asked === 1 ? ["one", "two"] : ["two"] })),
    fixer: [agent(() => ({ text: "a" })), agent(() => ({ text: "b" }))],
    verifier: agent((asked) => (asked.startsWith("Report") ? { text: "report" } : { issues: ["two"] })),
    scanOutput: outputs.made,
    fixOutput: outputs.made,
    verifyOutput: outputs.judged,
    reportOutput: outputs.done,
    maxRetries: 2,
  };

  const finished = await finishedIn(await runToEnd(() => h(ScanFixVerify, props)));

  const passes = "sfv-scan#0 sfv-fix-1#0 sfv-fix-2#0 sfv-verify#0 sfv-scan#1 sfv-fix-1#1 sfv-verify#1 sfv-report#0";
  expect(finished.join(" ")).toBe(passes);
  expect(props.fixer[1]?.prompts[0]).toContain("two");
});

test("Supervisor: hands out again only what the review asks for", async () => {
  const tasks = [
    { id: "api", workerType: "coder", instructions: "write the api" },
    { id: "ui", workerType: "coder", instructions: "write the ui" },
    { id: "odd", workerType: "nobody", instructions: "?" },
  ];
  const boss = agent((asked) => {
    if (asked.includes("Plan the tasks")) return { tasks };
    if (asked.startsWith("Review")) return { allDone: !asked.includes("failed"), retriable: ["ui"] };
    return { text: "final" };
  });
  const coder = agent(() => ({ text: "written" }));
  const props = { boss, workers: { coder }, planOutput: outputs.made, workerOutput: outputs.done };
  const more = { reviewOutput: outputs.judged, finalOutput: outputs.done, children: "Ship it." };

  const finished = await finishedIn(await runToEnd(() => h(Supervisor, { ...props, ...more })));

  const worker = "supervisor-worker-coder";
  expect(finished.join(" ")).toBe(
    `supervisor-plan#0 ${worker}#0 ${worker}-ui#0 supervisor-review#0 ${worker}-ui#1 supervisor-review#1 supervisor-final#0`,
  );
});

test("K2: Supervisor: tasks that the plan names alike are each done, and a name is no way out of a folder", async () => {
  const tasks = ["one", "same", "same", "../../x::y"].map((id) => ({ id, workerType: "coder", instructions: "do" }));
  const boss = agent((asked) => (asked.includes("Plan the tasks") ? { tasks } : { allDone: true, text: "final" }));
  const props = { boss, workers: { coder: agent(() => ({ text: "written" })) }, planOutput: outputs.made };
  const more = {
    workerOutput: outputs.done,
    reviewOutput: outputs.judged,
    finalOutput: outputs.done,
    children: "Ship.",
  };

  const finished = await finishedIn(await runToEnd(() => h(Supervisor, { ...props, ...more })));

  const workers = ["", "-same", "-same-2", "--x-y"].map((name) => `supervisor-worker-coder${name}#0`);
  expect(finished.filter((step) => step.includes("worker")).toSorted()).toEqual(workers.toSorted());
});

test.each([
  ["ReviewLoop", () => h(ReviewLoop, { producer: one, reviewer: [], ...reviews, children: "Do." })],
  ["ScanFixVerify", () => h(ScanFixVerify, { scanner: one, fixer: [], verifier: one, ...scans })],
])("%s without anybody to do its work is refused", async (_name, element) => {
  const { result } = await runToEnd(element);
  expect(result).toMatchObject({ status: "failed", error: { message: expect.stringContaining("needs a") } });
});
const one = agent(() => ({ text: "x" }));
const reviews = { produceOutput: outputs.made, reviewOutput: outputs.judged };
const scans = {
  scanOutput: outputs.made,
  fixOutput: outputs.made,
  verifyOutput: outputs.made,
  reportOutput: outputs.done,
};
