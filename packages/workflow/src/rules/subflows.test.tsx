/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about workflows inside workflows. */
import { cancelRun, decideApproval, findResumable } from "@smooth/engine/control";
import type { TaskContext } from "@smooth/engine/task";
import { openMemoryStore } from "@smooth/engine/store/memory";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { approvalDecisionSchema, createSmithers } from "../create-smithers.ts";
import {
  ContinueAsNew,
  outputs,
  Parallel,
  smithers,
  Subflow,
  Task,
  TryCatchFinally,
  Workflow,
} from "../testing/rules.ts";
import { OWNER, runToEnd, testEngine } from "../testing/run-in-memory.ts";

const inner = createSmithers({
  input: z.object({ n: z.number().default(1) }),
  output: z.object({ n: z.number() }),
  decision: approvalDecisionSchema,
});
const double = (ran: string[] = []) =>
  inner.smithers(
    (ctx) => (
      <Workflow name="double">
        <Task id="twice" output={inner.outputs.output}>
          {({ runId }: TaskContext) => (ran.push(runId), { n: ctx.input.n * 2 })}
        </Task>
      </Workflow>
    ),
    { name: "double" },
  );
const asking = (ran: string[] = []) =>
  inner.smithers((ctx) => (
    <Workflow name="asking">
      <Task id="before" output={inner.outputs.output}>
        {({ runId }: TaskContext) => (ran.push(runId), { n: 0 })}
      </Task>
      <inner.Approval id="ask" output={inner.outputs.decision} request={{ title: "Go?" }} onDeny="fail" />
      <Task id="after" output={inner.outputs.output}>
        {{ n: ctx.outputMaybe(inner.outputs.decision, "ask")?.approved ? 7 : 0 }}
      </Task>
    </Workflow>
  ));
const approve = async (engine: ReturnType<typeof testEngine>, verdict: "approve" | "deny" = "approve") => {
  const [open] = await engine.store.approvals({ only: "open" });
  await decideApproval(engine.store, {
    runId: open!.runId,
    nodeId: "ask",
    iteration: 0,
    decision: { verdict },
    by: "ann",
    atMs: engine.clock.now(),
  });
};
const check = (engine: ReturnType<typeof testEngine>) => ({
  isAlive: () => true,
  host: OWNER.host,
  nowMs: engine.clock.now(),
});
const children = async (engine: ReturnType<typeof testEngine>, parentRunId: string) =>
  (await engine.store.runs({ parentRunId })).map(({ runId, status }) => ({ runId, status }));

test("a child run is a run of its own, and its row in `output` is the node's row", async () => {
  const run = await runToEnd(
    smithers((ctx) => (
      <Workflow name="parent">
        <Subflow id="sub" workflow={double()} input={{ n: 21 }} output={outputs.n} />
        <Task id="after" output={outputs.text}>
          {{ text: String(ctx.outputMaybe(outputs.n, "sub")?.n) }}
        </Task>
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("finished");
  const [child] = await run.store.runs({ parentRunId: run.runId });
  expect(child).toMatchObject({
    workflow: "double",
    status: "finished",
    input: { n: 21 },
    parent: { runId: run.runId, as: "subflow", key: "sub::0" },
  });
  expect(run.trace()).toContain("node.finished twice#0");
});

test("outputFrom names another node; a child without the row fails the node and says what to do", async () => {
  const from = (outputFrom: string) =>
    smithers(() => (
      <Workflow name="from">
        <Subflow id="sub" workflow={double()} output={outputs.n} outputFrom={outputFrom} />
      </Workflow>
    ));

  expect((await runToEnd(from("twice"))).result.status).toBe("finished");
  expect((await runToEnd(from("ghost"))).result).toMatchObject({
    status: "failed",
    error: { code: "INVALID_OUTPUT", message: expect.stringContaining("ghost") },
  });
});

test("a child that waits suspends its parent; its decision makes the parent resumable, and the child goes on", async () => {
  const engine = testEngine();
  const ran: string[] = [];
  const middle = inner.smithers(() => (
    <Workflow name="middle">
      <Subflow id="deep" workflow={asking(ran)} output={inner.outputs.output} />
    </Workflow>
  ));
  const workflow = smithers(() => (
    <Workflow name="parent">
      <Subflow id="sub" workflow={middle} output={outputs.n} />
    </Workflow>
  ));
  const { runId, result } = await engine.start(workflow);
  expect(await result).toMatchObject({ status: "waiting-approval", waiting: [{ nodeId: "sub" }] });
  expect(await findResumable(engine.store, check(engine))).toEqual([]);

  await approve(engine);

  expect(await findResumable(engine.store, check(engine))).toMatchObject([{ run: { runId }, because: "due" }]);
  const resumed = await engine.resume(workflow, runId);
  expect((await resumed.result).status).toBe("finished");
  expect(ran).toHaveLength(1);
  const [child] = await children(engine, runId);
  expect(child?.status).toBe("finished");
  expect(await children(engine, child!.runId)).toMatchObject([{ status: "finished" }]);
});

test("a child that is decided while its parent lives goes on in it", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<{ n: number }>();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="alive">
        <Parallel>
          <Task id="slow" output={outputs.n}>
            {() => gate.promise}
          </Task>
          <Subflow id="sub" workflow={asking()} output={outputs.n} />
        </Parallel>
      </Workflow>
    )),
  );
  await settle();
  await approve(engine);
  await engine.clock.advance(1_000);
  expect(engine.trace()).toContain("node.finished sub#0");
  gate.resolve({ n: 1 });

  expect((await handle.result).status).toBe("finished");
});

test("cancelling the parent cancels the child: one that runs, and one that is suspended with it", async () => {
  const engine = testEngine();
  let aborted = 0;
  const running = inner.smithers(() => (
    <Workflow name="running">
      <Task id="long" output={inner.outputs.output}>
        {({ signal }: TaskContext) =>
          new Promise<{ n: number }>((_, reject) =>
            signal.addEventListener("abort", () => ((aborted += 1), reject(signal.reason as Error))),
          )
        }
      </Task>
    </Workflow>
  ));
  const parent = (workflow: typeof running) =>
    smithers(() => (
      <Workflow name="parent">
        <Subflow id="sub" workflow={workflow} output={outputs.n} />
      </Workflow>
    ));
  const live = await engine.start(parent(running));
  await settle();
  live.cancel();
  expect((await live.result).status).toBe("cancelled");
  expect(aborted).toBe(1);
  await settle();
  expect(await children(engine, live.runId)).toMatchObject([{ status: "cancelled" }]);

  const suspended = await engine.start(parent(asking()));
  await suspended.result;
  expect(await cancelRun(engine.store, { runId: suspended.runId, by: "ann", atMs: 1 })).toBe("cancelled");
  expect(await children(engine, suspended.runId)).toMatchObject([{ status: "cancelled" }]);
  expect(await engine.store.approvals({ only: "open" })).toEqual([]);
});

test("a parent whose run is another's lets its child go and does not cancel it", async () => {
  const engine = testEngine();
  const store = openMemoryStore();
  const commit = store.commit.bind(store);
  let parent = "";
  let before: (() => Promise<unknown>) | undefined;
  store.commit = async (batch) => {
    if (batch.runId === parent) await before?.();
    return commit(batch);
  };
  const slow = inner.smithers(() => (
    <Workflow name="slow">
      <Task id="wait" output={inner.outputs.output}>
        {({ signal }: TaskContext) =>
          new Promise<{ n: number }>((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error)),
          )
        }
      </Task>
    </Workflow>
  ));
  const gate = Promise.withResolvers<{ n: number }>();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="parent">
        <Parallel>
          <Subflow id="child" workflow={slow} input={{}} output={outputs.n} />
          <Task id="beside" output={outputs.n}>
            {() => gate.promise}
          </Task>
        </Parallel>
      </Workflow>
    )),
    { store },
  );
  parent = handle.runId;
  await settle();
  before = () => store.claim({ runId: parent, epoch: 1, owner: { ...OWNER, pid: 2 }, atMs: 1 });
  gate.resolve({ n: 1 });

  expect((await handle.result).status).toBe("lost");
  await settle();
  const [child] = await store.runs({ parentRunId: parent });
  expect(child).toMatchObject({ status: "running", cancelRequestedBy: null });
});

test("a parent that fails cancels the child that is suspended with it", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<never>();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="fails">
        <Parallel>
          <Subflow id="sub" workflow={asking()} output={outputs.n} />
          <Task id="bad" output={outputs.n} noRetry>
            {() => gate.promise}
          </Task>
        </Parallel>
      </Workflow>
    )),
  );
  await settle();
  gate.reject(new Error("no"));

  expect((await handle.result).status).toBe("failed");
  await settle();
  expect(await children(engine, handle.runId)).toMatchObject([{ status: "cancelled" }]);
});

test("a failing child fails its node with its own error; a retry is another run; a try around it catches", async () => {
  const engine = testEngine();
  let tries = 0;
  const flaky = inner.smithers(() => (
    <Workflow name="flaky">
      <Task id="a" output={inner.outputs.output} noRetry>
        {() => {
          if ((tries += 1) < 3) throw new Error(`no ${tries}`);
          return { n: tries };
        }}
      </Task>
    </Workflow>
  ));
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="parent">
        <TryCatchFinally
          id="t"
          try={<Subflow id="once" workflow={flaky} output={outputs.n} />}
          catch={({ code, message, nodeId }) => (
            <Task id="caught" output={outputs.text}>
              {{ text: `${code} ${message} ${nodeId}` }}
            </Task>
          )}
        />
        <Subflow
          id="again"
          workflow={flaky}
          output={outputs.n}
          retries={1}
          retryPolicy={{ backoff: "fixed", initialDelayMs: 10 }}
        />
      </Workflow>
    )),
  );
  await engine.clock.advance(20);

  expect((await handle.result).status).toBe("finished");
  expect((await children(engine, handle.runId)).map(({ status }) => status).toSorted()).toEqual([
    "failed",
    "failed",
    "finished",
  ]);
  const failure = engine.events.find((event) => event.type === "scope.failed");
  expect(failure).toMatchObject({ error: { code: "TASK_FAILED", message: "no 1" } });
});

test("a child that continues as new answers with its last run's row", async () => {
  const paging = inner.smithers((ctx) => {
    const page: number =
      (ctx.input as { __smithersContinuation?: { payload: number } }).__smithersContinuation?.payload ?? 0;
    return (
      <Workflow name="paging">
        <Task id="page" output={inner.outputs.output}>
          {{ n: page }}
        </Task>
        {page < 2 ? <ContinueAsNew state={page + 1} /> : null}
      </Workflow>
    );
  });
  const run = await runToEnd(
    smithers((ctx) => (
      <Workflow name="parent">
        <Subflow id="sub" workflow={paging} output={outputs.n} />
        <Task id="seen" output={outputs.text}>
          {{ text: String(ctx.outputMaybe(outputs.n, "sub")?.n) }}
        </Task>
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("finished");
  const [first] = await run.store.runs({ parentRunId: run.runId });
  expect(first).toMatchObject({ status: "continued" });
  expect(await run.store.runs({})).toHaveLength(4);
});

test("inline: the child's tasks stand in this run, read its rows and see their own input", async () => {
  const shared = createSmithers({ n: z.object({ n: z.number() }), output: z.object({ n: z.number() }) });
  const child = createSmithers({ input: z.object({ n: z.number() }), output: z.object({ n: z.number() }) });
  const run = await runToEnd(
    shared.smithers((ctx) => (
      <Workflow name="parent">
        <Subflow
          id="sub"
          mode="inline"
          workflow={child.smithers((own) => (
            <Workflow name="child">
              <Task id="twice" output={child.outputs.output}>
                {{ n: own.input.n * 2 }}
              </Task>
            </Workflow>
          ))}
          input={{ n: 4 }}
          output={shared.outputs.n}
        />
        <Task id="after" output={shared.outputs.output}>
          {{ n: (ctx.outputMaybe(shared.outputs.n, "sub")?.n ?? 0) + 1 }}
        </Task>
      </Workflow>
    )),
  );

  expect(run.result).toMatchObject({ status: "finished", output: { n: 9 } });
  expect(run.trace().filter((line) => line.startsWith("node.finished"))).toEqual([
    "node.finished twice#0",
    "node.finished sub#0",
    "node.finished after#0",
  ]);
  expect(await run.store.runs({})).toHaveLength(1);
});

test("inline: a prop that needs a run of its own is refused by name", async () => {
  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="parent">
        <Subflow id="sub" mode="inline" workflow={double()} output={outputs.n} timeoutMs={5} />
      </Workflow>
    )),
  );

  expect(result).toMatchObject({ status: "failed", error: { code: "PROP_UNSUPPORTED" } });
});

test("a Subflow that takes longer than its timeoutMs fails, and its child is cancelled", async () => {
  const engine = testEngine();
  const slow = inner.smithers(() => (
    <Workflow name="slow">
      <Task id="wait" output={inner.outputs.output}>
        {({ signal }: TaskContext) =>
          new Promise<{ n: number }>((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error)),
          )
        }
      </Task>
    </Workflow>
  ));
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="parent">
        <Subflow id="child" workflow={slow} input={{}} output={outputs.n} timeoutMs={1_000} />
      </Workflow>
    )),
  );
  await settle();
  await engine.clock.advance(1_001);

  expect(await handle.result).toMatchObject({ status: "failed", error: { code: "TASK_TIMEOUT", nodeId: "child" } });
  await settle();
  expect(await children(engine, handle.runId)).toMatchObject([{ status: "cancelled" }]);
});
