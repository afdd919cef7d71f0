import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { resolveRef, stateKey } from "../graph/identity.ts";
import type { Plan, PlanGroup, PlanLeaf, PlanNode } from "../graph/plan.ts";
import { outputTable } from "../outputs/table.ts";
import type { NodeState } from "../run/state.ts";
import { DEFAULT_RETRY, nextDelayMs } from "./retry.ts";
import { Schedule, schedule, type Step } from "./schedule.ts";

const output = outputTable("o", z.object({}));
const leaf = (id: string, change: Partial<PlanLeaf> = {}): PlanLeaf =>
  ({
    kind: "leaf",
    type: "task",
    nodeId: id,
    iteration: 0,
    key: stateKey({ nodeId: id, iteration: 0 }),
    id,
    chain: [],
    output,
    after: [],
    skipIf: false,
    continueOnFail: false,
    label: id,
    meta: {},
    async: false,
    body: { mode: "static", value: {} },
    retry: DEFAULT_RETRY,
    timeoutMs: null,
    heartbeatTimeoutMs: null,
    deps: [],
    ...change,
  }) as PlanLeaf;
const group = (kind: PlanGroup["kind"], children: readonly PlanNode[], cap = Infinity): PlanGroup => ({
  kind,
  cap,
  children,
});
const leavesOf = (node: PlanNode): PlanLeaf[] =>
  node.kind === "leaf" ? [node] : (node.kind === "loop" ? [node.body] : node.children).flatMap(leavesOf);
const planOf = (root: PlanGroup): Plan => ({
  name: "p",
  root,
  leaves: new Map(leavesOf(root).map((each) => [each.key, each])),
  chains: new Map(),
  warnings: [],
});
const starts = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) => (step.kind === "start" ? [step.leaf.id] : [])).toSorted();
const finished: NodeState = { kind: "finished" };
const running: NodeState = { kind: "running", attempt: 1, failures: 0 };

describe("what may start", () => {
  const at = (root: PlanGroup, states: Record<string, NodeState>, { nowMs = 0, maxConcurrency = 4 } = {}) =>
    starts(schedule({ plan: planOf(root), states: new Map(Object.entries(states)), nowMs, maxConcurrency }));
  const abc = [leaf("a"), leaf("b"), leaf("c")];

  test("a sequence starts its first leaf that is not terminal", () => {
    expect(at(group("sequence", abc), {})).toEqual(["a"]);
    expect(at(group("sequence", abc), { "a::0": finished })).toEqual(["b"]);
    expect(at(group("sequence", abc), { "a::0": running })).toEqual([]);
  });

  test("the innermost Parallel's cap and the global cap both count what runs already", () => {
    expect(at(group("parallel", abc, 2), { "b::0": running })).toEqual(["a"]);
    expect(at(group("parallel", abc), { "b::0": running, "gone::0": running }, { maxConcurrency: 3 })).toEqual(["a"]);
    expect(at(group("parallel", [group("parallel", abc)], 1), {})).toEqual(["a", "b", "c"]);
  });

  test("a leaf waits for its dependencies to finish; a failed one blocks it", () => {
    const root = group("parallel", [leaf("a", { continueOnFail: true }), leaf("b", { after: ["a::0"] })]);
    expect(at(root, {})).toEqual(["a"]);
    expect(at(root, { "a::0": finished })).toEqual(["b"]);
    const blocked = new Schedule({
      plan: planOf(root),
      states: new Map([["a::0", { kind: "failed", error: { code: "X", message: "" } }]]),
      maxConcurrency: 4,
    });
    expect([blocked.next(0), blocked.rest().blocked]).toEqual([[], [{ key: "b::0", dependency: "a::0" }]]);
  });

  test("a backoff ends at its due time", () => {
    const states = { "a::0": { kind: "backing-off", attempt: 2, failures: 2, dueMs: 50 } } as const;
    expect(at(group("sequence", abc), states, { nowMs: 49 })).toEqual([]);
    expect(at(group("sequence", abc), states, { nowMs: 50 })).toEqual(["a"]);
  });
});

/** Random trees, random order of completion: the incremental schedule and the pure question always agree. */
test("D: keeping up to date gives what asking from scratch gives", () => {
  const tree = fc.letrec<{ node: PlanNode }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.record({ continueOnFail: fc.boolean() }).map((change) => leaf("?", change)),
      fc
        .tuple(
          fc.constantFrom("sequence" as const, "parallel" as const),
          fc.array(tie("node"), { maxLength: 4 }),
          fc.constantFrom(1, 2, Infinity),
        )
        .map(([kind, children, cap]) => group(kind, children, cap)),
    ),
  })).node;
  const property = fc.property(
    fc.array(tree, { minLength: 1, maxLength: 4 }),
    fc.infiniteStream(fc.nat()),
    fc.integer({ min: 1, max: 5 }),
    (children, choices, maxConcurrency) => {
      let count = 0;
      const name = (node: PlanNode): PlanNode => {
        if (node.kind === "leaf")
          return leaf(`t${(count += 1)}`, {
            continueOnFail: node.continueOnFail,
            after: count > 2 && count % 3 === 0 ? [`t${count - 2}::0`] : [],
          });
        return node.kind === "loop" ? node : { ...node, children: node.children.map(name) };
      };
      const plan = planOf(group("sequence", children.map(name)));
      const states = new Map<string, NodeState>();
      const kept = new Schedule({ plan, states, maxConcurrency });
      const live: string[] = [];
      for (let turn = 0; turn < 200; turn += 1) {
        const fresh = starts(schedule({ plan, states: new Map(states), maxConcurrency, nowMs: 0 }));
        const steps = kept.next(0);
        expect(starts(steps)).toEqual(fresh);
        for (const step of steps) {
          if (step.kind !== "start") continue;
          states.set(step.leaf.key, running);
          kept.changed(step.leaf.key);
          live.push(step.leaf.key);
        }
        if (live.length === 0) break;
        const [key = ""] = live.splice((choices.next().value as number) % live.length, 1);
        const fails = plan.leaves.get(key)?.continueOnFail === true && turn % 2 === 0;
        states.set(key, fails ? { kind: "failed", error: { code: "X", message: "" } } : finished);
        kept.changed(key);
      }
      const open = [...plan.leaves.values()].filter((each) => !states.has(each.key));
      expect(kept.rest().done).toBe(open.length === 0);
    },
  );
  fc.assert(property, { numRuns: 300 });
});

describe("identity", () => {
  test("I2: the innermost loop is the iteration, the others are in the name", () => {
    const loops = new Map([
      ["outer", 2],
      ["inner@@outer=2", 5],
      ["third@@outer=2,inner=5", 1],
    ]);
    expect(resolveRef("t", [], loops)).toEqual({ nodeId: "t", iteration: 0 });
    expect(resolveRef("t", ["outer"], loops)).toEqual({ nodeId: "t", iteration: 2 });
    expect(resolveRef("t", ["outer", "inner"], loops)).toEqual({ nodeId: "t@@outer=2", iteration: 5 });
    expect(resolveRef("t", ["outer", "inner", "third"], loops)).toEqual({ nodeId: "t@@outer=2,inner=5", iteration: 1 });
  });
});

test("delays grow to their cap, and full jitter stays below them", () => {
  const delays = [1, 2, 3, 9, 20].map((round) => nextDelayMs({ ...DEFAULT_RETRY, jitter: false }, round, () => 1));
  expect(delays).toEqual([1_000, 2_000, 4_000, 256_000, 300_000]);
  expect(nextDelayMs(DEFAULT_RETRY, 3, () => 0.5)).toBe(2_000);
  expect(nextDelayMs({ ...DEFAULT_RETRY, backoff: "linear", jitter: false }, 3, () => 1)).toBe(3_000);
});
