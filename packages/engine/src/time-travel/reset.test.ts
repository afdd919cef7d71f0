import { seededRandom } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { resolveRef, stateKey, type LoopChain, type NodeRef } from "../graph/identity.ts";
import type { Plan, PlanLeaf, PlanNode } from "../graph/plan.ts";
import type { RunEventBody, StoredEvent } from "../run/events.ts";
import { foldEvents } from "../run/state.ts";
import { resetEvent, resetOfNode, resetToFrame, type Reset } from "./reset.ts";

/** `"a"` is a task, `"b<a"` waits for a; `["seq", …]`, `["par", …]`, `["loop:l", …]`, `["try:t", body, catch]` are what they say. */
type Shape = string | readonly [string, ...Shape[]];

function planOf(...shapes: readonly Shape[]): Plan {
  const leaves = new Map<string, PlanLeaf>();
  const chains = new Map<string, LoopChain>();
  const node = (shape: Shape, chain: LoopChain, within: unknown): PlanNode => {
    if (typeof shape === "string") {
      const [id = "", ...after] = shape.split("<");
      const key = stateKey(resolveRef(id, chain, new Map()));
      const leaf = { kind: "leaf", type: "task", id, key, chain, within, after: after.map((dep) => `${dep}::0`) };
      leaves.set(key, leaf as unknown as PlanLeaf);
      chains.set(id, chain);
      return leaf as unknown as PlanNode;
    }
    const [tag, ...members] = shape;
    const [kind = "", id = ""] = tag.split(":");
    const inside = (all: readonly Shape[], inner = chain, part: unknown = within): PlanNode =>
      ({ kind: "sequence", children: all.map((one) => node(one, inner, part)) }) as unknown as PlanNode;
    if (kind === "par") return { ...inside(members), kind: "parallel" } as PlanNode;
    if (kind === "seq") return inside(members);
    chains.set(id, chain);
    if (kind === "loop") return { kind, loopId: id, body: inside(members, [...chain, id]) } as unknown as PlanNode;
    const part = (name: string) => ({ scopeId: `${id}::0`, part: name, outer: within });
    const parts = members.map((one, at) => inside([one], chain, part(at === 0 ? "body" : "catch")));
    return { kind: "scope", id, body: parts[0], catch: parts[1] ?? null, finally: null } as unknown as PlanNode;
  };
  const root = { kind: "sequence", children: shapes.map((shape) => node(shape, [], null)) };
  return { name: "w", root, leaves, chains } as unknown as Plan;
}

const log = (bodies: readonly RunEventBody[]): StoredEvent[] =>
  bodies.map((body, at) => ({ ...body, runId: "run-1", seq: at + 1, atMs: at }));
const did = (nodeId: string, iteration = 0, attempt = 1): RunEventBody[] => [
  { type: "node.started", nodeId, iteration, attempt, label: nodeId },
  { type: "node.finished", nodeId, iteration, output: "value" },
];
const advanced = (loopId: string, iteration: number): RunEventBody => ({ type: "loop.advanced", loopId, iteration });
const keys = ({ nodes }: Reset): string[] => nodes.map(stateKey).toSorted();
const after = (plan: Plan, events: readonly StoredEvent[], target: NodeRef) =>
  resetOfNode({ plan, events }, { target, deps: true });

describe("what comes after a node goes with it", () => {
  const plan = planOf("a", ["par", ["seq", "b", "c"], "d", "e<b"], "f");
  const events = log(["a", "b", "c", "d", "e", "f"].flatMap((id) => did(id)));

  test.each([
    ["a", ["a::0", "b::0", "c::0", "d::0", "e::0", "f::0"]],
    ["b", ["b::0", "c::0", "e::0", "f::0"]],
    ["c", ["c::0", "f::0"]],
    ["d", ["d::0", "f::0"]],
    ["f", ["f::0"]],
  ])("of %s: %j", (id, expected) => {
    expect(keys(after(plan, events, { nodeId: id, iteration: 0 }))).toEqual(expected);
  });

  test("without its dependents it goes alone", () => {
    const reset = resetOfNode({ plan, events }, { target: { nodeId: "a", iteration: 0 }, deps: false });

    expect(keys(reset)).toEqual(["a::0"]);
  });

  test("a node the run never did is refused by name", () => {
    expect(() => after(plan, events, { nodeId: "x", iteration: 0 })).toThrow(/nothing at x, iteration 0/);
  });
});

describe("Z3: loops go back with their nodes", () => {
  const plan = planOf(["loop:out", "a", ["loop:in", "b", "c"], "d"], "e");
  const pass = (out: number): RunEventBody[] => [
    ...(out > 0 ? [advanced("out", out)] : []),
    ...did("a", out),
    ...did(`b@@out=${out}`, 0),
    ...did(`c@@out=${out}`, 0),
    advanced(`in@@out=${out}`, 1),
    ...did(`b@@out=${out}`, 1),
    ...did(`c@@out=${out}`, 1),
    ...did("d", out),
  ];
  const events = log([...pass(0), ...pass(1), ...did("e")]);

  test("a step in an inner pass takes the rest of that pass, later passes of both loops, and what follows", () => {
    const reset = after(plan, events, { nodeId: "b@@out=0", iteration: 1 });

    expect(keys(reset)).toEqual(
      [
        "a::1",
        "b@@out=0::1",
        "c@@out=0::1",
        "b@@out=1::0",
        "c@@out=1::0",
        "b@@out=1::1",
        "c@@out=1::1",
        "d::0",
        "d::1",
        "e::0",
      ].toSorted(),
    );
    expect(reset.loops).toEqual([
      { loopId: "out", iteration: null },
      { loopId: "in@@out=1", iteration: null },
    ]);
  });

  test("the first step of the second outer pass leaves the first pass alone", () => {
    const reset = after(plan, events, { nodeId: "a", iteration: 1 });

    expect(keys(reset).filter((key) => key.includes("out=0") || key.endsWith("a::0"))).toEqual([]);
    expect(reset.loops).toEqual([{ loopId: "in@@out=1", iteration: null }]);
  });

  test("a pass that is over cannot be reset alone", () => {
    const alone = () => resetOfNode({ plan, events }, { target: { nodeId: "a", iteration: 0 }, deps: false });

    expect(alone).toThrow(/loop out is past this pass/);
  });
});

test("Z2: what left the tree goes when it began after the target had ended, and stays when before", () => {
  const events = log([...did("early"), ...did("a"), ...did("late"), ...did("b")]);

  expect(keys(after(planOf("a", "b"), events, { nodeId: "a", iteration: 0 }))).toEqual(["a::0", "b::0", "late::0"]);
});

describe("Z6: a try goes back with its body", () => {
  const plan = planOf(["try:t", ["seq", "a", "b"], ["seq", "undo", "tell"]], "z");
  const error = { code: "TASK_FAILED", message: "no" };
  const events = log([
    ...did("a"),
    { type: "scope.failed", scopeId: "t::0", error, next: "catch", completed: ["a"] },
    ...did("undo"),
    { type: "scope.failed", scopeId: "t::0", error: { ...error, message: "also" }, next: "finally", completed: [] },
  ]);

  test("a step of the body undoes the failure and its handler", () => {
    const reset = after(plan, events, { nodeId: "a", iteration: 0 });

    expect(keys(reset)).toEqual(["a::0", "undo::0"]);
    expect(reset.scopes).toEqual([{ scopeId: "t::0", failed: null }]);
  });

  test("a step of the handler leaves the first failure as it was", () => {
    const reset = after(plan, events, { nodeId: "undo", iteration: 0 });

    expect(keys(reset)).toEqual(["undo::0"]);
    expect(reset.scopes).toEqual([{ scopeId: "t::0", failed: { next: "catch", error, completed: ["a"] } }]);
  });
});

test("Z5: after a reset, and after another one, the next attempt has a higher number", () => {
  const plan = planOf("a", "b");
  const first = log([...did("a"), ...did("b", 0, 3)]);
  const reset = after(plan, first, { nodeId: "b", iteration: 0 });
  const back = resetEvent(reset, { verb: "retry-task", by: "ann" });
  const second = log([...first, back, ...did("b", 0, 4)]);

  expect(reset.nodes).toEqual([{ nodeId: "b", iteration: 0, attempt: 3 }]);
  expect(foldEvents(log([...first, back])).nodes.get("b::0")).toEqual({
    kind: "interrupted",
    attempt: 3,
    failures: 0,
    failedBy: [],
  });
  expect(after(plan, second, { nodeId: "b", iteration: 0 }).nodes).toEqual([{ nodeId: "b", iteration: 0, attempt: 4 }]);
});

// ---- random trees, against a definition of "after" that unrolls them ----

type Coordinate = { readonly kind: "seq" | "par" | "loop"; readonly at: number };
interface Instance extends NodeRef {
  readonly id: string;
  readonly path: readonly Coordinate[];
}

function randomRun(random: () => number): { shapes: Shape[]; instances: Instance[]; loops: RunEventBody[][] } {
  let named = 0;
  const plain: string[] = [];
  const shape = (depth: number, inLoop: boolean): Shape => {
    if (depth === 0 || random() < 0.4) {
      const dep = !inLoop && plain.length > 0 && random() < 0.3 ? `<${plain[Math.floor(random() * plain.length)]}` : "";
      const id = `t${(named += 1)}`;
      if (!inLoop) plain.push(id);
      return id + dep;
    }
    const tag = random() < 0.4 ? "seq" : random() < 0.6 ? "par" : `loop:l${(named += 1)}`;
    const members = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
      shape(depth - 1, inLoop || tag.startsWith("loop")),
    );
    return [tag, ...members];
  };
  const shapes = Array.from({ length: 1 + Math.floor(random() * 3) }, () => shape(3, false));
  const instances: Instance[] = [];
  const loops: RunEventBody[][] = [];
  const unroll = (one: Shape, path: readonly Coordinate[], around: readonly (readonly [string, number])[]): void => {
    if (typeof one === "string") {
      const [id = ""] = one.split("<");
      const state = new Map<string, number>();
      let scope = "";
      for (const [loop, pass] of around) {
        state.set(loop + scope, pass);
        scope += `${scope ? "," : "@@"}${loop}=${pass}`;
      }
      instances.push({
        id,
        path,
        ...resolveRef(
          id,
          around.map(([loop]) => loop),
          state,
        ),
      });
      return;
    }
    const [tag, ...members] = one;
    if (!tag.startsWith("loop")) {
      const kind = tag as "seq" | "par";
      for (const [at, member] of members.entries()) unroll(member, [...path, { kind, at }], around);
      return;
    }
    const loop = tag.slice(5);
    const scope = around.length > 0 ? `@@${around.map(([outer, pass]) => `${outer}=${pass}`).join(",")}` : "";
    for (let pass = 0; pass < 1 + Math.floor(random() * 3); pass += 1) {
      if (pass > 0) loops[instances.length] = [...(loops[instances.length] ?? []), advanced(loop + scope, pass)];
      for (const [at, member] of members.entries())
        unroll(member, [...path, { kind: "loop", at: pass }, { kind: "seq", at }], [...around, [loop, pass]]);
    }
  };
  for (const [at, one] of shapes.entries()) unroll(one, [{ kind: "seq", at }], []);
  return { shapes, instances, loops };
}

function structurallyAfter(a: Instance, b: Instance): boolean {
  for (const [at, mine] of a.path.entries()) {
    const other = b.path[at];
    if (!other) return false;
    if (mine.at !== other.at) return mine.kind !== "par" && other.at > mine.at;
  }
  return false;
}

function closure(instances: readonly Instance[], plan: Plan, target: Instance): Instance[] {
  const waits = (b: Instance, a: Instance) =>
    [...plan.leaves.values()].some((leaf) => leaf.id === b.id && leaf.after.includes(stateKey(a)));
  const found = new Set([target]);
  for (const at of found)
    for (const other of instances) if (structurallyAfter(at, other) || waits(other, at)) found.add(other);
  return [...found];
}

describe("Z1: exactly what comes after goes", () => {
  test.each(Array.from({ length: 400 }, (_, seed) => seed))("seed %i", (seed) => {
    const random = seededRandom(seed);
    const { shapes, instances, loops } = randomRun(random);
    const plan = planOf(...shapes);
    const events = log(instances.flatMap((ref, at) => [...(loops[at] ?? []), ...did(ref.nodeId, ref.iteration)]));
    const target = instances[Math.floor(random() * instances.length)]!;

    const reset = after(plan, events, target);

    expect(keys(reset)).toEqual(closure(instances, plan, target).map(stateKey).toSorted());
    const folded = foldEvents(log([...events, resetEvent(reset, { verb: "retry-task", by: "ann" })]));
    const kept = instances.filter((ref) => folded.nodes.get(stateKey(ref))?.kind === "finished");
    expect(kept.length + reset.nodes.length).toBe(instances.length);
    const chain = plan.chains.get(target.id) ?? [];
    expect(resolveRef(target.id, chain, folded.loops)).toEqual({ nodeId: target.nodeId, iteration: target.iteration }); // Z3
  });
});

describe("Z4: a reset to a frame gives the state of that frame", () => {
  test.each(Array.from({ length: 200 }, (_, seed) => seed))("seed %i", (seed) => {
    const random = seededRandom(seed);
    const { shapes, instances, loops } = randomRun(random);
    const events = log(instances.flatMap((ref, at) => [...(loops[at] ?? []), ...did(ref.nodeId, ref.iteration)]));
    const seq = 1 + Math.floor(random() * events.length);
    const then = foldEvents(events.slice(0, seq));

    const reset = resetToFrame({ events }, { events: events.slice(0, seq), plan: planOf(...shapes) });
    const now = foldEvents(log([...events, resetEvent(reset, { verb: "rewind", by: "ann" })]));

    expect(now.loops).toEqual(then.loops);
    const finished = (nodes: typeof now.nodes) =>
      [...nodes].filter(([, node]) => node.kind === "finished").map(([key]) => key);
    expect(finished(now.nodes)).toEqual(finished(then.nodes));
  });
});
