import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { afterAll, describe, expect, test } from "vitest";
import { h } from "../jsx-runtime.ts";
import { Task } from "../components/task.ts";
import { ApprovalGate } from "./approval-gate.ts";
import { CheckSuite } from "./check-suite.node.ts";
import { ClassifyAndRoute } from "./classify-and-route.ts";
import { ContentPipeline } from "./content-pipeline.ts";
import { Debate } from "./debate.ts";
import { DecisionTable } from "./decision-table.ts";
import { DriftDetector } from "./drift-detector.ts";
import { EscalationChain } from "./escalation-chain.ts";
import { ExtractPrompt } from "./extract-prompt.ts";
import { GatherAndSynthesize } from "./gather-and-synthesize.ts";
import { Kanban } from "./kanban.ts";
import { LoopUntilScored } from "./loop-until-scored.ts";
import { MarkdownPromptCache } from "./markdown-prompt-cache.node.ts";
import { Optimizer } from "./optimizer.ts";
import { Panel } from "./panel.ts";
import { Poller } from "./poller.ts";
import { MemoryPromptCache, SqlitePromptCache } from "./prompt-cache.ts";
import { ReviewLoop } from "./review-loop.ts";
import { Runbook } from "./runbook.node.ts";
import { ScanFixVerify } from "./scan-fix-verify.ts";
import { SuperSmithers } from "./super-smithers.ts";
import { Supervisor } from "./supervisor.ts";
import { agent, outputs, run, runToEnd } from "./testing.ts";

const note = (id: string) =>
  h(Task<typeof outputs.done>, { key: id, id, output: outputs.done, children: { text: id } });
const finishedIn = async (ran: Awaited<ReturnType<typeof runToEnd>>): Promise<string[]> => {
  expect(ran.result).toMatchObject({ status: "finished" });
  return ran.finished();
};

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

test("ContentPipeline gives each stage what the one before it recorded", async () => {
  const agents = ["outline", "draft", "polish"].map((name) => agent(() => ({ text: `${name} done` }), name));
  const stages = agents.map((one) => ({ id: one.id, agent: one, output: outputs.made }));

  const finished = await finishedIn(await runToEnd(() => h(ContentPipeline, { stages, children: "A post." })));

  expect(finished).toEqual(["outline#0", "draft#0", "polish#0"]);
  expect(agents[2]?.prompts[0]).toContain("draft done");
});

describe("DecisionTable", () => {
  // oxlint-disable-next-line unicorn/no-thenable -- the documented prop of a rule
  const rule = (when: boolean, id: string) => ({ when, then: note(id) });
  const rules = [rule(false, "a"), rule(true, "b"), rule(true, "c")];

  test.each([
    ["first-match", ["b#0"]],
    ["all-match", ["b#0", "c#0"]],
  ] as const)("%s", async (strategy, expected) => {
    expect(await finishedIn(await runToEnd(() => h(DecisionTable, { rules, strategy })))).toEqual(expected);
  });

  test("the default stands when nothing matches", async () => {
    const none = rules.slice(0, 1);
    expect(await finishedIn(await runToEnd(() => h(DecisionTable, { rules: none, default: note("d") })))).toEqual([
      "d#0",
    ]);
  });
});

test("Debate: each side hears all that was said, the judge all rounds", async () => {
  const [proposer, opponent] = ["yes", "no"].map((word) => agent((_, asked) => ({ text: `${word} ${asked}` })));
  const judge = agent(() => ({ decision: "yes" }));
  const props = {
    proposer,
    opponent,
    judge,
    argumentOutput: outputs.made,
    verdictOutput: outputs.judged,
    topic: "Tabs?",
  };

  const finished = await finishedIn(await runToEnd(() => h(Debate, props as never)));

  expect(finished).toHaveLength(5);
  expect(opponent?.prompts[0]).toContain("yes 1");
  for (const word of ["yes 1", "no 1", "yes 2", "no 2"]) expect(judge.prompts[0]).toContain(word);
});

test("GatherAndSynthesize: the synthesis is asked with every source's row", async () => {
  const source = (text: string) => ({ agent: agent(() => ({ text })), prompt: "Look." });
  const synthesizer = agent(() => ({ text: "one" }));
  const sources = { code: source("in code"), docs: source("in docs") };
  const props = { sources, synthesizer, gatherOutput: outputs.made, synthesisOutput: outputs.judged };

  const finished = await finishedIn(await runToEnd(() => h(GatherAndSynthesize, props)));

  expect(finished.at(-1)).toBe("gather-and-synthesize-synthesize#0");
  expect(synthesizer.prompts[0]).toMatch(/in code[\s\S]*in docs/);
});

test("ClassifyAndRoute: every item goes to the agent of its category, and to no other", async () => {
  const bug = agent(() => ({ text: "bug" }));
  const idea = agent(() => ({ text: "idea" }));
  const classifications = [
    { category: "idea", itemId: "2" },
    { category: "bug", itemId: "1" },
    { category: "toString", itemId: "3" },
  ];
  const props = {
    items: [1, 2, 3].map((n) => ({ id: String(n), title: `item ${n}` })),
    categories: { bug, idea: { agent: idea } },
    classifierAgent: agent(() => ({ classifications })),
    classifierOutput: outputs.judged,
    routeOutput: outputs.made,
  };

  const finished = await finishedIn(await runToEnd(() => h(ClassifyAndRoute, props)));

  const route = "classify-and-route-route";
  expect(finished.toSorted()).toEqual(["classify-and-route-classify#0", `${route}-1#0`, `${route}-2#0`]);
  expect(bug.prompts[0]).toContain("item 1");
  expect(idea.prompts[0]).toContain("item 2");
});

describe("EscalationChain", () => {
  const level = (answer: () => object, escalate: boolean) => ({
    agent: agent(answer),
    output: outputs.made,
    escalateIf: () => escalate,
  });
  const fails = (): object => {
    throw new Error("no idea");
  };
  const chain = (levels: ReturnType<typeof level>[], humanFallback = false) =>
    h(EscalationChain, { levels, humanFallback, escalationOutput: outputs.decided, children: "Help." });

  test("a level that is sure ends it", async () => {
    const levels = [level(() => ({ text: "sure" }), false), level(() => ({}), false)];
    expect(await finishedIn(await runToEnd(() => chain(levels)))).toEqual(["escalation-level-1#0"]);
  });

  test("a failing and an unsure level hand on, and the next one is told", async () => {
    const levels = [level(fails, false), level(() => ({ text: "maybe" }), true), level(() => ({}), false)];

    const finished = await finishedIn(await runToEnd(() => chain(levels)));

    expect(finished).toEqual(["escalation-level-2#0", "escalation-level-3#0"]);
    expect(levels[2]?.agent.prompts[0]).toContain("maybe");
  });

  test("after the last level a person is asked, or the run fails with the level", async () => {
    const asked = await runToEnd(() => chain([level(fails, false)], true));
    expect(asked.result).toMatchObject({ status: "waiting-approval", waiting: [{ nodeId: "escalation-human" }] });

    const failed = await runToEnd(() => chain([level(fails, false)]));
    expect(failed.result).toMatchObject({ status: "failed", error: { nodeId: "escalation-level-1" } });
  });
});

describe("ApprovalGate", () => {
  const gate = (when: boolean) =>
    h(ApprovalGate, { id: "gate", output: outputs.decided, request: { title: "Go?" }, when });

  test("asks a person only when it must, and records the same shape either way", async () => {
    const free = await runToEnd(() => gate(false));
    expect(await finishedIn(free)).toEqual(["gate#0"]);
    expect(await free.rows("decided")).toEqual(["gate#0"]);

    expect((await runToEnd(() => gate(true))).result).toMatchObject({ status: "waiting-approval" });
  });
});

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

describe("Panel", () => {
  const panel = (votes: string[], strategy: "vote" | "consensus" | "synthesize", minAgree?: number) => {
    const moderator = agent(() => ({ decision: "asked" }));
    const panelists = votes.map((vote) => agent(() => ({ vote })));
    const props = { panelists, moderator, panelistOutput: outputs.made, moderatorOutput: outputs.judged, strategy };
    return { moderator, element: () => h(Panel, { ...props, ...(minAgree && { minAgree }), children: "Which?" }) };
  };

  test.each([
    ["vote", ["a", "a", "b"], undefined, 0],
    ["vote", ["a", "b"], undefined, 1],
    ["vote", ["a", "a", "b", "b"], 2, 1],
    ["consensus", ["a", "a"], undefined, 0],
    ["consensus", ["a", "a", "b"], undefined, 1],
    ["consensus", ["a", "a", "b"], 2, 0],
    ["synthesize", ["a", "a"], undefined, 1],
  ] as const)("%s of %j (at least %s): the moderator is asked %i times", async (strategy, votes, minAgree, asked) => {
    const { moderator, element } = panel([...votes], strategy, minAgree);

    await finishedIn(await runToEnd(element));

    expect(moderator.prompts).toHaveLength(asked);
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

test("DriftDetector alerts exactly when the comparison says so", async () => {
  const detector = (drifted: boolean) => () =>
    h(DriftDetector, {
      captureAgent: agent(() => ({ text: "now" })),
      compareAgent: agent(() => ({ drifted })),
      captureOutput: outputs.made,
      compareOutput: outputs.judged,
      baseline: { text: "then" },
      alert: note("alarm"),
    });

  expect(await finishedIn(await runToEnd(detector(false)))).not.toContain("alarm#0");
  expect(await finishedIn(await runToEnd(detector(true)))).toContain("alarm#0");
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

test("Kanban: items go through the columns, and a failing one holds up no other", async () => {
  const work = agent((asked) => {
    if (asked.includes('"t1"')) throw new Error("broken");
    return { text: "worked" };
  });
  const columns = [
    { name: "triage", agent: agent(() => ({ text: "triaged" })), output: outputs.made },
    { name: "work", agent: work, output: outputs.judged, task: { noRetry: true } },
  ];
  const props = { columns, useTickets: () => [{ id: "t1" }, { id: "t2" }], onComplete: outputs.done, maxIterations: 1 };

  const ran = await runToEnd(() => h(Kanban, props));

  const steps = "kanban-triage-t1#0 kanban-triage-t2#0 kanban-work-t2#0 kanban-complete#0";
  expect((await finishedIn(ran)).join(" ")).toBe(steps);
  expect(await ran.rows("done")).toEqual(["kanban-complete#0"]);
});

test("SuperSmithers: read, propose, apply, report; a dry run applies nothing", async () => {
  const stages = async (dryRun: boolean): Promise<string[]> => {
    const one = agent(() => ({ text: "done" }));
    const props = { strategy: "# Simplify", agent: one, targetFiles: ["src/**"], reportOutput: outputs.made, dryRun };
    const finished = await finishedIn(await runToEnd(() => h(SuperSmithers, props)));
    expect(one.prompts[0]).toContain("# Simplify\n\nFiles: src/**");
    return finished.map((step) => step.replace("super-smithers-", ""));
  };

  expect(await stages(false)).toEqual(["read#0", "propose#0", "apply#0", "report#0"]);
  expect(await stages(true)).toEqual(["read#0", "propose#0", "report#0"]);
});

describe("ExtractPrompt", () => {
  const folder = mkdtempSync(join(tmpdir(), "prompts-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each([
    ["memory", () => new MemoryPromptCache()],
    ["SQLite", () => new SqlitePromptCache(openSqlite(":memory:"))],
    ["Markdown files", () => new MarkdownPromptCache(folder)],
  ])("drafts until the critic is sure, keeps the prompt in %s, and uses it at once the next time", async (_, open) => {
    const drafter = agent((__, asked) => ({ prompt: `prompt ${asked}` }));
    const critic = agent((__, asked) => ({ score: asked === 1 ? 0.5 : 0.8 }));
    const common = { slug: "triage", drafter, critic, cache: open(), children: "Triage tickets." };
    const places = { draftOutput: outputs.made, critiqueOutput: outputs.judged, promptOutput: outputs.done };
    const extract = () => runToEnd(() => h(ExtractPrompt, { ...common, ...places }));

    const first = await extract();
    expect(first.result.status).toBe("finished");
    expect(await first.row("done", "extract-prompt-keep")).toMatchObject({ prompt: "prompt 2", found: true });

    const second = await extract();
    expect(second.finished()).toEqual(["extract-prompt-recall#0"]);
    expect(await second.row("done", "extract-prompt-recall")).toMatchObject({ prompt: "prompt 2" });
  });

  test("high stakes want certainty; what never gets there is not kept", async () => {
    const cache = new MemoryPromptCache();
    const critic = agent(() => ({ score: 0.9 }));
    const common = { slug: "triage", drafter: agent(() => ({ prompt: "?" })), critic, cache, children: "Triage." };
    const places = { draftOutput: outputs.made, critiqueOutput: outputs.judged, promptOutput: outputs.done };

    await runToEnd(() => h(ExtractPrompt, { ...common, ...places, stakes: "high", maxIterations: 2 }));

    expect(critic.prompts).toHaveLength(2);
    expect(await cache.read("triage")).toBeNull();
  });

  test("a slug cannot leave the folder", async () => {
    await expect(new MarkdownPromptCache(folder).write("../x", "")).rejects.toMatchObject({ code: "INVALID_INPUT" });
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

const COMPOSITES = {
  ApprovalGate,
  CheckSuite,
  ClassifyAndRoute,
  ContentPipeline,
  Debate,
  DecisionTable,
  DriftDetector,
  EscalationChain,
  ExtractPrompt,
  GatherAndSynthesize,
  Kanban,
  LoopUntilScored,
  Optimizer,
  Panel,
  Poller,
  ReviewLoop,
  Runbook,
  ScanFixVerify,
  SuperSmithers,
  Supervisor,
};

test.each(Object.entries(COMPOSITES))(
  "a prop that <%s> does not have is refused by its name",
  async (name, component) => {
    const { result } = await runToEnd(() => h(component as never, { maxIteratoins: 3 } as never));

    expect(result).toMatchObject({ status: "failed", error: { code: "PROP_UNSUPPORTED" } });
    expect(JSON.stringify(result)).toContain(`<${name}> has no prop \`maxIteratoins\``);
  },
);
