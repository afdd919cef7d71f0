import { expect, test } from "vitest";
import { localId, loopKey, parseStateKey, resolveRef, stateKey } from "./identity.ts";

test("I1: a state key is split at its last `::`, so ids that hold one survive", () => {
  for (const ref of [
    { nodeId: "a", iteration: 0 },
    { nodeId: "old::style", iteration: 12 },
    { nodeId: "task@@outer=1,middle=2", iteration: 3 },
  ])
    expect(parseStateKey(stateKey(ref))).toEqual(ref);
});

test("I2: every ancestor loop but the innermost is in the node id; the innermost is the iteration", () => {
  const loops = new Map([
    ["outer", 2],
    ["middle@@outer=2", 1],
    ["inner@@outer=2,middle=1", 4],
  ]);

  expect(resolveRef("t", [], loops)).toEqual({ nodeId: "t", iteration: 0 });
  expect(resolveRef("t", ["outer"], loops)).toEqual({ nodeId: "t", iteration: 2 });
  expect(resolveRef("t", ["outer", "middle"], loops)).toEqual({ nodeId: "t@@outer=2", iteration: 1 });
  expect(resolveRef("t", ["outer", "middle", "inner"], loops)).toEqual({ nodeId: "t@@outer=2,middle=1", iteration: 4 });
  expect(loopKey("inner", ["outer", "middle"], loops)).toBe("inner@@outer=2,middle=1");
  expect(localId("t@@outer=2,middle=1")).toBe("t");
});

test("a loop that has never advanced is at 0, also inside a pass of its outer loop that it has not seen", () => {
  const loops = new Map([
    ["outer", 1],
    ["inner@@outer=0", 5],
  ]);

  expect(resolveRef("t", ["outer", "inner"], loops)).toEqual({ nodeId: "t@@outer=1", iteration: 0 });
});
