/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about failures: TryCatchFinally, and it within everything else. */
import { cancelRun, decideApproval } from "@smooth/engine/control";
import type { TaskContext } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import type { CaughtError } from "../components/try-catch-finally.ts";
import { Aborts, Bad, ended, Ok, wf } from "../testing/failing.tsx";
import {
  Approval,
  Loop,
  MergeQueue,
  outputs,
  Parallel,
  Saga,
  Sequence,
  smithers,
  Task,
  TryCatchFinally,
  useCtx,
  Workflow,
} from "../testing/rules.ts";
import { decideAsk, runToEnd, testEngine } from "../testing/run-in-memory.ts";

describe("TryCatchFinally", () => {
  test("catch gets the code, the message and the node; finally follows; the run goes on", async () => {
    const seen: CaughtError[] = [];
    const run = await runToEnd(
      wf(
        <TryCatchFinally
          key="t"
          id="t"
          try={
            <Sequence>
              <Ok id="a" />
              <Bad id="b" />
              <Ok id="never" />
            </Sequence>
          }
          catch={(error) => {
            seen.push(error);
            return <Ok id="c" />;
          }}
          finally={<Ok id="f" />}
        />,
        <Ok key="after" id="after" />,
      ),
    );

    expect(run.result.status).toBe("finished");
    expect(ended(run.trace())).toEqual([
      "node.finished a#0",
      "node.failed b#0",
      "node.finished c#0",
      "node.finished f#0",
      "node.finished after#0",
    ]);
    expect(seen[0]).toEqual({ code: "TASK_FAILED", message: "b broke", summary: "b broke", nodeId: "b" });
  });

  test("finally runs after success, and catch is never rendered", async () => {
    const Never = (): never => {
      throw new Error("rendered");
    };
    const run = await runToEnd(
      wf(<TryCatchFinally key="t" id="t" try={<Ok id="a" />} catch={<Never />} finally={<Ok id="f" />} />),
    );

    expect(ended(run.trace())).toEqual(["node.finished a#0", "node.finished f#0"]);
  });

  test("finally runs after a failing catch, and then the catch's failure fails the run", async () => {
    const run = await runToEnd(
      wf(
        <TryCatchFinally key="t" id="t" try={<Bad id="a" />} catch={<Bad id="c" />} finally={<Ok id="f" />} />,
        <Ok key="after" id="after" />,
      ),
    );

    expect(run.result).toMatchObject({ status: "failed", error: { message: "c broke", nodeId: "c" } });
    expect(ended(run.trace())).toEqual(["node.failed a#0", "node.failed c#0", "node.finished f#0"]);
  });

  test("a failure in a catch stops what else runs in it, then finally runs", async () => {
    const run = await runToEnd(
      wf(
        <TryCatchFinally
          key="t"
          id="t"
          try={<Bad id="a" />}
          catch={
            <Parallel>
              <Aborts id="slow" />
              <Bad id="c" />
            </Parallel>
          }
          finally={<Ok id="f" />}
        />,
      ),
    );

    expect(run.result).toMatchObject({ status: "failed", error: { nodeId: "c" } });
    expect(ended(run.trace())).toEqual([
      "node.failed a#0",
      "node.failed c#0",
      "node.cancelled slow#0",
      "node.finished f#0",
    ]);
  });

  test("a failing finally fails the run", async () => {
    const run = await runToEnd(wf(<TryCatchFinally key="t" id="t" try={<Ok id="a" />} finally={<Bad id="f" />} />));

    expect(run.result).toMatchObject({ status: "failed", error: { nodeId: "f" } });
  });

  test("a code that catchErrors does not name goes to the outer try, after the inner finally", async () => {
    const run = await runToEnd(
      wf(
        <TryCatchFinally
          key="t"
          id="outer"
          try={
            <TryCatchFinally
              id="inner"
              try={<Bad id="a" />}
              catchErrors={["TASK_TIMEOUT"]}
              catch={<Ok id="inner-catch" />}
              finally={<Ok id="f" />}
            />
          }
          catch={({ code }) => <Ok id={`caught-${code}`} />}
        />,
      ),
    );

    expect(run.result.status).toBe("finished");
    expect(ended(run.trace())).toEqual(["node.failed a#0", "node.finished f#0", "node.finished caught-TASK_FAILED#0"]);
  });

  test("a code that catchErrors names is caught", async () => {
    const engine = testEngine();
    const handle = await engine.start(
      wf(
        <TryCatchFinally
          key="t"
          id="t"
          try={<Bad id="a" code="TASK_TIMEOUT" />}
          catchErrors={["TASK_TIMEOUT"]}
          catch={<Ok id="c" />}
        />,
      ),
    );
    await engine.clock.advance(1);

    expect((await handle.result).status).toBe("finished");
  });

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

  test("a denied approval and an exhausted loop are caught like any failure", async () => {
    const seen: string[] = [];
    const workflow = wf(
      <TryCatchFinally
        key="t"
        id="t"
        try={
          <Loop id="l" maxIterations={1} onMaxReached="fail">
            <Ok id="a" />
          </Loop>
        }
        catch={({ code }) => (seen.push(code), (<Ok id="c" />))}
      />,
      <TryCatchFinally
        key="u"
        id="u"
        try={<Approval id="ask" output={outputs.decision} request={{ title: "?" }} />}
        catch={({ code }) => (seen.push(code), (<Ok id="d" />))}
      />,
    );
    const engine = testEngine();
    const { runId, result } = await engine.start(workflow);
    await result;
    await decideAsk(engine, runId, "deny");

    expect((await (await engine.resume(workflow, runId)).result).status).toBe("finished");
    expect([...new Set(seen)]).toEqual(["RALPH_MAX_REACHED", "APPROVAL_DENIED"]);
  });

  test("each pass of a loop has its own try", async () => {
    const Pass = () => {
      const ctx = useCtx();
      return (
        <TryCatchFinally
          id="t"
          try={ctx.iteration === 1 ? <Ok id="ok" /> : <Bad id="bad" />}
          catch={<Ok id="c" />}
          finally={<Ok id="f" />}
        />
      );
    };
    const run = await runToEnd(
      wf(
        <Loop key="l" id="l" maxIterations={3}>
          <Pass />
        </Loop>,
      ),
    );

    expect(ended(run.trace())).toEqual([
      "node.failed bad#0",
      "node.finished c#0",
      "node.finished f#0",
      "node.finished ok#1",
      "node.finished f#1",
      "node.failed bad#2",
      "node.finished c#2",
      "node.finished f#2",
    ]);
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

test.each([
  [undefined, 1],
  [2, 2],
  [2.9, 2],
  [0, 1],
  [Number.NaN, 1],
])("a MergeQueue with maxConcurrency %s runs %i at once, in source order", async (cap, expected) => {
  let running = 0;
  let most = 0;
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="queue">
        <MergeQueue {...(cap === undefined ? {} : { maxConcurrency: cap })}>
          {[1, 2, 3, 4].map((at) => (
            <Task key={at} id={`t${at}`} output={outputs.n}>
              {async () => {
                most = Math.max(most, (running += 1));
                await settle();
                running -= 1;
                return { n: at };
              }}
            </Task>
          ))}
        </MergeQueue>
      </Workflow>
    )),
  );

  expect(most).toBe(expected);
  expect(run.trace().filter((line) => line.startsWith("node.started"))).toEqual(
    [1, 2, 3, 4].map((at) => `node.started t${at}#0`),
  );
});
