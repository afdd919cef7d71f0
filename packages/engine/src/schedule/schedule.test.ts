import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { resolveRef, stateKey } from "../graph/identity.ts";
import {
  leavesBelow,
  type Plan,
  type PlanGroup,
  type PlanLeaf,
  type PlanLoop,
  type PlanNode,
  type PlanScope,
  type ScopeHandler,
  type ScopePart,
} from "../graph/plan.ts";
import { outputTable } from "../outputs/table.ts";
import type { NodeState, ScopeState } from "../run/state.ts";
import { contain } from "./contain.ts";
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
    within: null,
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
const planOf = (root: PlanGroup): Plan => ({
  name: "p",
  root,
  leaves: new Map(leavesBelow(root).map((each) => [each.key, each])),
  chains: new Map(),
  handles: new Map(),
  warnings: [],
});
const starts = (steps: readonly Step[]): string[] =>
  steps.flatMap((step) => (step.kind === "start" ? [step.leaf.id] : [])).toSorted();
const finished: NodeState = { kind: "finished" };
const running: NodeState = { kind: "running", attempt: 1, failures: 0, failedBy: [] };

describe("what may start", () => {
  const at = (root: PlanGroup, states: Record<string, NodeState>, { nowMs = 0, maxConcurrency = 4 } = {}) =>
    starts(
      schedule({
        plan: planOf(root),
        states: new Map(Object.entries(states)),
        scopes: new Map(),
        nowMs,
        maxConcurrency,
      }),
    );
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
      scopes: new Map(),
      maxConcurrency: 4,
    });
    expect([blocked.next(0), blocked.rest().blocked]).toEqual([[], [{ key: "b::0", dependency: "a::0" }]]);
  });

  test("a backoff ends at its due time", () => {
    const states = { "a::0": { kind: "backing-off", attempt: 2, failures: 2, failedBy: [], dueMs: 50 } } as const;
    expect(at(group("sequence", abc), states, { nowMs: 49 })).toEqual([]);
    expect(at(group("sequence", abc), states, { nowMs: 50 })).toEqual(["a"]);
  });
});

test("whoever sleeps wakes in turn, whatever the order they fell asleep in", () => {
  const sleeps = (dueMs: number): NodeState => ({ kind: "backing-off", attempt: 1, failures: 1, failedBy: [], dueMs });
  const times = [30, 10, 40, 20, 10];
  const ids = times.map((_, at) => `s${at}`);
  const root = group(
    "parallel",
    ids.map((id) => leaf(id)),
  );
  const states = new Map(times.map((dueMs, at) => [`s${at}::0`, sleeps(dueMs)]));
  const woken = new Schedule({ plan: planOf(root), states, scopes: new Map(), maxConcurrency: 9 });

  const told = [9, 10, 29, 30].map((nowMs) => [woken.dueMs(), starts(woken.next(nowMs))]);

  expect(told).toEqual([
    [10, []],
    [10, ["s1", "s4"]],
    [20, ["s3"]],
    [30, ["s0"]],
  ]);
  expect(woken.dueMs()).toBe(40);
});

test("D3: steps come in source order, whatever they are and whatever made them possible first", () => {
  const root = group("parallel", [leaf("a"), leaf("w", { type: "approval" }), leaf("b", { skipIf: true }), leaf("c")]);
  const steps = schedule({ plan: planOf(root), states: new Map(), scopes: new Map(), nowMs: 0, maxConcurrency: 4 });

  expect(steps.map((step) => `${step.kind} ${"leaf" in step ? step.leaf.id : ""}`)).toEqual([
    "start a",
    "wait w",
    "skip b",
    "start c",
  ]);
});

test("D6: a pass has begun when a loop in it has advanced, though nothing of that loop's new pass has", () => {
  const loop = (loopId: string, change: Partial<PlanLoop>, body: readonly PlanNode[]): PlanLoop => ({
    kind: "loop",
    loopId,
    iteration: 0,
    until: false,
    maxIterations: 5,
    onMaxReached: "return-last",
    continueEvery: Infinity,
    around: [],
    within: null,
    body: group("parallel", body),
    ...change,
  });
  const inner = loop("inner@@outer=0", { iteration: 1 }, [leaf("tick", { key: "tick@@outer=0::1", iteration: 1 })]);
  const plan = planOf(group("sequence", [loop("outer", { until: true }, [inner])]));

  expect(starts(schedule({ plan, states: new Map(), scopes: new Map(), nowMs: 0, maxConcurrency: 4 }))).toEqual([
    "tick",
  ]);
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
        return node.kind !== "sequence" && node.kind !== "parallel"
          ? node
          : { ...node, children: node.children.map(name) };
      };
      const plan = planOf(group("sequence", children.map(name)));
      const states = new Map<string, NodeState>();
      const kept = new Schedule({ plan, states, scopes: new Map(), maxConcurrency });
      const live: string[] = [];
      for (let turn = 0; turn < 200; turn += 1) {
        const fresh = starts(schedule({ plan, states: new Map(states), scopes: new Map(), maxConcurrency, nowMs: 0 }));
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

describe("scopes", () => {
  const any: ScopeHandler = { kind: "catch", codes: null, rethrows: false };
  const scope = (
    handler: ScopeHandler,
    [body, caught, last]: readonly (readonly PlanNode[] | null)[],
    scopeId = "try::0",
  ): PlanScope => ({
    kind: "scope",
    type: "try",
    id: "try",
    scopeId,
    within: null,
    handler,
    body: group("sequence", body ?? []),
    catch: caught ? group("sequence", caught) : null,
    finally: last ? group("sequence", last) : null,
  });
  const error = { code: "TASK_FAILED", message: "no" };
  const at = (
    root: PlanNode,
    states: Record<string, NodeState>,
    scopes: Record<string, Pick<ScopeState, "at">> = {},
  ) => {
    const held = new Map(Object.entries(scopes).map(([id, { at: part }]) => [id, { at: part, error, completed: [] }]));
    const kept = new Schedule({
      plan: planOf(group("sequence", [root, leaf("after")])),
      states: new Map(Object.entries(states)),
      scopes: held,
      maxConcurrency: 4,
    });
    return kept.next(0).map((step) => (step.kind === "start" ? step.leaf.id : step.kind));
  };
  const tcf = scope(any, [[leaf("a"), leaf("b")], [leaf("c")], [leaf("f")]]);

  test("a body that succeeds is followed by finally, never by catch, and then by what comes after", () => {
    expect(at(tcf, {})).toEqual(["a"]);
    expect(at(tcf, { "a::0": finished, "b::0": finished })).toEqual(["f"]);
    expect(at(tcf, { "a::0": finished, "b::0": finished, "f::0": finished })).toEqual(["after"]);
  });

  test("D5: a caught failure gives the body up; catch starts when its bodies have stopped, then finally", () => {
    const caught = { "try::0": { at: "catch" } } as const;
    const failed = { kind: "failed", error } as const;
    expect(at(tcf, { "a::0": failed, "b::0": running }, caught)).toEqual([]);
    expect(at(tcf, { "a::0": failed, "b::0": { kind: "cancelled" } }, caught)).toEqual(["c"]);
    expect(at(tcf, { "a::0": failed, "c::0": finished }, caught)).toEqual(["f"]);
    expect(at(tcf, { "a::0": failed, "c::0": finished, "f::0": finished }, caught)).toEqual(["after"]);
  });

  test("D5: the kept schedule goes on when the last body of the part has stopped", () => {
    const both = scope(any, [[group("parallel", [leaf("a"), leaf("b"), leaf("x")])], [leaf("c")], null]);
    const states = new Map<string, NodeState>([
      ["a::0", running],
      ["b::0", running],
      ["x::0", { kind: "failed", error }],
    ]);
    const kept = new Schedule({
      plan: planOf(group("sequence", [both])),
      states,
      scopes: new Map([["try::0", { at: "catch", error, completed: [] }]]),
      maxConcurrency: 4,
    });
    const end = (key: string) => {
      states.set(key, { kind: "cancelled" });
      kept.changed(key);
      return starts(kept.next(0));
    };

    expect([starts(kept.next(0)), end("b::0"), end("a::0")]).toEqual([[], [], ["c"]]);
  });

  test("an error that goes on outward is given back after finally; a saga's after its compensations", () => {
    expect(at(tcf, { "f::0": finished }, { "try::0": { at: "finally" } })).toEqual(["rethrow"]);
    const undo = scope({ ...any, rethrows: true }, [[leaf("a")], [leaf("undo")], null]);
    expect(at(undo, {}, { "try::0": { at: "catch" } })).toEqual(["undo"]);
    expect(at(undo, { "undo::0": finished }, { "try::0": { at: "catch" } })).toEqual(["rethrow"]);
  });

  const part = (name: ScopePart["part"], change: Partial<ScopePart> = {}): ScopePart => ({
    scopeId: "inner::0",
    part: name,
    handler: any,
    hasFinally: true,
    outer: { scopeId: "outer::0", part: "body", handler: any, hasFinally: false, outer: null },
    ...change,
  });
  test.each([
    ["in a body", part("body"), { scopeId: "inner::0", next: "catch" }],
    [
      "in a body that catches other codes",
      part("body", { handler: { ...any, codes: ["TASK_TIMEOUT"] } }),
      { scopeId: "inner::0", next: "finally" },
    ],
    [
      "in a body without catch or finally",
      part("body", { handler: { kind: "none" }, hasFinally: false }),
      { scopeId: "outer::0", next: "catch" },
    ],
    ["in a catch", part("catch"), { scopeId: "inner::0", next: "finally" }],
    ["in a catch without finally", part("catch", { hasFinally: false }), { scopeId: "outer::0", next: "catch" }],
    ["in a finally", part("finally"), { scopeId: "outer::0", next: "catch" }],
    ["in a finally with nothing around it", part("finally", { outer: null }), null],
    ["outside every scope", null, null],
  ] as const)("C1, C2: a failure %s is taken by the right scope", (_, within, expected) => {
    expect(contain(within, error)).toEqual(expected);
  });
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

test.each([200, 2_000])("a task with %i dependencies looks at each of them a constant number of times", (deps) => {
  const before = Array.from({ length: deps }, (_, at) => leaf(`d${at}`));
  const after = before.map(({ key }) => key);
  const states = new CountingStates();
  const root = group("parallel", [...before, leaf("last", { after })]);
  const kept = new Schedule({ plan: planOf(root), states, scopes: new Map(), maxConcurrency: Infinity });
  kept.next(0);
  states.looks = 0;

  const started = before.flatMap(({ key }) => {
    states.set(key, { kind: "finished" });
    kept.changed(key);
    return starts(kept.next(0));
  });

  expect(started).toEqual(["last"]);
  expect(states.looks / deps).toBeLessThan(10);
});

class CountingStates extends Map<string, NodeState> {
  looks = 0;
  override get(key: string): NodeState | undefined {
    this.looks += 1;
    return super.get(key);
  }
}
