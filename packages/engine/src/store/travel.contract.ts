/** What every store must do for time travel. Each implementation's test calls this with a fresh store per test. */
import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import type { RunEventBody } from "../run/events.ts";
import { decodeRow, encodeRow, outputTable } from "../outputs/table.ts";
import { NOTHING, type OutputCells, type Owner, type RunStore } from "./port.ts";
import type { ResetRun, TravelRow } from "./travel-port.ts";

const OWNER: Owner = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
const TABLE = outputTable("value", z.object({ n: z.number(), on: z.boolean().nullable() }));
const output = (nodeId: string, n: number): OutputCells => ({
  table: TABLE,
  nodeId,
  iteration: 0,
  cells: encodeRow(TABLE, { n, on: true }),
});
const finished = (nodeId: string) => ({ type: "node.finished", nodeId, iteration: 0, output: "value" }) as const;
const back = (nodeId: string): RunEventBody => ({
  type: "nodes.reset",
  verb: "retry-task",
  by: "ann",
  nodes: [{ nodeId, iteration: 0, attempt: 1 }],
  loops: [{ loopId: "l", iteration: null }],
  scopes: [],
});
const reset = (change: Partial<ResetRun> = {}): ResetRun => ({
  runId: "run-1",
  epoch: 1,
  atMs: 20,
  events: [back("a")],
  nodes: [{ nodeId: "a", iteration: 0 }],
  archive: [output("a", 1)],
  status: "paused",
  ...change,
});

export function travelContract(open: () => RunStore | Promise<RunStore>): void {
  let store: RunStore;
  const numbers = async (runId = "run-1") =>
    (await store.outputs(runId, TABLE)).map((row) => [row.nodeId, decodeRow(TABLE, row.cells)["n"]]);
  beforeEach(async () => {
    store = await open();
    await store.defineOutputs([TABLE]);
    await store.create({ runId: "run-1", workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 });
    const ask = {
      nodeId: "a",
      iteration: 0,
      mode: "approve",
      request: { title: "Go?" },
      workflow: "w",
      decided: null,
    } as const;
    await store.commit({
      runId: "run-1",
      epoch: 1,
      atMs: 10,
      events: [finished("a"), finished("b")],
      outputs: [output("a", 1), output("b", 2)],
      approvals: [ask, { ...ask, nodeId: "b" }],
      voided: [],
      cached: [],
      heartbeats: [
        { nodeId: "a", iteration: 0, payload: 1 },
        { nodeId: "b", iteration: 0, payload: 2 },
      ],
      frames: [{ offset: 0, full: true, delta: { set: { ">": ["workflow", "", null] }, gone: [] } }],
      status: { status: "failed", error: { code: "TASK_FAILED", message: "no" }, wakeAtMs: null, seenSeq: 3 },
    });
  });

  test("Y1: a reset takes the rows of its nodes and of no other, under a new epoch, without an owner", async () => {
    expect(await store.reset(reset())).toBe("reset");

    expect(await numbers()).toEqual([["b", 2]]);
    expect((await store.approvals({ runId: "run-1" })).map((row) => row.nodeId)).toEqual(["b"]);
    expect((await store.heartbeats("run-1")).map((row) => row.nodeId)).toEqual(["b"]);
    expect(await store.run("run-1")).toMatchObject({
      status: "paused",
      owner: null,
      epoch: 2,
      error: null,
      lastSeq: 4,
    });
    expect(await store.events("run-1", 3)).toEqual([{ ...back("a"), runId: "run-1", seq: 4, atMs: 20 }]);
  });

  test("Y1: a reset decided on an older epoch changes nothing", async () => {
    await store.claim({ runId: "run-1", epoch: 1, owner: OWNER, atMs: 15 });

    expect(await store.reset(reset())).toBe("stale");

    expect(await numbers()).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
    expect(await store.approvals({ runId: "run-1" })).toHaveLength(2);
    expect(await store.archived("run-1")).toEqual([]);
    expect(await store.run("run-1")).toMatchObject({ status: "running", owner: OWNER, epoch: 2, lastSeq: 4 });
  });

  test("Y1: the owner a reset was forced upon records nothing more", async () => {
    await store.claim({ runId: "run-1", epoch: 1, owner: OWNER, atMs: 15 });
    expect(await store.reset(reset({ epoch: 2, status: "running" }))).toBe("reset");

    expect(await store.beat({ runId: "run-1", epoch: 2, atMs: 30 })).toBe(false);
    expect(await store.run("run-1")).toMatchObject({ status: "running", owner: null, epoch: 3 });
  });

  test("Y2: the archive keeps what was reset, each time anew", async () => {
    await store.reset(reset());
    await store.claim({ runId: "run-1", epoch: 2, owner: OWNER, atMs: 15 });
    const again = { ...NOTHING, events: [finished("a")], outputs: [output("a", 7)] };
    await store.commit({ runId: "run-1", epoch: 3, atMs: 30, ...again });
    await store.reset(reset({ epoch: 3, archive: [output("a", 7)] }));

    const kept = await store.archived("run-1");

    expect(kept).toEqual([
      { nodeId: "a", iteration: 0, table: "value", cells: { n: 1, on: 1, _rest: null }, untilSeq: 4 },
      { nodeId: "a", iteration: 0, table: "value", cells: { n: 7, on: 1, _rest: null }, untilSeq: 7 },
    ]);
  });

  test("a note is written by anybody and wakes nobody; one for an epoch only at that epoch", async () => {
    const events: RunEventBody[] = [{ type: "vcs.restored", root: "/repo", pointer: "abc", by: "ann" }];
    const error = { code: "AUTO_RESUME_GAVE_UP", message: "no" };

    expect(await store.note({ runId: "run-1", atMs: 20, events })).toBe(true);
    expect(await store.note({ runId: "run-1", atMs: 21, events, at: { epoch: 9, error } })).toBe(false);
    expect(await store.run("run-1")).toMatchObject({ lastSeq: 4, wakeAtMs: null, error: { code: "TASK_FAILED" } });
    expect(await store.note({ runId: "run-1", atMs: 22, events, at: { epoch: 1, error } })).toBe(true);
    expect(await store.note({ runId: "run-none", atMs: 22, events })).toBe(false);

    expect(await store.run("run-1")).toMatchObject({ lastSeq: 5, status: "failed", error });
    await store.claim({ runId: "run-1", epoch: 1, owner: OWNER, atMs: 23 });
    expect(await store.run("run-1")).toMatchObject({ status: "running", error: null });
    expect((await store.events("run-1", 3, 2)).map(({ seq, atMs, type }) => [seq, atMs, type])).toEqual([
      [4, 20, "vcs.restored"],
      [5, 22, "vcs.restored"],
    ]);
  });

  test("a fork has its own rows, the events of its source and no owner; its id is taken once", async () => {
    const copied = await store.events("run-1", 0, 2);
    const fork = {
      runId: "run-2",
      workflow: "w",
      input: { x: 1 },
      auth: null,
      metadata: { source: null, vcsRoot: "/repo" },
      from: { runId: "run-1", atSeq: 2, label: "try" },
      atMs: 50,
      copied,
      events: [{ type: "run.forked", from: "run-1", atSeq: 2, label: "try", by: "ann" }],
      outputs: [output("a", 1)],
      frames: await store.frames("run-1", 2),
    } as const;

    expect(await store.fork(fork)).toBe("created");
    expect(await store.fork(fork)).toBe("exists");

    expect(await store.run("run-2")).toMatchObject({
      status: "paused",
      owner: null,
      epoch: 1,
      lastSeq: 3,
      input: { x: 1 },
      metadata: { source: null, vcsRoot: "/repo" },
      forkedFrom: { runId: "run-1", atSeq: 2, label: "try" },
      createdAtMs: 50,
    });
    expect((await store.events("run-2", 0)).map(({ runId, seq, atMs, type }) => [runId, seq, atMs, type])).toEqual([
      ["run-2", 1, 1, "run.started"],
      ["run-2", 2, 10, "node.finished"],
      ["run-2", 3, 50, "run.forked"],
    ]);
    expect(await numbers("run-2")).toEqual([["a", 1]]);
    expect(await store.frames("run-2")).toEqual(await store.frames("run-1"));
    expect((await store.runs({ forkedFrom: "run-1" })).map((run) => run.runId)).toEqual(["run-2"]);
    expect(await store.runs({ forkedFrom: "run-2" })).toEqual([]);
  });

  test("a forgotten run leaves nothing; one that is not over is left alone", async () => {
    await store.create({ runId: "run-2", workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 });
    await store.forget(["run-1", "run-2", "run-none"]);

    expect(await store.run("run-1")).toBeNull();
    expect([await store.events("run-1", 0), await numbers(), await store.approvals({ runId: "run-1" })]).toEqual([
      [],
      [],
      [],
    ]);
    expect([await store.frames("run-1"), await store.heartbeats("run-1")]).toEqual([[], []]);
    expect((await store.events("run-2", 0)).map(({ type }) => type)).toEqual(["run.started"]);
  });

  test("the size of a run is what it recorded, and goes with it", async () => {
    const sizeOf = async (runId: string): Promise<number> =>
      (await store.sizes()).find((size) => size.runId === runId)?.bytes ?? 0;
    const [other, none] = [await sizeOf("run-1"), await sizeOf("run-2")];
    await store.create({ runId: "run-2", workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 });
    const heartbeats = [{ nodeId: "a", iteration: 0, payload: "x".repeat(10_000) }];
    await store.commit({ runId: "run-2", epoch: 1, atMs: 2, ...NOTHING, heartbeats });
    const size = await sizeOf("run-2");
    await store.forget(["run-1"]);

    expect([none, size > 10_000, size < 13_000, other > 100, await sizeOf("run-1")]).toEqual([0, true, true, true, 0]);
  });

  test("Y3: one travel of a run is under way at a time; every one leaves its row", async () => {
    const travel = (travelId: string, change: Partial<TravelRow> = {}): TravelRow => ({
      travelId,
      runId: "run-1",
      verb: "rewind",
      by: "ann",
      toSeq: 2,
      atMs: Number(travelId.slice(-1)),
      beatAtMs: 1,
      owner: OWNER,
      result: "in-progress",
      detail: null,
      undo: [],
      ...change,
    });
    expect(await store.beginTravel(travel("travel-1"))).toBeNull();
    expect(await store.beginTravel(travel("travel-2"))).toEqual(travel("travel-1"));
    expect(await store.beginTravel(travel("travel-3", { result: "refused", detail: "no" }))).toBeNull();
    expect(await store.beginTravel(travel("travel-4", { runId: "run-other" }))).toBeNull();

    await store.updateTravel("travel-1", { undo: [{ root: "/repo", pointer: "abc" }] });
    expect((await store.travels("run-1")).at(-1)?.undo).toEqual([{ root: "/repo", pointer: "abc" }]);
    await store.updateTravel("travel-1", { beatAtMs: 77 });
    expect((await store.travels("run-1")).at(-1)).toMatchObject({ atMs: 1, beatAtMs: 77, result: "in-progress" });
    await store.updateTravel("travel-1", { result: "success", undo: [] });
    expect(await store.beginTravel(travel("travel-5"))).toBeNull();

    expect((await store.travels("run-1")).map((row) => [row.travelId, row.result, row.undo])).toEqual([
      ["travel-5", "in-progress", []],
      ["travel-3", "refused", []],
      ["travel-1", "success", []],
    ]);
  });
}
