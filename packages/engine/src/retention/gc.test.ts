import { expect, test } from "vitest";
import { openMemoryStore } from "../store/memory.ts";
import { NOTHING } from "../store/port.ts";
import { gc, planGc } from "./gc.ts";

type Run = Parameters<typeof planGc>[0][number];
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

  expect(planGc(runs, { maxAgeMs: 50 }, 100).remove).toEqual([{ runId: "old", because: "age" }]);
  expect(planGc(runs, { keepNewest: 1, maxAgeMs: 50 }, 100).remove).toEqual([
    { runId: "mid", because: "count" },
    { runId: "old", because: "age" },
  ]);
  expect(planGc(runs, {}, 100).remove).toEqual([]);
});

test("N1: what a staying run was forked from, or continues, stays, through any number of steps", () => {
  const runs = [
    run("fork", { updatedAtMs: 99, forkedFrom: { runId: "source", atSeq: 1, label: null } }),
    run("source", { parent: { runId: "before", as: "continuation", key: null } }),
    run("before"),
    run("alone"),
  ];

  expect(planGc(runs, { maxAgeMs: 50 }, 100)).toEqual({
    remove: [{ runId: "alone", because: "age" }],
    needed: [
      { runId: "source", by: "fork" },
      { runId: "before", by: "source" },
    ],
  });
});

test("N2: a dry run changes nothing; the real one does what it showed", async () => {
  const store = openMemoryStore();
  const owner = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
  await store.create({ runId: "run-1", workflow: "w", input: {}, auth: null, owner, atMs: 1 });
  await store.commit({
    runId: "run-1",
    epoch: 1,
    atMs: 1,
    ...NOTHING,
    status: { status: "finished", error: null, wakeAtMs: null, seenSeq: 1 },
  });

  const shown = await gc(store, { maxAgeMs: 10 }, { nowMs: 100, dryRun: true });
  expect(await store.run("run-1")).not.toBeNull();

  expect(await gc(store, { maxAgeMs: 10 }, { nowMs: 100, dryRun: false })).toEqual(shown);
  expect(await store.run("run-1")).toBeNull();
});
