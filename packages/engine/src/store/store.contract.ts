/** What every RunStore must do. Each implementation's test calls this with a fresh store per test. */
import { beforeEach, expect, test } from "vitest";
import { z } from "zod";
import type { NodeRef } from "../graph/identity.ts";
import type { RunStatus } from "../run/events.ts";
import { decodeRow, encodeRow, outputTable } from "../outputs/table.ts";
import { NOTHING, type Batch, type Owner, type RunStore } from "./port.ts";

const OWNER: Owner = { host: "h", boot: "b", pid: 1, pidStartedAt: "1" };
const OTHER: Owner = { ...OWNER, pid: 2 };
const TABLE = outputTable(
  "result",
  z.looseObject({
    text: z.string(),
    some: z.boolean(),
    none: z.string().nullable(),
    maybe: z.number().optional(),
    both: z.string().nullish(),
    when: z.date(),
    nested: z.object({ list: z.array(z.number()), on: z.date().nullable() }),
    fooBar: z.union([z.string(), z.number()]),
    iteration: z.number(),
  }),
);
const ROW = {
  text: "a\u0000b ✓",
  some: false,
  none: null,
  both: null,
  when: new Date(5),
  nested: { list: [1.5, -2], on: null },
  fooBar: "7",
  iteration: 9,
  more: { x: [1] },
};
const batch = (change: Partial<Batch> = {}): Batch => ({
  runId: "run-1",
  epoch: 1,
  atMs: 10,
  ...NOTHING,
  ...change,
});
const ended = (status: RunStatus): NonNullable<Batch["status"]> => ({
  status,
  error: null,
  wakeAtMs: null,
  seenSeq: 1,
});
const started = { type: "node.started", nodeId: "a", iteration: 0, attempt: 1, label: "a" } as const;
const finished = { type: "node.finished", nodeId: "a", iteration: 0, output: "result" } as const;
const ask = {
  nodeId: "ask",
  iteration: 0,
  mode: "approve",
  request: { title: "Go?", allowedUsers: ["ann"] },
  workflow: "w",
  decided: null,
} as const;

export function runStoreContract(open: () => RunStore | Promise<RunStore>): void {
  let store: RunStore;
  beforeEach(async () => {
    store = await open();
    await store.defineOutputs([TABLE]);
    await store.create({ runId: "run-1", workflow: "w", input: { x: [1] }, auth: null, owner: OWNER, atMs: 1 });
  });

  test("a run has an owner and its first event from its first row", async () => {
    expect(await store.run("run-1")).toEqual({
      runId: "run-1",
      workflow: "w",
      status: "running",
      input: { x: [1] },
      auth: null,
      parent: null,
      metadata: { source: null, vcsRoot: null },
      error: null,
      owner: OWNER,
      epoch: 1,
      heartbeatAtMs: 1,
      lastSeq: 1,
      cancelRequestedBy: null,
      wakeAtMs: null,
      forkedFrom: null,
      createdAtMs: 1,
      updatedAtMs: 1,
    });
    expect(await store.events("run-1", 0)).toEqual([
      { type: "run.started", workflow: "w", runId: "run-1", seq: 1, atMs: 1 },
    ]);
    expect(await store.create({ runId: "run-1", workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 })).toBe(
      "exists",
    );
    expect(await store.run("nobody")).toBeNull();
  });

  test("events get gapless seqs over several commits, and can be read after a seq", async () => {
    expect(await store.commit(batch({ events: [started, finished] }))).toEqual({ kind: "committed", firstSeq: 2 });
    expect(await store.commit(batch({ events: [started] }))).toEqual({ kind: "committed", firstSeq: 4 });

    expect((await store.events("run-1", 0)).map((event) => event.seq)).toEqual([1, 2, 3, 4]);
    expect((await store.events("run-1", 2, 1)).map((event) => event.seq)).toEqual([3]);
    expect((await store.run("run-1"))?.lastSeq).toBe(4);
  });

  test("O1: a row comes back exactly", async () => {
    await store.commit(batch({ outputs: [{ table: TABLE, nodeId: "a", iteration: 2, cells: encodeRow(TABLE, ROW) }] }));

    const [back] = await store.outputs("run-1", TABLE);

    expect(back).toMatchObject({ nodeId: "a", iteration: 2 });
    expect(decodeRow(TABLE, back!.cells)).toStrictEqual(ROW);
  });

  test("S3: the first output row of a node stays", async () => {
    const cells = (text: string) => ({
      table: TABLE,
      nodeId: "a",
      iteration: 0,
      cells: encodeRow(TABLE, { ...ROW, text }),
    });
    await store.commit(batch({ outputs: [cells("first")] }));
    await store.commit(batch({ outputs: [cells("second")] }));

    const rows = await store.outputs("run-1", TABLE);

    expect(rows.map((row) => decodeRow(TABLE, row.cells)["text"])).toEqual(["first"]);
  });

  test("S2: after a claim the old owner's writes are refused whole", async () => {
    expect(await store.claim({ runId: "run-1", epoch: 1, owner: OTHER, atMs: 5 })).toBe(2);

    const stale = batch({
      events: [finished],
      outputs: [{ table: TABLE, nodeId: "a", iteration: 0, cells: encodeRow(TABLE, ROW) }],
      approvals: [ask],
      status: ended("finished"),
    });
    expect(await store.commit(stale)).toEqual({ kind: "stale" });

    expect(await store.beat({ runId: "run-1", epoch: 1, atMs: 9 })).toBe(false);
    expect(await store.beat({ runId: "run-1", epoch: 2, atMs: 9 })).toBe(true);
    expect((await store.events("run-1", 1)).map((event) => event.type)).toEqual(["run.claimed"]);
    expect(await store.outputs("run-1", TABLE)).toEqual([]);
    expect(await store.approvals({ runId: "run-1" })).toEqual([]);
    expect(await store.run("run-1")).toMatchObject({ status: "running", owner: OTHER, epoch: 2, heartbeatAtMs: 9 });
  });

  test("M2: what was accepted with a claim is recorded with it", async () => {
    const source = { entry: "flow.tsx", files: { "flow.tsx": "aa" }, packages: { zod: "4.6.7" } };
    const first = { source: null, vcsRoot: "/repo" };
    await store.create({
      runId: "run-2",
      workflow: "w",
      input: {},
      auth: null,
      metadata: first,
      owner: OWNER,
      atMs: 1,
    });
    expect((await store.run("run-2"))?.metadata).toEqual(first);

    const accepted = { metadata: { source, vcsRoot: "/repo" }, changed: ["flow.tsx added"], by: "ann" };
    await store.claim({ runId: "run-2", epoch: 9, owner: OTHER, atMs: 5, accepted });
    expect((await store.run("run-2"))?.metadata).toEqual(first);
    await store.claim({ runId: "run-2", epoch: 1, owner: OTHER, atMs: 5, accepted });

    expect((await store.run("run-2"))?.metadata).toEqual(accepted.metadata);
    expect(await store.events("run-2", 1)).toMatchObject([
      { type: "run.change-accepted", changed: ["flow.tsx added"], by: "ann" },
      { type: "run.claimed", epoch: 2 },
    ]);
  });

  test("S2: of two claims of the same epoch one wins", async () => {
    const claims = [OWNER, OTHER].map((owner) => store.claim({ runId: "run-1", epoch: 1, owner, atMs: 5 }));

    expect((await Promise.all(claims)).toSorted((a, b) => Number(b) - Number(a))).toEqual([2, null]);
  });

  test("S2: a worker takes as many of the free runs as it asked for; those taken meanwhile are left alone", async () => {
    const runs = Array.from({ length: 5 }, (_, at) => ({ runId: `many-${at}`, epoch: 1 }));
    for (const { runId } of runs)
      await store.create({ runId, workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 });
    await store.claim({ runId: "many-1", epoch: 1, owner: OTHER, atMs: 5 });

    const first = await store.claimSome({ runs, owner: OTHER, atMs: 6, limit: 2 });
    const second = await store.claimSome({ runs, owner: OWNER, atMs: 6, limit: 9 });

    expect(first).toEqual([0, 2].map((at) => ({ runId: `many-${at}`, epoch: 2 })));
    expect(second).toEqual([3, 4].map((at) => ({ runId: `many-${at}`, epoch: 2 })));
    expect(await store.claimSome({ runs, owner: OTHER, atMs: 6, limit: 9 })).toEqual([]);
    expect(await store.run("many-2")).toMatchObject({ owner: OTHER, epoch: 2, status: "running", heartbeatAtMs: 6 });
    expect((await store.events("many-2", 1)).map((event) => event.type)).toEqual(["run.claimed"]);
  });

  test("a stale batch does not spoil the batches that share its transaction", async () => {
    await store.create({ runId: "run-2", workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 1 });

    const results = await Promise.all([
      store.commit(batch({ epoch: 7, events: [started] })),
      store.commit(batch({ runId: "run-2", events: [started] })),
    ]);

    expect(results).toEqual([{ kind: "stale" }, { kind: "committed", firstSeq: 2 }]);
  });

  test("S8: a run that continues as new ends and has its successor in one step; the successor knows where it comes from", async () => {
    const run = { runId: "run-2", workflow: "w", input: { y: 1 }, auth: null, owner: OWNER, atMs: 10 };
    const successor = {
      run: { ...run, parent: { runId: "run-1", as: "continuation" as const, key: null } },
      events: [{ type: "loop.advanced" as const, loopId: "l", iteration: 3 }, finished],
      outputs: [{ table: TABLE, nodeId: "a", iteration: 0, cells: encodeRow(TABLE, ROW) }],
    };
    const ending = { successor, status: { status: "continued" as const, error: null, wakeAtMs: null, seenSeq: 1 } };

    expect(await store.commit(batch({ ...ending, epoch: 9 }))).toEqual({ kind: "stale" });
    expect(await store.run("run-2")).toBeNull();
    await store.commit(batch(ending));

    expect(await store.run("run-1")).toMatchObject({ status: "continued", owner: null });
    expect(await store.run("run-2")).toMatchObject({
      status: "running",
      owner: OWNER,
      epoch: 1,
      parent: successor.run.parent,
    });
    expect((await store.events("run-2", 0)).map(({ seq, type }) => [seq, type])).toEqual([
      [1, "run.started"],
      [2, "loop.advanced"],
      [3, "node.finished"],
    ]);
    expect(await store.outputs("run-2", TABLE)).toHaveLength(1);
    expect((await store.runs({ parentRunId: "run-1" })).map(({ runId }) => runId)).toEqual(["run-2"]);
    expect(await store.runs({ orphaned: true })).toEqual([]);
  });

  test("finds the subflows of runs that are over", async () => {
    const child = { workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 2 };
    const parent = { runId: "run-1", as: "subflow" as const, key: "sub::0" };
    await store.create({ ...child, runId: "child", parent });
    const orphans = async () => (await store.runs({ status: ["running"], orphaned: true })).map(({ runId }) => runId);

    expect(await orphans()).toEqual([]);
    await store.commit(batch({ status: { status: "failed", error: null, wakeAtMs: null, seenSeq: 1 } }));
    expect(await orphans()).toEqual(["child"]);
  });

  test("a released run has no owner and refuses its old owner", async () => {
    await store.commit(batch({ status: ended("waiting-approval") }));

    expect(await store.run("run-1")).toMatchObject({ status: "waiting-approval", owner: null });
    expect(await store.commit(batch({ events: [started] }))).toEqual({ kind: "stale" });
    expect((await store.runs({ status: ["waiting-approval"] })).map((run) => run.runId)).toEqual(["run-1"]);
    expect(await store.runs({ status: ["running"] })).toEqual([]);
  });

  test("S4: an approval is decided once, and who was second learns who was first", async () => {
    await store.commit(batch({ approvals: [ask] }));
    const decide = (by: string) =>
      store.decide({
        runId: "run-1",
        nodeId: "ask",
        iteration: 0,
        decision: { verdict: "approve", note: "ok" },
        by,
        atMs: 20,
      });

    expect(await decide("ann")).toEqual({ kind: "decided" });
    expect(await decide("bob")).toEqual({ kind: "already-decided", by: "ann", atMs: 20 });

    expect(await store.approvals({ runId: "run-1" })).toEqual([
      {
        ...ask,
        runId: "run-1",
        openedAtMs: 10,
        decided: { decision: { verdict: "approve", note: "ok" }, by: "ann", atMs: 20 },
        voided: false,
      },
    ]);
    expect((await store.events("run-1", 1)).map((event) => event.type)).toEqual(["approval.decided"]);
    expect(
      await store.decide({
        runId: "run-1",
        nodeId: "none",
        iteration: 0,
        decision: { verdict: "deny" },
        by: "x",
        atMs: 1,
      }),
    ).toEqual({ kind: "not-found" });
  });

  test("past decisions: of this node, in other runs of this workflow, newest first", async () => {
    const past = (limit: number) =>
      store.pastDecisions({ workflow: "w", nodeId: "ask", exceptRunId: "run-9", exceptBy: "robot", limit });
    const rows = [
      ["run-1", "w", "ask", "approve", "ann", 1],
      ["run-2", "w", "ask", "deny", "bob", 3],
      ["run-3", "w", "ask", "approve", "robot", 4],
      ["run-4", "other", "ask", "approve", "ann", 5],
      ["run-5", "w", "else", "approve", "ann", 6],
      ["run-9", "w", "ask", "approve", "ann", 7],
    ] as const;
    for (const [runId, workflow, nodeId, verdict, by, atMs] of rows) {
      await store.create({ runId, workflow: "f", input: {}, auth: null, owner: OWNER, atMs: 1 });
      const decided = { decision: { verdict }, by, atMs };
      await store.commit(batch({ runId, approvals: [{ ...ask, workflow, nodeId, decided }] }));
    }

    expect(await past(5)).toEqual([
      { verdict: "deny", by: "bob" },
      { verdict: "approve", by: "ann" },
    ]);
    expect(await past(1)).toHaveLength(1);
  });

  test("an approval is open until it is decided", async () => {
    await store.commit(batch({ approvals: [ask, { ...ask, nodeId: "other" }] }));
    await store.decide({
      runId: "run-1",
      nodeId: "ask",
      iteration: 0,
      decision: { verdict: "deny" },
      by: "ann",
      atMs: 20,
    });

    expect((await store.approvals({ only: "open" })).map((row) => row.nodeId)).toEqual(["other"]);
    expect((await store.approvals({ runId: "run-1" })).map((row) => row.nodeId)).toEqual(["ask", "other"]);
    const nodesAt = async (ref: NodeRef) => (await store.approvals({ runId: "run-1", ref })).map((row) => row.nodeId);
    expect(await nodesAt({ nodeId: "other", iteration: 0 })).toEqual(["other"]);
    expect(await nodesAt({ nodeId: "other", iteration: 1 })).toEqual([]);
  });

  test("what is posted from outside is an event, and makes a suspended run due; a run that is over takes no more", async () => {
    const post = (runId: string) =>
      store.post({
        runId,
        event: { type: "signal.received", name: "go", correlationId: null, payload: { x: [1] }, by: "ann" },
        atMs: 20,
      });
    expect(await post("nobody")).toBe("not-found");
    expect(await post("run-1")).toBe("posted");
    expect((await store.run("run-1"))?.wakeAtMs).toBeNull();
    await store.commit(batch({ status: { ...ended("waiting-event"), seenSeq: 2 } }));
    expect((await store.run("run-1"))?.wakeAtMs).toBeNull();

    await post("run-1");

    expect(await store.run("run-1")).toMatchObject({ wakeAtMs: 20, lastSeq: 3 });
    expect((await store.events("run-1", 2))[0]).toMatchObject({
      type: "signal.received",
      payload: { x: [1] },
      atMs: 20,
    });
    await store.claim({ runId: "run-1", epoch: 1, owner: OTHER, atMs: 21 });
    await store.commit(batch({ epoch: 2, status: { ...ended("finished"), seenSeq: 4 } }));
    expect(await post("run-1")).toBe("over");
  });

  test("pausing asks the owner; without an owner it is done at once, and undone the same way", async () => {
    const pause = (wanted: boolean) => store.pause({ runId: "run-1", wanted, by: "ann", atMs: 20 });
    expect(await store.pause({ runId: "nobody", wanted: true, by: "ann", atMs: 20 })).toBe("not-found");
    expect(await pause(true)).toBe("requested");
    expect(await store.run("run-1")).toMatchObject({ status: "running", lastSeq: 2 });

    await store.commit(batch({ status: { ...ended("waiting-timer"), wakeAtMs: 50, seenSeq: 2 } }));
    expect(await pause(true)).toBe("done");
    expect(await pause(true)).toBe("done");
    expect(await store.run("run-1")).toMatchObject({ status: "paused", wakeAtMs: null, owner: null });
    expect(await pause(false)).toBe("done");
    expect(await store.run("run-1")).toMatchObject({ status: "running", owner: null });

    const types = (await store.events("run-1", 1)).map((event) => event.type);
    const [asked, status, unpaused] = ["run.pause-requested", "run.status", "run.unpaused"];
    expect(types).toEqual([asked, asked, status, unpaused, status]);
  });

  test("S7: a voided approval is not open and takes no decision, and the end of a run voids all that are open", async () => {
    const decide = (nodeId: string) =>
      store.decide({ runId: "run-1", nodeId, iteration: 0, decision: { verdict: "deny" }, by: "ann", atMs: 20 });
    const nodes = ["ask", "other", "third"].map((nodeId) => ({ ...ask, nodeId }));
    await store.commit(batch({ approvals: nodes, voided: [{ nodeId: "ask", iteration: 0 }] }));
    await decide("other");
    expect(await decide("ask")).toEqual({ kind: "void" });
    expect((await store.approvals({ only: "open" })).map((row) => row.nodeId)).toEqual(["third"]);

    await store.commit(batch({ status: ended("failed") }));

    expect(await decide("third")).toEqual({ kind: "void" });
    expect((await store.approvals({ runId: "run-1" })).map((row) => row.voided)).toEqual([true, false, true]);
  });

  test("S6: a suspended run is due when its time has come, and a claim takes it off the list", async () => {
    await store.commit(batch({ status: { ...ended("waiting-timer"), wakeAtMs: 100 } }));

    expect(await store.run("run-1")).toMatchObject({ status: "waiting-timer", wakeAtMs: 100 });
    expect(await store.runs({ dueAtMs: 99 })).toEqual([]);
    expect((await store.runs({ dueAtMs: 100 })).map((run) => run.runId)).toEqual(["run-1"]);
    expect(await store.runs({ dueAtMs: 100, status: ["running"] })).toEqual([]);
    await store.claim({ runId: "run-1", epoch: 1, owner: OTHER, atMs: 101 });
    expect(await store.runs({ dueAtMs: 101 })).toEqual([]);
  });

  test("S6: a decision makes a suspended run due, and one that its owner has not seen does too", async () => {
    const decide = (nodeId: string) =>
      store.decide({ runId: "run-1", nodeId, iteration: 0, decision: { verdict: "approve" }, by: "ann", atMs: 20 });
    await store.commit(batch({ approvals: [ask, { ...ask, nodeId: "other" }] }));
    await decide("ask");
    expect((await store.run("run-1"))?.wakeAtMs).toBeNull(); // its owner will see it

    await store.commit(batch({ atMs: 30, status: { ...ended("waiting-approval"), seenSeq: 1 } })); // or did not
    expect((await store.run("run-1"))?.wakeAtMs).toBe(30);

    await store.claim({ runId: "run-1", epoch: 1, owner: OTHER, atMs: 40 });
    const { lastSeq: seenSeq = 0 } = (await store.run("run-1")) ?? {};
    await store.commit(batch({ epoch: 2, events: [started], status: { ...ended("waiting-approval"), seenSeq } }));
    expect((await store.run("run-1"))?.wakeAtMs).toBeNull();
    await decide("other");
    expect((await store.run("run-1"))?.wakeAtMs).toBe(20);
  });

  test("S6: a cancellation that a suspending owner has not heard of makes its run due", async () => {
    await store.requestCancel({ runId: "run-1", by: "ann", atMs: 5 });

    await store.commit(batch({ atMs: 30, status: ended("waiting-approval") }));

    expect(await store.run("run-1")).toMatchObject({ status: "waiting-approval", wakeAtMs: 30 });
  });

  const signal = { type: "signal.received", name: "go", correlationId: null, payload: 1, by: "ann" } as const;
  test.each([
    ["continued", "a signal", () => store.post({ runId: "run-1", event: signal, atMs: 5 })],
    ["continued", "a cancellation", () => store.requestCancel({ runId: "run-1", by: "ann", atMs: 5 })],
    ["paused", "a signal", () => store.post({ runId: "run-1", event: signal, atMs: 5 })],
    ["paused", "a cancellation", () => store.requestCancel({ runId: "run-1", by: "ann", atMs: 5 })],
  ] as const)("S9: a run is not %s by an owner that has not heard of %s", async (status, _, say) => {
    const run = { runId: "run-2", workflow: "w", input: {}, auth: null, owner: OWNER, atMs: 10 };
    const successor = status === "continued" ? { run, events: [], outputs: [] } : undefined;
    const leaving = batch({ events: [started], approvals: [ask], successor, status: ended(status) });
    await say();
    const before = [await store.run("run-1"), await store.events("run-1", 0)];
    await store.create({ ...run, runId: "beside" });

    const beside = batch({ runId: "beside", events: [started] });
    expect(await Promise.all([store.commit(leaving), store.commit(beside)])).toEqual([
      { kind: "behind" },
      { kind: "committed", firstSeq: 2 },
    ]);

    expect([await store.run("run-1"), await store.events("run-1", 0)]).toEqual(before);
    expect(await store.approvals({ runId: "run-1" })).toEqual([]);
    expect(await store.run("run-2")).toBeNull();
    expect(await store.commit({ ...leaving, epoch: 9 })).toEqual({ kind: "stale" });
  });

  test("S9: who has heard all leaves as it wants to", async () => {
    await store.post({ runId: "run-1", event: signal, atMs: 5 });
    expect(await store.commit(batch({ status: { ...ended("paused"), seenSeq: 2 } }))).toMatchObject({
      kind: "committed",
    });
    expect(await store.run("run-1")).toMatchObject({ status: "paused", owner: null });
  });

  test("cancelling asks the owner; without an owner it is done at once", async () => {
    expect(await store.requestCancel({ runId: "run-1", by: "ann", atMs: 5 })).toBe("requested");
    expect(await store.run("run-1")).toMatchObject({ status: "running", cancelRequestedBy: "ann" });

    await store.commit(batch({ status: ended("waiting-approval") }));
    expect(await store.requestCancel({ runId: "run-1", by: "ann", atMs: 6 })).toBe("cancelled");

    expect(await store.run("run-1")).toMatchObject({ status: "cancelled" });
    expect(await store.requestCancel({ runId: "run-1", by: "ann", atMs: 7 })).toBe("not-running");
    expect(await store.requestCancel({ runId: "nobody", by: "ann", atMs: 7 })).toBe("not-running");
  });

  test("the last heartbeat of a node is kept", async () => {
    const beat = (payload: number) => batch({ heartbeats: [{ nodeId: "a", iteration: 0, payload: { at: payload } }] });
    await store.commit(beat(1));
    await store.commit(beat(2));

    expect(await store.heartbeats("run-1")).toEqual([{ nodeId: "a", iteration: 0, payload: { at: 2 } }]);
  });

  test("frames are read from the last full tree that stands at the asked seq", async () => {
    const frame = (offset: number, full: boolean, id: string) => ({
      offset,
      full,
      delta: { set: { [id]: ["task", ">", null, `"${id}"`] }, gone: ["x"] } as const,
    });
    await store.commit(batch({ events: [started, finished], frames: [frame(0, true, "a"), frame(2, false, "b")] }));
    await store.commit(batch({ events: [started], frames: [frame(1, true, "c")] }));

    const read = async (untilSeq?: number) =>
      (await store.frames("run-1", untilSeq)).map(({ seq, delta }) => [seq, ...Object.keys(delta.set)]);

    expect(await read(1)).toEqual([[1, "a"]]);
    expect(await read(2)).toEqual([[1, "a"]]);
    expect(Object.fromEntries(await read(3))).toEqual({ 1: "a", 3: "b" });
    expect(await read()).toEqual([[4, "c"]]);
    expect(await store.frames("run-1", 2)).toEqual([{ seq: 1, full: true, delta: frame(0, true, "a").delta }]);
    expect(await store.frames("nobody")).toEqual([]);
  });

  test("a watcher hears of decisions, cancellations and claims, until it unsubscribes", async () => {
    let heard = 0;
    const unwatch = store.watch("run-1", () => (heard += 1));
    await store.requestCancel({ runId: "run-1", by: "ann", atMs: 5 });
    await Promise.resolve();
    expect(heard).toBe(1);

    unwatch();
    await store.claim({ runId: "run-1", epoch: 1, owner: OTHER, atMs: 5 });
    await Promise.resolve();
    expect(heard).toBe(1);
  });

  test("K1, K2: a cache entry is written with its commit, the newest stays, and a stale commit leaves none", async () => {
    const entry = { key: "k", row: '{"n":1}' };
    expect(await store.cached("k")).toBeNull();

    await store.commit(batch({ events: [finished], cached: [entry] }));
    expect(await store.cached("k")).toEqual({ ...entry, runId: "run-1", atMs: 10 });

    await store.commit(batch({ events: [finished], cached: [{ key: "k", row: '{"n":2}' }], atMs: 20 }));
    await store.commit(batch({ events: [finished], cached: [{ key: "k", row: '{"n":3}' }], atMs: 30, epoch: 7 }));
    expect(await store.cached("k")).toEqual({ key: "k", row: '{"n":2}', runId: "run-1", atMs: 20 });
  });
}
