import { seededRandom } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import type { Plan, PlanNode } from "../graph/plan.ts";
import { FrameLog, treeAfter, type FrameRow } from "./frame-log.ts";
import { apply, diff, treeOf, type Delta } from "./tree.ts";

type Shape = string | readonly [string, ...Shape[]];

/** `"a"` is a task, `["seq", …]` and `["par", …]` are groups, `["loop:l", …]` is a loop. */
function nodeOf(shape: Shape): PlanNode {
  if (typeof shape === "string") {
    const held = { after: shape === "c" ? ["a@@l=1::0", "b::0"] : [], async: shape === "d" };
    return { kind: "leaf", type: "task", id: shape, label: shape, ...held } as unknown as PlanNode;
  }
  const [tag, ...members] = shape;
  const children = members.map(nodeOf);
  if (tag.startsWith("loop:"))
    return { kind: "loop", loopId: `${tag.slice(5)}@@outer=2`, body: { children } } as unknown as PlanNode;
  return { kind: tag === "par" ? "parallel" : "sequence", cap: children.length, children };
}
const planOf = (...shapes: readonly Shape[]): Plan =>
  ({ name: "w", root: { kind: "sequence", cap: 1, children: shapes.map(nodeOf) } }) as unknown as Plan;

/** Any tree over a few ids, so that two of them share nodes in other places. */
function randomShapes(random: () => number): Shape[] {
  const ids = ["a", "b", "c", "d", "e", "f", "__proto__", ">0", "7"].filter(() => random() < 0.6);
  const list = (depth: number): Shape[] => {
    const made: Shape[] = [];
    while (ids.length > 0 && random() < 0.85) {
      if (depth < 3 && random() < 0.35) made.push([random() < 0.5 ? "seq" : "par", ...list(depth + 1)]);
      else made.push(ids.splice(Math.floor(random() * ids.length), 1)[0] ?? "a");
    }
    return made;
  };
  return list(0);
}

describe("V1: a delta applied gives the tree it was made from", () => {
  test.each(Array.from({ length: 300 }, (_, seed) => seed))("seed %i", (seed) => {
    const random = seededRandom(seed);
    const [before, after] = [treeOf(planOf(...randomShapes(random))), treeOf(planOf(...randomShapes(random)))];

    const delta = diff(before, after);

    const stored = JSON.parse(JSON.stringify(delta)) as Delta | null;
    expect(stored ? apply(before, stored) : before).toEqual(after);
    expect(diff(after, after)).toBeNull();
  });
});

test("V2: inserting, removing or moving one of 1,000 tasks touches at most three nodes", () => {
  const ids = Array.from({ length: 1_000 }, (_, at) => `t${at}`);
  const before = treeOf(planOf(...ids));
  const touched = (next: readonly string[]) => {
    const delta = diff(before, treeOf(planOf(...next)));
    return Object.keys(delta?.set ?? {}).length + (delta?.gone.length ?? 0);
  };

  expect(touched([...ids, "new"])).toBe(1);
  expect(touched(ids.toSpliced(500, 0, "new"))).toBe(2);
  expect(touched(ids.toSpliced(500, 1))).toBe(2);
  expect(touched([...ids.slice(1), "t0"])).toBe(2);
  expect(touched(ids.toSpliced(500, 1).toSpliced(10, 0, "t500"))).toBe(3);
});

/** Feeds a log with one plan per event and keeps what a store would keep. */
function recorded(plans: readonly Plan[]): FrameRow[] {
  const log = new FrameLog([]);
  return plans.flatMap((plan, at) => {
    log.rendered(plan, 1);
    return log.take().map(({ offset, ...frame }) => ({ ...frame, seq: at + offset }));
  });
}
const upTo = (rows: readonly FrameRow[], seq: number) => {
  const there = rows.filter((row) => row.seq <= seq);
  return there.slice(there.findLastIndex((row) => row.full));
};

test("V6: a chain that grows step by step is stored in linear space, and any frame is read in the size of its tree", () => {
  const steps = 2_000;
  const ids = Array.from({ length: steps }, (_, at) => `step-${at}`);
  const plans = ids.map((_, at) => planOf(...ids.slice(0, at + 1)));

  const rows = recorded(plans);

  const bytes = (list: readonly FrameRow[]) => JSON.stringify(list).length;
  const perStep = bytes(rows) / steps;
  expect(perStep).toBeLessThan(170);
  expect(perStep / (bytes(rows.slice(0, 200)) / 200)).toBeLessThan(1.15);
  for (const seq of [1, 2, 7, 500, 1_023, 1_024, 1_999, 2_000]) {
    expect(treeAfter(upTo(rows, seq))).toEqual(treeOf(plans[seq - 1] ?? planOf()));
    const weight = upTo(rows, seq).reduce((sum, { delta }) => sum + Object.keys(delta.set).length, 0);
    expect(weight).toBeLessThanOrEqual(2 * (seq + 1));
  }
});

test("V6: a small tree that changes for ever is read in the size of the tree, not of its past", () => {
  const plans = Array.from({ length: 500 }, (_, at) => (at % 2 === 0 ? planOf("a", "b") : planOf("b", "a")));

  const rows = recorded(plans);

  for (const seq of [3, 100, 499, 500])
    expect(upTo(rows, seq).reduce((sum, { delta }) => sum + Object.keys(delta.set).length, 0)).toBeLessThanOrEqual(6);
});

test("V5: frames with the same tree write no row", () => {
  const plan = planOf("a", ["par", "b", "c"]);

  expect(recorded([plan, planOf("a", ["par", "b", "c"]), plan])).toHaveLength(1);
});

test("V4: the first tree stands before the commit's events, a later one behind the events that led to it", () => {
  const log = new FrameLog([]);
  log.rendered(planOf("a"), 0);
  log.rendered(planOf("a", "b"), 2);
  log.rendered(planOf("a", "c"), 2); // the loop rendered once more before anything happened
  const first = log.take();
  log.rendered(planOf("a"), 0);

  expect(first.map(({ offset }) => offset)).toEqual([0, 2]);
  expect(treeAfter(first)).toEqual(treeOf(planOf("a", "c")));
  expect(log.take().map(({ offset }) => offset)).toEqual([1]);
});
