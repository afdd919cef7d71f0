/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about what a caught failure stops, what it leaves alone, and what happens to a try in between. */
import { cancelRun, decideApproval } from "@smooth/engine/control";
import type { TaskContext } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { Aborts, Bad, ended, Ok, wf } from "../testing/failing.tsx";
import {
  Approval,
  Loop,
  MergeQueue,
  outputs,
  Parallel,
  Saga,
  smithers,
  Task,
  TryCatchFinally,
  useCtx,
  Workflow,
} from "../testing/rules.ts";
import { decideAsk, runToEnd, testEngine } from "../testing/run-in-memory.ts";

test("only what stands in the try is stopped; what stands beside it goes on", async () => {
  const gate = Promise.withResolvers<void>();
  let aborted = 0;
  const run = await runToEnd(
    wf(
      <Parallel key="p">
        <Task id="beside" output={outputs.n}>
          {({ signal }: TaskContext) => gate.promise.then(() => ({ n: Number(signal.aborted) }))}
        </Task>
        <TryCatchFinally
          id="t"
          try={
            <Parallel>
              <Bad id="bad" />
              <Aborts id="sibling" onAbort={() => (aborted += 1)} />
              <Approval id="ask" output={outputs.decision} request={{ title: "?" }} />
            </Parallel>
          }
          catch={
            <Task id="c" output={outputs.text}>
              {() => (gate.resolve(), { text: String(aborted) })}
            </Task>
          }
        />
      </Parallel>,
    ),
  );

  expect(run.result.status).toBe("finished");
  expect(ended(run.trace()).toSorted()).toEqual([
    "approval.opened ask#0",
    "node.cancelled ask#0",
    "node.cancelled sibling#0",
    "node.failed bad#0",
    "node.finished beside#0",
    "node.finished c#0",
  ]);
  expect(aborted).toBe(1);
  expect(await run.store.approvals({ only: "open" })).toEqual([]);
  const late = { runId: run.runId, nodeId: "ask", iteration: 0, by: "ann", atMs: 1 };
  await expect(decideApproval(run.store, { ...late, decision: { verdict: "approve" } })).rejects.toMatchObject({
    code: "ASK_VOID",
  });
});

test("what was asked in the try is asked no more, while the run goes on", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<void>();
  const handle = await engine.start(
    wf(
      <TryCatchFinally
        key="t"
        id="t"
        try={
          <Parallel>
            <Approval id="ask" output={outputs.decision} request={{ title: "?" }} />
            <Task id="bad" output={outputs.n} noRetry>
              {() => gate.promise.then(() => Promise.reject(new Error("no")))}
            </Task>
          </Parallel>
        }
        catch={<Aborts id="c" />}
      />,
    ),
  );
  await settle();
  expect(await engine.store.approvals({ only: "open" })).toHaveLength(1);
  gate.resolve();
  await settle();

  expect(engine.trace()).toContain("node.started c#0");
  expect(await engine.store.approvals({ only: "open" })).toEqual([]);
  handle.cancel();
  await handle.result;
});

test("a body that ignores its abort holds the catch for five seconds, and what it says later is not heard", async () => {
  const engine = testEngine();
  const late = Promise.withResolvers<{ n: number }>();
  const handle = await engine.start(
    wf(
      <TryCatchFinally
        key="t"
        id="t"
        try={
          <Parallel>
            <Bad id="bad" />
            <Task id="stubborn" output={outputs.n}>
              {() => late.promise}
            </Task>
          </Parallel>
        }
        catch={<Aborts id="c" />}
      />,
    ),
  );
  await engine.clock.advance(4_999);
  expect(engine.trace()).not.toContain("node.started c#0");
  await engine.clock.advance(1);
  expect(engine.trace()).toContain("node.started c#0");

  late.resolve({ n: 1 });
  await settle();
  handle.cancel();
  await handle.result;
  expect(engine.trace()).not.toContain("node.finished stubborn#0");
});

test("finally does not run when the run is cancelled", async () => {
  const engine = testEngine();
  const handle = await engine.start(
    wf(<TryCatchFinally key="t" try={<Aborts id="a" />} catch={<Ok id="c" />} finally={<Ok id="f" />} />),
  );
  await settle();
  await cancelRun(engine.store, { runId: handle.runId, by: "ann", atMs: 1 });

  expect((await handle.result).status).toBe("cancelled");
  expect(engine.trace()).toEqual(["node.started a#0", "node.cancelled a#0"]);
  expect(engine.log.lines.map((line) => line.fields["warning"])).toEqual([expect.stringContaining("without an id")]);
});

test("a run resumed between failure and catch goes on with the catch, given the same error", async () => {
  const engine = testEngine();
  const seen: (string | undefined)[] = [];
  const workflow = wf(
    <TryCatchFinally
      key="t"
      try={<Bad id="a" />}
      catch={({ nodeId }) => {
        seen.push(nodeId);
        return <Approval id="ask" output={outputs.decision} request={{ title: "Go on?" }} />;
      }}
      finally={<Ok id="f" />}
    />,
  );
  const { runId, result } = await engine.start(workflow);
  expect((await result).status).toBe("waiting-approval");
  seen.length = 0;
  await decideAsk(engine, runId, "approve");

  expect((await (await engine.resume(workflow, runId)).result).status).toBe("finished");
  expect(seen[0]).toBe("a");
  expect(engine.trace().filter((line) => line.includes(" a#0"))).toEqual(["node.started a#0", "node.failed a#0"]);
});

test("everything in everything: a saga in a try in a loop in a parallel, the same however often it renders", async () => {
  const Pass = () => {
    const ctx = useCtx();
    return (
      <TryCatchFinally
        id="t"
        try={
          <Saga id="s" onFailure="compensate-and-fail">
            <Saga.Step id="one" compensation={<Ok id="undo" />}>
              <MergeQueue>
                <Ok id="x" />
                <Ok id="y" />
              </MergeQueue>
            </Saga.Step>
            <Saga.Step id="two" compensation={<Ok id="undo-two" />}>
              <Parallel>
                {ctx.iteration === 1 ? <Ok id="ok" /> : <Bad id="bad" />}
                <Aborts id="slow" />
              </Parallel>
            </Saga.Step>
          </Saga>
        }
        catch={({ nodeId }) => (
          <Task id="c" output={outputs.text}>
            {() => ({ text: String(nodeId) })}
          </Task>
        )}
        finally={<Ok id="f" />}
      />
    );
  };
  const workflow = smithers((ctx) => (
    <Workflow name="nested">
      <Parallel>
        <Loop id="l" until={ctx.iterationCount(outputs.text, "c") > 0}>
          <Pass />
        </Loop>
        <Ok id="beside" />
      </Parallel>
    </Workflow>
  ));

  const [tracked, always] = await Promise.all([runToEnd(workflow), runToEnd(workflow, { render: "always" })]);

  expect(tracked.result.status).toBe("finished");
  expect(tracked.events).toEqual(always.events);
  expect(ended(tracked.trace()).slice(-5)).toEqual([
    "node.failed bad#0",
    "node.cancelled slow#0",
    "node.finished undo#0",
    "node.finished c#0",
    "node.finished f#0",
  ]);
});
