/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about TryCatchFinally: what is caught, and in which order its parts run. */
import { expect, test } from "vitest";
import type { CaughtError } from "../components/try-catch-finally.ts";
import { Aborts, Bad, ended, Ok, wf } from "../testing/failing.tsx";
import { Approval, Loop, outputs, Parallel, Sequence, TryCatchFinally, useCtx } from "../testing/rules.ts";
import { decideAsk, runToEnd, testEngine } from "../testing/run-in-memory.ts";

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
