/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §7 about owners, from inside one process. */
import { cancelRun, signalRun } from "@smooth/engine/control";
import type { Batch, RunStore } from "@smooth/engine/store";
import { openMemoryStore } from "@smooth/engine/store/memory";
import type { TaskContext } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { Aspects, Workflow, Task, smithers, outputs, one } from "../testing/rules.ts";
import { OWNER, testEngine } from "../testing/run-in-memory.ts";

const slow = (gate: Promise<unknown>) =>
  smithers(() => (
    <Workflow name="owned">
      <Task id="a" output={outputs.n}>
        {() => gate.then(one)}
      </Task>
    </Workflow>
  ));

test("an owner that lost its run cannot record, and stops itself", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<void>();
  const first = await engine.start(slow(gate.promise));
  await settle();
  const second = await engine.resume(slow(Promise.resolve()), first.runId, { owner: { ...OWNER, pid: 2 } });
  gate.resolve();

  expect(await first.result).toEqual({ status: "lost", runId: first.runId });
  expect((await second.result).status).toBe("finished");
  const events = await engine.store.events(first.runId, 0);
  expect(events.filter((event) => event.type === "node.finished")).toHaveLength(1);
  expect(events.filter((event) => event.type === "node.started").map((event) => event.attempt)).toEqual([1, 2]);
});

/** A store in which something happens right before the next commit. */
function disturbed(): { readonly store: RunStore; before: ((batch: Batch) => Promise<unknown>) | undefined } {
  const store = openMemoryStore();
  const commit = store.commit.bind(store);
  const made = { store, before: undefined as ((batch: Batch) => Promise<unknown>) | undefined };
  store.commit = async (batch) => {
    const { before } = made;
    made.before = undefined;
    await before?.(batch);
    return commit(batch);
  };
  return made;
}
const taken = (store: RunStore, runId: string, epoch = 1) =>
  store.claim({ runId, epoch, owner: { ...OWNER, pid: 2 }, atMs: 1 });

test("L2: an idle owner learns at once that its run is another's, and its bodies are aborted", async () => {
  const engine = testEngine();
  const aborted = Promise.withResolvers<void>();
  const first = await engine.start(
    smithers(() => (
      <Workflow name="idle">
        <Task id="a" output={outputs.n}>
          {({ signal }: TaskContext) =>
            new Promise<{ n: number }>(() => signal.addEventListener("abort", () => aborted.resolve()))
          }
        </Task>
      </Workflow>
    )),
  );
  await settle();
  await taken(engine.store, first.runId);

  await aborted.promise;
  await engine.clock.advance(5_001);
  expect((await first.result).status).toBe("lost");
});

test("R1, L2: after a commit that came too late nothing starts any more", async () => {
  const engine = testEngine();
  const made = disturbed();
  const began: string[] = [];
  const gate = Promise.withResolvers<void>();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="late">
        <Task id="a" output={outputs.n}>
          {() => gate.promise.then(one)}
        </Task>
        <Task id="b" output={outputs.n}>
          {() => (began.push("b"), one())}
        </Task>
      </Workflow>
    )),
    { store: made.store },
  );
  await settle();
  made.before = () => taken(made.store, handle.runId);
  gate.resolve();

  expect((await handle.result).status).toBe("lost");
  expect(began).toEqual([]);
});

test("R3: what somebody writes right before a commit is folded once, and the commit's own events are not folded again", async () => {
  const engine = testEngine();
  const made = disturbed();
  const seen: number[] = [];
  const spending = { generate: async () => ({ output: { n: 1 }, usage: { inputTokens: 100 } }) };
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="between">
        <Aspects tokenBudget={{ max: 150 }}>
          <Task id="a" output={outputs.n}>
            {() => {
              made.before = () =>
                signalRun(made.store, { runId: handle.runId, name: "hi", payload: 1, by: "ann", atMs: 1 });
              return { n: 0 };
            }}
          </Task>
          <Task id="b" output={outputs.n} agent={spending}>
            Spend.
          </Task>
          <Task id="c" output={outputs.n}>
            {one}
          </Task>
        </Aspects>
      </Workflow>
    )),
    {
      store: made.store,
      onEvent: (event) => {
        seen.push(event.seq);
        if (event.type === "node.started" && event.nodeId === "b")
          made.before = () =>
            signalRun(made.store, { runId: handle.runId, name: "hi", payload: 2, by: "ann", atMs: 1 });
      },
    },
  );

  expect((await handle.result).status).toBe("finished");
  const events = await made.store.events(handle.runId, 0);
  expect(events.filter(({ type }) => type === "signal.received")).toHaveLength(2);
  expect(seen).toEqual(events.map(({ seq }) => seq));
});

test("P2: of two processes that resume a run at the same time one has it, the other hears that it lost", async () => {
  const engine = testEngine();
  const workflow = slow(Promise.resolve());
  const { runId } = await engine.start(slow(new Promise(() => {})));
  await settle();

  const resumed = await Promise.allSettled(
    [2, 3].map((pid) => engine.resume(workflow, runId, { owner: { ...OWNER, pid } })),
  );

  expect(resumed.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  const lost = resumed.find((each) => each.status === "rejected");
  expect(lost?.reason).toMatchObject({ code: "RUN_CLAIM_LOST" });
});

test("a run with a living owner is not taken over; a finished one is not resumed", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<void>();
  const workflow = slow(gate.promise);
  const { runId, result } = await engine.start(workflow);
  await settle();
  await expect(engine.resume(workflow, runId, { isAlive: () => true } as object)).rejects.toMatchObject({
    code: "RUN_OWNER_ALIVE",
  });

  gate.resolve();
  await result;

  await expect(engine.resume(workflow, runId)).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
  await expect(engine.resume(workflow, "run-none")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

test("cancelling from outside reaches the running body", async () => {
  const engine = testEngine();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="cancel">
        <Task id="a" output={outputs.n}>
          {({ signal }: TaskContext) =>
            new Promise<{ n: number }>((_, reject) =>
              signal.addEventListener("abort", () => reject(signal.reason as Error)),
            )
          }
        </Task>
      </Workflow>
    )),
  );
  await settle();

  expect(await cancelRun(engine.store, { runId: handle.runId, by: "ann", atMs: 1 })).toBe("requested");

  expect((await handle.result).status).toBe("cancelled");
  expect((await engine.store.run(handle.runId))?.status).toBe("cancelled");
});

test("a run that somebody cancels before its first tick is cancelled, although its new row is not read again", async () => {
  const engine = testEngine();
  const { store } = engine;
  const quick = new Proxy(store, {
    get(target, name: keyof RunStore) {
      const method = target[name] as (...args: unknown[]) => unknown;
      if (name !== "create") return method.bind(target);
      return async (run: Parameters<RunStore["create"]>[0]) => {
        const created = await target.create(run);
        await cancelRun(target, { runId: run.runId, by: "ann", atMs: 1 });
        return created;
      };
    },
  });
  const handle = await engine.start(slow(new Promise(() => {})), { store: quick });
  await engine.clock.advance(1_000); // the next poll
  await engine.clock.advance(5_000); // the body does not notice

  expect((await handle.result).status).toBe("cancelled");
});
