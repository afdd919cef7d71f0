import { describe, expect, test } from "vitest";
import { planGc, type GcFacts } from "./gc.ts";

type Run = GcFacts["runs"][number];
const run = (runId: string, change: Partial<Run> = {}): Run => ({
  runId,
  status: "finished",
  owner: null,
  updatedAtMs: 0,
  forkedFrom: null,
  parent: null,
  ...change,
});

test("age and count decide, and only what is over goes", () => {
  const runs = [
    run("new", { updatedAtMs: 95 }),
    run("mid", { updatedAtMs: 92 }),
    run("old"),
    run("waits", { status: "waiting-event" }),
  ];

  expect(planGc({ runs, nowMs: 100 }, { maxAgeMs: 50 }).remove).toEqual([{ runId: "old", because: "age" }]);
  expect(planGc({ runs, nowMs: 100 }, { keepNewest: 1, maxAgeMs: 50 }).remove).toEqual([
    { runId: "mid", because: "count" },
    { runId: "old", because: "age" },
  ]);
  expect(planGc({ runs, nowMs: 100 }, {}).remove).toEqual([]);
});

test.each([
  ["maxAgeMs", -1],
  ["maxAgeMs", Number.NaN],
  ["keepNewest", -1],
  ["keepNewest", 1.5],
  ["maxBytes", -1],
  ["maxBytes", Number.NaN],
])("a policy with %s %s is refused, and forgets nothing", (name, value) => {
  const forget = () => planGc({ runs: [run("old")], nowMs: 100 }, { [name]: value });

  expect(forget).toThrow(
    expect.objectContaining({ code: "INVALID_INPUT", details: { name: `${name} of a retention policy` } }),
  );
});

test("N1: what a staying run was forked from, or continues, stays, through any number of steps", () => {
  const runs = [
    run("fork", { updatedAtMs: 99, forkedFrom: { runId: "source", atSeq: 1, label: null } }),
    run("source", { parent: { runId: "before", as: "continuation", key: null } }),
    run("before"),
    run("alone"),
  ];

  expect(planGc({ runs, nowMs: 100 }, { maxAgeMs: 50 })).toEqual({
    remove: [{ runId: "alone", because: "age" }],
    needed: [
      { runId: "source", by: "fork" },
      { runId: "before", by: "source" },
    ],
  });
});

test("N1: the subflows of a run that goes on stay, with what they continued as and their own; of one that is over they go", () => {
  const family = (root: string, status: Run["status"]): Run[] => [
    run(root, { status }),
    run(`${root} child`, { status: "continued", parent: { runId: root, as: "subflow", key: "sub::0" } }),
    run(`${root} child goes on`, { parent: { runId: `${root} child`, as: "continuation", key: null } }),
    run(`${root} grandchild`, { parent: { runId: `${root} child goes on`, as: "subflow", key: "sub::0" } }),
  ];
  const runs = [...family("waits", "waiting-approval"), ...family("over", "finished")];
  const over = runs.map(({ runId }) => runId).filter((runId) => runId.startsWith("over"));

  for (const policy of [{ maxAgeMs: 50 }, { keepNewest: 0 }, { maxBytes: 0 }]) {
    const sizes = runs.map(({ runId }) => ({ runId, bytes: 1, blobs: [] }));
    expect(new Set(planGc({ runs, nowMs: 100, sizes }, policy).remove.map(({ runId }) => runId))).toEqual(
      new Set(over),
    );
  }
});

describe("N3: a quota", () => {
  const runs = [
    run("new", { updatedAtMs: 90 }),
    run("mid", { updatedAtMs: 80 }),
    run("old", { updatedAtMs: 70 }),
    run("goes on", { status: "running", updatedAtMs: 10 }),
  ];
  const size = (runId: string, bytes = 10, blobs: readonly string[] = []) => ({ runId, bytes, blobs });
  const removed = (facts: Omit<GcFacts, "nowMs">, maxBytes: number): readonly string[] =>
    planGc({ ...facts, nowMs: 100 }, { maxBytes }).remove.map(({ runId }) => runId);

  test("takes the oldest that are over, and no more than it must", () => {
    const sizes = runs.map(({ runId }) => size(runId));

    expect(removed({ runs, sizes }, 40)).toEqual([]);
    expect(removed({ runs, sizes }, 25)).toEqual(["old", "mid"]);
    expect(removed({ runs, sizes }, 0)).toEqual(["old", "mid", "new"]);
  });

  test("counts a payload once, and frees it with the last run that has it", () => {
    const sizes = [size("new", 10, ["big"]), size("mid", 10, ["big"]), size("old", 10, ["small"]), size("goes on")];
    const payloadBytes = new Map([
      ["big", 100],
      ["small", 5],
    ]);

    expect(removed({ runs, sizes, payloadBytes }, 144)).toEqual(["old"]);
    expect(removed({ runs, sizes, payloadBytes }, 119)).toEqual(["old", "mid", "new"]);
  });

  test("N1: leaves what a run that stays needs, and takes the source with its last fork", () => {
    const forked = { forkedFrom: { runId: "source", atSeq: 1, label: null } };
    const family = [
      run("source", { updatedAtMs: 1 }),
      run("fork", { updatedAtMs: 2, ...forked }),
      run("new", { updatedAtMs: 9 }),
    ];
    const sizes = family.map(({ runId }) => size(runId));

    expect(removed({ runs: family, sizes }, 20)).toEqual(["fork"]);
    expect(removed({ runs: family, sizes }, 10)).toEqual(["fork", "source"]);
    const held = [...family, run("other", { status: "paused", ...forked })];
    expect(removed({ runs: held, sizes }, 0)).toEqual(["fork", "new"]);
  });

  test("is met first by what age and count take", () => {
    const sizes = runs.map(({ runId }) => size(runId));

    expect(planGc({ runs, sizes, nowMs: 100 }, { maxAgeMs: 25, maxBytes: 30 }).remove).toEqual([
      { runId: "old", because: "age" },
    ]);
  });
});
