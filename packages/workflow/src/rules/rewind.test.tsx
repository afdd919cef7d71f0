/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §8 about rewinding a run and its files, on real files under git. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { rewind, type Rewind } from "@smooth/engine/time-travel/rewind";
import type { RunStore } from "@smooth/engine/store";
import { pointers } from "@smooth/vcs/pointers";
import { expect, test } from "vitest";
import { smithers, Workflow } from "../testing/rules.ts";
import { OWNER, type testEngine } from "../testing/run-in-memory.ts";
import { editing } from "../testing/time-travel.tsx";

async function rewindable() {
  const made = editing();
  const workflow = smithers(() => <Workflow name="w">{["a", "b", "c"].map((id) => made.edit(id))}</Workflow>);
  const { runId } = await made.go(workflow, made.files);
  const events = await made.engine.store.events(runId, 0);
  const toSeq = events.find((event) => event.type === "node.finished" && event.nodeId === "a")?.seq ?? 0;
  const request: Rewind = { runId, toSeq, confirm: true, by: "ann" };
  const audit = async () => (await made.engine.store.travels(runId)).map(({ by, result }) => [by, result] as const);
  return { ...made, workflow, runId, request, audit, deps: made.deps(workflow) };
}

test("takes run and files back to the frame, and leaves an audit row", async () => {
  const { deps, request, there, audit, engine, runId, ran, workflow, resume, files } = await rewindable();

  const { reset } = await rewind(deps, request);

  expect([there(), reset.nodes.map(({ nodeId }) => nodeId), await audit()]).toEqual([
    ["a"],
    ["b", "c"],
    [["ann", "success"]],
  ]);
  expect((await engine.store.run(runId))?.status).toBe("paused");
  ran.length = 0;
  await resume(workflow, runId, files);
  expect(ran).toEqual(["b", "c"]);
});

test("without a literal confirm, beyond the run, or while another one is under way: refused and audited", async () => {
  const { deps, request, there, audit, engine, runId } = await rewindable();

  await expect(rewind(deps, { ...request, confirm: "yes" as never })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  await expect(rewind(deps, { ...request, toSeq: 999 })).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });
  const other = {
    travelId: "travel-x",
    runId,
    verb: "rewind",
    by: "bob",
    toSeq: 2,
    owner: OWNER,
    beatAtMs: 0,
    result: "in-progress",
    detail: null,
    undo: [],
  } as const;
  await engine.store.beginTravel({ ...other, atMs: engine.clock.now() + 1 });
  await expect(rewind({ ...deps, isAlive: () => true }, request)).rejects.toMatchObject({ code: "BUSY" });

  expect(there()).toEqual(["a", "b", "c"]);
  expect((await audit()).toSorted(([a], [b]) => String(a).localeCompare(String(b)))).toEqual([
    ["ann", "refused"],
    ["ann", "refused"],
    ["ann", "refused"],
    ["bob", "in-progress"],
  ]);
});

test("the eleventh within an hour is refused; an hour later it is not", async () => {
  const { deps, request, audit, engine } = await rewindable();
  const quick = { ...deps, vcs: null };
  for (let nth = 0; nth < 10; nth += 1) await rewind(quick, request);

  await expect(rewind(quick, request)).rejects.toMatchObject({ code: "RATE_LIMITED" });
  await rewind(quick, { ...request, by: "bob" });
  await engine.clock.advance(60 * 60 * 1_000);
  await rewind(quick, request);

  expect((await audit()).filter(([, result]) => result === "refused")).toEqual([["ann", "refused"]]);
});

/** Another process takes the run while its files are being moved. */
const overtaken = (store: ReturnType<typeof testEngine>["store"], runId: string, secondRestore?: Error) => {
  let restores = 0;
  const restore: typeof pointers.restore = async (...args) => {
    if ((restores += 1) > 1 && secondRestore) throw secondRestore;
    await pointers.restore(...args);
    await store.claim({ runId, epoch: 1, owner: OWNER, atMs: 1 });
  };
  return { ...pointers, restore };
};

test("all or nothing: when the run moves on in the meantime, the files are put back", async () => {
  const { deps, request, there, audit, engine, runId } = await rewindable();

  const lost = rewind({ ...deps, vcs: overtaken(engine.store, runId) }, request);

  await expect(lost).rejects.toMatchObject({ code: "CONFLICT" });
  expect([there(), await audit()]).toEqual([["a", "b", "c"], [["ann", "failed"]]]);
});

test("when the way back fails as well, the audit says so", async () => {
  const { deps, request, audit, engine, runId } = await rewindable();

  const lost = rewind({ ...deps, vcs: overtaken(engine.store, runId, new Error("disk full")) }, request);

  await expect(lost).rejects.toMatchObject({ code: "REWIND_FAILED" });
  expect(await audit()).toEqual([["ann", "partial"]]);
});

test("a process that died in the middle blocks nobody: its files are put back by whoever comes next", async () => {
  const { deps, request, there, audit, root } = await rewindable();
  const crash = Promise.withResolvers<never>();
  const moved = Promise.withResolvers<void>();
  const dying = {
    ...deps,
    vcs: {
      ...pointers,
      restore: async (...args: Parameters<typeof pointers.restore>) => (
        await pointers.restore(...args),
        moved.resolve(),
        crash.promise
      ),
    },
  };
  void rewind(dying, request).catch(() => undefined);
  await moved.promise;
  expect(there()).toEqual(["a"]);

  await expect(rewind(deps, { ...request, toSeq: 999 })).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });

  expect(there()).toEqual(["a", "b", "c"]);
  expect(existsSync(join(root, "base.txt"))).toBe(true);
  expect(await audit()).toEqual([
    ["ann", "refused"],
    ["ann", "failed"],
  ]);
});

test("R4: a rewind that another host left under way holds the run for a minute, and no longer", async () => {
  const { deps, request, audit, engine, runId } = await rewindable();
  const owner = { ...OWNER, host: "elsewhere" };
  const left = { runId, verb: "rewind", by: "bob", toSeq: 2, owner, detail: null, undo: [] } as const;
  const nowMs = engine.clock.now();
  const begun = { ...left, travelId: "travel-x", result: "in-progress", atMs: nowMs, beatAtMs: nowMs } as const;
  await engine.store.beginTravel(begun);
  await engine.clock.advance(60_000);
  await expect(rewind(deps, request)).rejects.toMatchObject({ code: "BUSY" });

  await engine.clock.advance(1);
  await rewind(deps, request);

  expect(await audit()).toEqual([
    ["ann", "success"],
    ["ann", "refused"],
    ["bob", "failed"],
  ]);
});

test("R4: however long the files of a rewind take, another host does not break into it", async () => {
  const { deps, request, there, audit, engine } = await rewindable();
  const [moving, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const slow = {
    ...pointers,
    restore: async (...args: Parameters<typeof pointers.restore>) => (
      moving.resolve(),
      await gate.promise,
      pointers.restore(...args)
    ),
  };
  const elsewhere = { ...deps, vcs: slow, owner: { ...OWNER, host: "elsewhere" } };
  const done = rewind(elsewhere, request);
  await moving.promise;

  await engine.clock.advance(30 * 60_000);
  await expect(rewind(deps, { ...request, by: "bob" })).rejects.toMatchObject({ code: "BUSY" });

  gate.resolve();
  await done;
  expect([there(), Object.fromEntries(await audit())]).toEqual([["a"], { ann: "success", bob: "refused" }]);
  expect(engine.clock.sleeping).toBe(0);
});

test("R4: a process that died after its reset was recorded has rewound: the audit says so, and the files stay", async () => {
  const { deps, request, there, audit, engine } = await rewindable();
  const { store } = engine;
  const recorded = Promise.withResolvers<void>();
  const proxy: RunStore = new Proxy(store, {
    get(target, name: keyof RunStore) {
      const member = target[name];
      if (name === "updateTravel")
        return (...args: Parameters<RunStore["updateTravel"]>) =>
          args[1].result ? (recorded.resolve(), new Promise(() => {})) : target.updateTravel(...args);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
  void rewind({ ...deps, store: proxy }, request);
  await recorded.promise;

  await expect(rewind(deps, { ...request, toSeq: 999 })).rejects.toMatchObject({ code: "SNAPSHOT_NOT_FOUND" });

  expect([there(), await audit()]).toEqual([
    ["a"],
    [
      ["ann", "refused"],
      ["ann", "success"],
    ],
  ]);
});
