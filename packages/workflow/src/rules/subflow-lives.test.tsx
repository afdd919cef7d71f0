/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about what happens to the runs of subflows when something happens to their parent's. */
import { cancelOrphans, decideApproval, findResumable, pauseRun, unpauseRun } from "@smooth/engine/control";
import { retryTask } from "@smooth/engine/time-travel/verbs";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { settle } from "@smooth/platform/testing";
import type { RunEventBody } from "@smooth/engine/events";
import { NOTHING, type Batch, type RunStore } from "@smooth/engine/store";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { approvalDecisionSchema, createSmithers } from "../create-smithers.ts";
import { agent, Approval, Aspects, outputs, Parallel, smithers, Subflow, Task, Workflow } from "../testing/rules.ts";
import { OWNER, testEngine } from "../testing/run-in-memory.ts";

const inner = createSmithers({ output: z.object({ n: z.number() }), decision: approvalDecisionSchema });
const asks = inner.smithers(() => (
  <Workflow name="asks">
    <inner.Approval id="ask" output={inner.outputs.decision} request={{ title: "Go?" }} />
    <Task id="after" output={inner.outputs.output}>
      {{ n: 7 }}
    </Task>
  </Workflow>
));
const parentOf = (child: WorkflowDefinition) =>
  smithers(() => (
    <Workflow name="parent">
      <Subflow id="sub" workflow={child} output={outputs.n} />
    </Workflow>
  ));

const decideAskOf = async (store: RunStore): Promise<void> => {
  const [open] = await store.approvals({ only: "open" });
  const { runId = "" } = open ?? {};
  const decision = { verdict: "approve" } as const;
  await decideApproval(store, { runId, nodeId: "ask", iteration: 0, decision, by: "ann", atMs: 1 });
};

function living() {
  const engine = testEngine();
  const whom = { runId: "r", by: "ann", atMs: 1 };
  const check = { isAlive: () => false, host: OWNER.host, nowMs: 1 };
  return {
    ...engine,
    check,
    pause: () => pauseRun(engine.store, whom),
    unpause: () => unpauseRun(engine.store, whom),
    due: async () => (await findResumable(engine.store, check)).map(({ run }) => run.runId),
    children: async () => (await engine.store.runs({ parentRunId: "r" })).map(({ status }) => status),
    run: async (workflow: WorkflowDefinition) => (await engine.start(workflow, { runId: "r" })).result,
    resumed: async (workflow: WorkflowDefinition) => (await engine.resume(workflow, "r")).result,
  };
}

describe("budgets", () => {
  const spends = (tokens: number) => agent({ output: { n: 1 }, usage: { inputTokens: tokens, outputTokens: 0 } });
  const spender = (by: ReturnType<typeof agent>) =>
    inner.smithers(() => (
      <Workflow name="spender">
        {["a", "b", "c"].map((id) => (
          <Task key={id} id={id} output={inner.outputs.output} agent={by}>
            Spend.
          </Task>
        ))}
      </Workflow>
    ));
  const nested = (by: ReturnType<typeof agent>) =>
    inner.smithers(() => (
      <Workflow name="nested">
        <Subflow id="deep" workflow={spender(by)} output={inner.outputs.output} />
      </Workflow>
    ));
  const within = (child: WorkflowDefinition, max: number) =>
    smithers(() => (
      <Workflow name="parent">
        <Aspects tokenBudget={{ max }}>
          <Subflow id="sub" workflow={child} output={outputs.n} />
          <Task id="after" output={outputs.n}>
            {{ n: 1 }}
          </Task>
        </Aspects>
      </Workflow>
    ));

  test.each([
    ["its own tasks", spender],
    ["those of its own subflow", nested],
  ])("what a child uses counts in its parent, once: %s", async (_, child) => {
    const within300 = await living().run(within(child(spends(100)), 300));
    const by = spends(100);
    const within150 = await living().run(within(child(by), 150));

    expect(within300.status).toBe("finished");
    expect(within150).toMatchObject({ status: "failed", error: { code: "ASPECT_BUDGET_EXCEEDED", nodeId: "sub" } });
    expect(by.asked).toHaveLength(2);
  });

  test("U2: what the parent was not told before a crash is counted when it is taken up", async () => {
    const engine = living();
    const store = withoutUsageOf("r", engine.store);
    const { result } = await engine.start(within(asksAfter(spends(100)), 500), { runId: "r", store });
    expect(await result).toMatchObject({ status: "waiting-approval" });
    await decideAskOf(engine.store);

    const resumed = await engine.resumed(within(asksAfter(spends(100)), 50));

    expect(resumed).toMatchObject({ error: { code: "ASPECT_BUDGET_EXCEEDED" } });
  });

  const asksAfter = (by: ReturnType<typeof agent>) =>
    inner.smithers(() => (
      <Workflow name="asks-after">
        <Task id="a" output={inner.outputs.output} agent={by}>
          Spend.
        </Task>
        <inner.Approval id="ask" output={inner.outputs.decision} request={{ title: "Go?" }} />
      </Workflow>
    ));
  /** As if the process had died between the child's commit and its parent's. */
  const withoutUsageOf = (runId: string, store: RunStore): RunStore =>
    new Proxy(store, {
      get(target, name: keyof RunStore) {
        const method = target[name] as (...args: unknown[]) => unknown;
        if (name !== "commit") return method.bind(target);
        return (batch: Batch) => {
          const kept = (event: RunEventBody): RunEventBody =>
            batch.runId === runId && event.type === "node.usage" ? { type: "run.unparked" } : event;
          return target.commit({ ...batch, events: batch.events.map(kept) });
        };
      },
    });
});

describe("a pause", () => {
  test("of a run that waits for its child holds both, and its end frees both", async () => {
    const engine = living();
    await engine.run(parentOf(asks));

    await engine.pause();
    expect(await engine.children()).toEqual(["paused"]);
    expect(await engine.due()).toEqual([]);

    await engine.unpause();
    expect(await engine.due()).toEqual(["r"]);
    expect(await engine.resumed(parentOf(asks))).toMatchObject({ status: "waiting-approval" });
    expect(await engine.children()).toEqual(["waiting-approval"]);
  });

  test("of a run stays, also when its child alone is told to go on", async () => {
    const engine = living();
    await engine.run(parentOf(asks));
    await engine.pause();
    const [child] = await engine.store.runs({ parentRunId: "r" });
    await unpauseRun(engine.store, { runId: child?.runId ?? "", by: "ann", atMs: 1 });

    expect(await engine.due()).toEqual([]);
    await engine.unpause();
    expect(await engine.due()).toEqual(["r"]);
  });

  test("of a run whose child is at work lets the child's body end, and nothing after it starts", async () => {
    const engine = living();
    const gate = Promise.withResolvers<void>();
    const works = inner.smithers(() => (
      <Workflow name="works">
        <Task id="slow" output={inner.outputs.output}>
          {() => gate.promise.then(() => ({ n: 1 }))}
        </Task>
        <Task id="next" output={inner.outputs.output}>
          {{ n: 2 }}
        </Task>
      </Workflow>
    ));
    const { result } = await engine.start(parentOf(works), { runId: "r" });
    await settle();
    await engine.pause();
    await settle();
    gate.resolve();

    expect(await result).toMatchObject({ status: "paused" });
    expect(engine.trace()).not.toContain("node.started next#0");

    await engine.unpause();
    expect(await engine.resumed(parentOf(works))).toMatchObject({ status: "finished" });
  });
});

describe("a child that is left behind", () => {
  /** Fails while its child waits, in a process that dies before it can end the child. */
  const failing = smithers(() => (
    <Workflow name="failing">
      <Parallel>
        <Subflow id="sub" workflow={asks} output={outputs.n} />
        <Task id="fails" output={outputs.n} retries={0}>
          {() => settle().then(() => Promise.reject(new Error("no luck")))}
        </Task>
      </Parallel>
    </Workflow>
  ));
  const dying = (store: RunStore): RunStore =>
    new Proxy(store, {
      get(target, name: keyof RunStore) {
        const method = target[name] as (...args: unknown[]) => unknown;
        return name === "requestCancel" ? () => Promise.reject(new Error("dead")) : method.bind(target);
      },
    });

  test("waiting, by a parent that is over is cancelled in the supervisor's next round", async () => {
    const engine = living();
    const { result } = await engine.start(failing, { runId: "r", store: dying(engine.store) });
    expect((await result).status).toBe("failed");
    expect(await engine.children()).toEqual(["waiting-approval"]);

    expect(await cancelOrphans(engine.store, engine.check)).toHaveLength(1);
    expect(await engine.children()).toEqual(["cancelled"]);
    expect(await engine.store.approvals({ only: "open" })).toEqual([]);
    expect(await cancelOrphans(engine.store, engine.check)).toEqual([]);
  });

  test("by a dead process, at work, is cancelled too; one that somebody drives is not", async () => {
    const engine = living();
    const { store } = engine;
    const owner = { ...OWNER, pid: 2 };
    const child = { workflow: "w", input: {}, auth: null, owner, atMs: 1 };
    await store.create({ ...child, runId: "r" });
    await store.create({ ...child, runId: "c", parent: { runId: "r", as: "subflow", key: "sub::0" } });
    const status = { status: "failed", error: null, wakeAtMs: null, seenSeq: 1 } as const;
    await store.commit({ runId: "r", epoch: 1, atMs: 1, ...NOTHING, status });

    expect(await cancelOrphans(store, { ...engine.check, isAlive: () => true })).toEqual([]);
    expect(await cancelOrphans(store, engine.check)).toEqual(["c"]);
    expect(await store.run("c")).toMatchObject({ status: "cancelled", owner: null });
  });
});

describe("B3: a subflow that is sent back", () => {
  const sendBack = (engine: ReturnType<typeof living>, workflow: WorkflowDefinition) => {
    const deps = { ...engine, workflow, vcs: null, isAlive: () => false };
    return retryTask(deps, { runId: "r", nodeId: "sub", iteration: 0, by: "ann" });
  };

  test("begins a child of its own, and the one that still waits is ended", async () => {
    const engine = living();
    await engine.run(parentOf(asks));
    await sendBack(engine, parentOf(asks));
    await engine.resumed(parentOf(asks));

    expect((await engine.children()).toSorted()).toEqual(["cancelled", "waiting-approval"]);
  });

  test("is run again, and does not answer with what its finished child said", async () => {
    const engine = living();
    const once = inner.smithers(() => (
      <Workflow name="once">
        <Task id="a" output={inner.outputs.output}>
          {{ n: 1 }}
        </Task>
      </Workflow>
    ));
    const workflow = smithers(() => (
      <Workflow name="parent">
        <Subflow id="sub" workflow={once} output={outputs.n} />
        <Approval id="ask" output={outputs.decision} request={{ title: "Good?" }} />
      </Workflow>
    ));
    await engine.run(workflow);
    await sendBack(engine, workflow);
    await engine.resumed(workflow);

    expect(await engine.children()).toEqual(["finished", "finished"]);
  });
});

describe("B4: a task of a child", () => {
  const again = async (engine: ReturnType<typeof living>, nodeId: string) => {
    const [child] = await engine.store.runs({ parentRunId: "r" });
    const deps = { ...engine, workflow: asks, vcs: null, isAlive: () => false };
    return retryTask(deps, { runId: child?.runId ?? "", nodeId, iteration: 0, by: "ann", resume: true });
  };

  test("is done again while the parent waits for the child, and the parent goes on with it", async () => {
    const engine = living();
    await engine.run(parentOf(asks));
    await again(engine, "ask");
    expect(await engine.due()).toEqual(["r"]);
    await engine.resumed(parentOf(asks));
    await decideAskOf(engine.store);

    expect((await engine.resumed(parentOf(asks))).status).toBe("finished");
  });

  test.each([
    ["has ended", null],
    [
      "has the child's result and goes on",
      <Approval key="ask" id="ask" output={outputs.decision} request={{ title: "Good?" }} />,
    ],
  ])("is refused when the parent %s: nobody would read it", async (_when, more) => {
    const engine = living();
    const workflow = smithers(() => (
      <Workflow name="parent">
        <Subflow id="sub" workflow={asks} output={outputs.n} />
        {more}
      </Workflow>
    ));
    await engine.run(workflow);
    await decideAskOf(engine.store);
    await engine.resumed(workflow);

    await expect(again(engine, "after")).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
    expect(await engine.children()).toEqual(["finished"]);
  });
});
