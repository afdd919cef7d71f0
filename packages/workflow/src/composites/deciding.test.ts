/** Composites in which agents or rules decide what happens, and who is asked when they cannot. */
import { describe, expect, test } from "vitest";
import { h } from "../jsx-runtime.ts";
import { ApprovalGate } from "./approval-gate.ts";
import { ClassifyAndRoute } from "./classify-and-route.ts";
import { Debate } from "./debate.ts";
import { DecisionTable } from "./decision-table.ts";
import { EscalationChain } from "./escalation-chain.ts";
import { Panel } from "./panel.ts";
import { agent, outputs, runToEnd } from "./testing.ts";
import { finishedIn, note } from "./testing.ts";

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

test("K2: ClassifyAndRoute: an item of two categories goes to both, and an item's name is no key", async () => {
  const [bug, idea] = [agent(() => ({ text: "bug" })), agent(() => ({ text: "idea" }))];
  const classifications = [
    { category: "idea", itemId: "a::1" },
    { category: "bug", itemId: "a::1" },
    { category: "bug", itemId: "b@@c=1" },
  ];
  const props = {
    items: ["a::1", "b@@c=1"],
    categories: { bug, idea },
    classifierAgent: agent(() => ({ classifications })),
    classifierOutput: outputs.judged,
    routeOutput: outputs.made,
  };

  const finished = await finishedIn(await runToEnd(() => h(ClassifyAndRoute, props)));

  expect(finished.slice(1).toSorted()).toEqual(
    ["a-1#0", "a-1-2#0", "b-c=1#0"].map((name) => `classify-and-route-route-${name}`).toSorted(),
  );
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
    ["consensus", ["constructor", "constructor"], undefined, 0],
  ] as const)("%s of %j (at least %s): the moderator is asked %i times", async (strategy, votes, minAgree, asked) => {
    const { moderator, element } = panel([...votes], strategy, minAgree);

    await finishedIn(await runToEnd(element));

    expect(moderator.prompts).toHaveLength(asked);
  });
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
