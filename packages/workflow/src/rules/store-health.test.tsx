/** @jsxImportSource @smooth/workflow */
/** ENGINE §7 and §10: what a run does while its store has too little room, or takes no writes. */
import { findResumable } from "@smooth/engine/control";
import { lastResult } from "@smooth/engine/run";
import type { Batch } from "@smooth/engine/store";
import { openMemoryStore } from "@smooth/engine/store/memory";
import { expect, test } from "vitest";
import { Loop, outputs, Sequence, smithers, Task, Workflow } from "../testing/rules.ts";
import { OWNER, testEngine } from "../testing/run-in-memory.ts";

const MB = 2 ** 20;

/** Bodies that end when they are told to. */
function twoSteps() {
  const began: string[] = [];
  const ends = new Map<string, () => void>();
  const body = (id: string) => () => {
    began.push(id);
    return new Promise<{ n: number }>((resolve) => ends.set(id, () => resolve({ n: 1 })));
  };
  const workflow = smithers(() => (
    <Workflow name="two">
      <Sequence>
        <Task id="a" output={outputs.n}>
          {body("a")}
        </Task>
        <Task id="b" output={outputs.n}>
          {body("b")}
        </Task>
      </Sequence>
    </Workflow>
  ));
  return { workflow, began, end: (id: string) => ends.get(id)?.() };
}

test("W3, W4: with too little room what runs is recorded and nothing new starts, until there is twice the watermark", async () => {
  const engine = testEngine();
  const { workflow, began, end } = twoSteps();
  let freeBytes = 200 * MB;
  const handle = await engine.start(workflow, { disk: { freeBytes: async () => freeBytes } });
  await engine.clock.advance(0);
  expect(began).toEqual(["a"]);

  freeBytes = 10 * MB;
  await engine.clock.advance(1_000);
  end("a");
  await engine.clock.advance(0);

  expect(began).toEqual(["a"]);
  expect(handle.waitsForStore()).toBe("disk");
  expect(engine.trace()).toContain("node.finished a#0");
  expect(engine.events.at(-1)).toMatchObject({ type: "node.finished" });
  expect(engine.events).toContainEqual(expect.objectContaining({ type: "run.parked", on: "disk", freeBytes: 10 * MB }));
  expect(await engine.store.run(handle.runId)).toMatchObject({ status: "running" });

  freeBytes = 100 * MB; // over the mark, but not by much
  await engine.clock.advance(60_000);
  expect(began).toEqual(["a"]);

  freeBytes = 130 * MB;
  await engine.clock.advance(1_000);
  expect(began).toEqual(["a", "b"]);
  expect(handle.waitsForStore()).toBeNull();
  end("b");
  await engine.clock.advance(0);
  expect((await handle.result).status).toBe("finished");
});

test("a parked run can be cancelled, and a run that starts on a full disk is parked from the beginning", async () => {
  const engine = testEngine();
  const { workflow, began } = twoSteps();
  const handle = await engine.start(workflow, { disk: { freeBytes: async () => 0 } });
  await engine.clock.advance(5_000);
  expect([began, handle.waitsForStore()]).toEqual([[], "disk"]);

  handle.cancel();

  expect((await handle.result).status).toBe("cancelled");
});

/** A store whose commits fail so, as long as there is a failure to give. */
function refusingStore() {
  const store = openMemoryStore();
  const state: { failure: Error | null; refused: number } = { failure: null, refused: 0 };
  const commit = store.commit.bind(store);
  store.commit = async (batch: Batch) => {
    if (!state.failure) return await commit(batch);
    state.refused += 1;
    throw state.failure;
  };
  return { store, state };
}
const full = Object.assign(new Error("database or disk is full"), { errcode: 13 });

test.each([
  ["disk", full],
  ["lock", Object.assign(new Error("database is locked"), { errcode: 5 })],
  ["disk", Object.assign(new Error("could not extend file"), { code: "53100" })],
] as const)(
  "W1, W2: a write refused for %s is tried again whole, and the run goes on as if nothing had been",
  async (on, failure) => {
    const engine = testEngine();
    const { workflow, began, end } = twoSteps();
    const { store, state } = refusingStore();
    const handle = await engine.start(workflow, { store });
    await engine.clock.advance(0);
    state.failure = failure;
    end("a");
    await engine.clock.advance(10_000);
    expect(began).toEqual(["a"]);
    expect([handle.waitsForStore(), state.refused > 10]).toEqual([on, true]);
    expect(engine.log.lines.filter(({ event }) => event === "run.waits-for-store")).toHaveLength(1);

    state.failure = null;
    await engine.clock.advance(250);
    end("b");
    await engine.clock.advance(0);

    expect((await handle.result).status).toBe("finished");
    expect(began).toEqual(["a", "b"]);
    expect(handle.waitsForStore()).toBeNull();
    expect((await store.events(handle.runId, 0)).map(({ type }) => type)).toEqual([
      "run.started",
      "node.started",
      "node.finished",
      "node.started",
      "node.finished",
      "run.status",
    ]);
  },
);

test("W1: a store that fails otherwise fails the drive; the run stays as it was recorded", async () => {
  const engine = testEngine();
  const { workflow, began, end } = twoSteps();
  const { store, state } = refusingStore();
  const handle = await engine.start(workflow, { store });
  await engine.clock.advance(0);
  state.failure = new Error("connection lost");
  end("a");

  await expect(handle.result).rejects.toThrow("connection lost");
  expect(began).toEqual(["a"]);
});

test.each(["before", "after"])(
  "P3, P4: a store that breaks off %s it has written leaves the run to whoever comes next, though its process lives on",
  async (moment) => {
    const engine = testEngine();
    const { workflow, began, end } = twoSteps();
    const { store, state } = refusingStore();
    const commit = store.commit.bind(store);
    const handle = await engine.start(workflow, { store });
    await engine.clock.advance(0);
    store.commit = async (batch) => {
      store.commit = commit;
      if (moment === "after") await commit(batch);
      state.failure = new Error("connection lost");
      throw state.failure;
    };
    end("a");
    await expect(handle.result).rejects.toThrow("connection lost");
    state.failure = null; // the server is back
    await engine.clock.advance(1_000);

    const check = { isAlive: () => true, host: engine.owner.host, nowMs: engine.clock.now() };
    expect((await findResumable(store, check)).map(({ run }) => run.runId)).toEqual([handle.runId]);
    const again = await engine.resume(workflow, handle.runId, { store, isAlive: () => true });
    await engine.clock.advance(0);
    if (moment === "before") end("a");
    await engine.clock.advance(0);
    end("b");
    expect((await again.result).status).toBe("finished");
    expect(began).toEqual(moment === "before" ? ["a", "a", "b"] : ["a", "b"]);
  },
);

test.each(["the write breaks off", "it is taken up"])(
  "P3: a successor that was created and is driven by nobody, because the store fails when %s, is left to whoever comes next",
  async (when) => {
    const engine = testEngine();
    const { store } = refusingStore();
    const [commit, run] = [store.commit.bind(store), store.run.bind(store)];
    const lost = Promise.reject(new Error("connection lost"));
    lost.catch(() => undefined);
    store.commit = async (batch) => {
      const done = await commit(batch);
      if (batch.successor && when === "it is taken up") store.run = () => ((store.run = run), lost);
      return batch.successor && when === "the write breaks off" ? lost : done;
    };
    const workflow = smithers((ctx) => (
      <Workflow name="twice">
        <Loop id="l" maxIterations={2} continueAsNewEvery={1}>
          <Task id="a" output={outputs.n}>
            {{ n: ctx.iterations["l"] ?? 0 }}
          </Task>
        </Loop>
      </Workflow>
    ));
    const handle = await engine.start(workflow, { store });
    await expect(lastResult(handle)).rejects.toThrow("connection lost");
    await engine.clock.advance(0);

    const check = { isAlive: () => true, host: engine.owner.host, nowMs: engine.clock.now() };
    const [free] = await findResumable(store, check);
    expect(free?.run.parent).toMatchObject({ runId: handle.runId, as: "continuation" });
    const next = await engine.resume(workflow, free?.run.runId ?? "", { store, isAlive: () => true });
    expect((await next.result).status).toBe("finished");
  },
);

test.each(["created", "claimed"])(
  "P3: a run that may have been %s when the store broke off belongs to nobody",
  async (how) => {
    const engine = testEngine();
    const { workflow } = twoSteps();
    const { store } = refusingStore();
    const [create, claim] = [store.create.bind(store), store.claim.bind(store)];
    const breaksOff = async (written: Promise<unknown>): Promise<never> => {
      await written;
      throw new Error("connection lost");
    };
    const creates = () => {
      store.create = (run) => breaksOff(create(run));
      return engine.start(workflow, { store, runId: "r" });
    };
    const claims = async () => {
      const handle = await engine.start(workflow, { store, runId: "r" });
      handle.release();
      await handle.result;
      store.claim = (given) => breaksOff(claim(given));
      return engine.resume(workflow, "r", { store });
    };
    await expect(how === "created" ? creates() : claims()).rejects.toThrow("connection lost");
    await engine.clock.advance(0);

    expect(await store.run("r")).toMatchObject({ status: "running", owner: null });
  },
);

test("P3: a run that ended with the write that broke off stays ended", async () => {
  const engine = testEngine();
  const { workflow, end } = twoSteps();
  const { store } = refusingStore();
  const commit = store.commit.bind(store);
  const handle = await engine.start(workflow, { store });
  await engine.clock.advance(0);
  end("a");
  await engine.clock.advance(0);
  store.commit = async (batch) => {
    store.commit = commit;
    await commit(batch);
    throw new Error("connection lost");
  };
  end("b");

  await expect(handle.result).rejects.toThrow("connection lost");
  await engine.clock.advance(20_000);
  expect((await store.run(handle.runId))?.status).toBe("finished");
});

test("whoever lets a run go does not wait for its store", async () => {
  const engine = testEngine();
  const { workflow, end } = twoSteps();
  const { store, state } = refusingStore();
  const handle = await engine.start(workflow, { store });
  await engine.clock.advance(0);
  state.failure = full;
  end("a");
  await engine.clock.advance(1_000);

  handle.release();

  await expect(handle.result).rejects.toThrow("disk is full");
});

test("L2: a run that was lost while its store refuses writes is let go at once", async () => {
  const engine = testEngine();
  const { workflow, end } = twoSteps();
  const { store, state } = refusingStore();
  const handle = await engine.start(workflow, { store });
  await engine.clock.advance(0);
  state.failure = full;
  await store.claim({ runId: handle.runId, epoch: 1, owner: { ...OWNER, pid: 2 }, atMs: 1 });
  end("a");

  expect((await handle.result).status).toBe("lost");
  expect(state.refused).toBe(0);
});
