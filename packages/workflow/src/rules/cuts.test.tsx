/** @jsxImportSource @smooth/workflow */
/** ENGINE §8: a frame may lie anywhere in the log, also inside what one transaction wrote. Whoever goes on from there comes to the
 *  same end: at every event of runs that fail, undo, loop, ask and fail for good. */
import type { ReactElement } from "react";
import { decideApproval } from "@smooth/engine/control";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { compareSnapshots } from "@smooth/engine/time-travel/compare";
import { forkRun } from "@smooth/engine/time-travel/fork";
import { rewind } from "@smooth/engine/time-travel/rewind";
import { expect, test } from "vitest";
import { Bad, Ok, wf } from "../testing/failing.tsx";
import { Approval, Loop, outputs, Parallel, Saga, Sequence, Task, TryCatchFinally } from "../testing/rules.ts";
import { bench } from "../testing/time-travel.tsx";

/** Ends only when it is aborted. */
const Beside = ({ id }: { id: string }) => (
  <Task id={id} output={outputs.n}>
    {({ signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)))}
  </Task>
);
const Asks = ({ id }: { id: string }) => <Approval id={id} output={outputs.decision} request={{ title: "Go?" }} />;
const Twice = ({ id }: { id: string }) => (
  <Task id={id} output={outputs.n} retries={3} retryPolicy={{ initialDelayMs: 0 }}>
    {({ attempt }) => (attempt % 2 === 0 ? { n: 1 } : Promise.reject(new Error(`${id} broke`)))}
  </Task>
);
const saga = (onFailure: "compensate" | "compensate-and-fail", second: ReactElement) => (
  <Saga
    key="saga"
    id="saga"
    onFailure={onFailure}
    steps={[
      { id: "one", action: <Ok id="one" />, compensation: <Ok id="undo-one" /> },
      { id: "two", action: second, compensation: <Ok id="undo-two" /> },
      { id: "three", action: <Bad id="three" />, compensation: <Ok id="undo-three" /> },
    ]}
  />
);

const caught = () =>
  wf(
    <TryCatchFinally
      key="outer"
      id="outer"
      try={
        <Parallel>
          <Beside id="beside" />
          <Asks id="withdrawn" />
          <Sequence>
            <TryCatchFinally
              id="inner"
              try={<Bad id="deep" />}
              catch={<Bad id="catches-badly" />}
              finally={<Ok id="inner-finally" />}
            />
            <Ok id="never" />
          </Sequence>
        </Parallel>
      }
      catch={saga("compensate", <Asks id="two" />)}
      finally={<Ok id="outer-finally" />}
    />,
    <Loop key="loop" id="loop" maxIterations={2} onMaxReached="return-last">
      <TryCatchFinally id="in-loop" try={<Bad id="looped" />} catch={<Ok id="mends" />} />
      <Task id="bad-but-fine" output={outputs.n} noRetry continueOnFail>
        {() => Promise.reject(new Error("fine"))}
      </Task>
      <Twice id="twice" />
    </Loop>,
    <Asks key="ask" id="ask" />,
    <Ok key="last" id="last" />,
  );
const failed = () =>
  wf(
    <Ok key="first" id="first" />,
    <Parallel key="p">
      <Beside id="beside" />
      <Asks id="asked-in-vain" />
      {saga("compensate-and-fail", <Ok id="two" />)}
    </Parallel>,
    <Ok key="never" id="never" />,
  );
const exhausted = () =>
  wf(
    <TryCatchFinally
      key="t"
      id="t"
      try={
        <Loop id="loop" maxIterations={2} onMaxReached="fail">
          <Ok id="looped" />
        </Loop>
      }
      finally={<Bad id="finally" />}
    />,
  );

const APPROVED = new Set(["two", "ask"]);

/** A run to its end, and from there as often as asked: who is asked agrees, except to what is to be withdrawn. */
function played(workflow: WorkflowDefinition) {
  const { engine, deps, go, resume } = bench();
  const { store } = engine;
  const decide = async (runId: string): Promise<boolean> => {
    const open = (await store.approvals({ runId })).filter((row) => APPROVED.has(row.nodeId) && row.decided === null);
    for (const { nodeId, iteration } of open)
      await decideApproval(store, { runId, nodeId, iteration, decision: { verdict: "approve" }, by: "ann", atMs: 1 });
    return open.length > 0;
  };
  /** What it comes to. */
  const end = async (runId: string): Promise<unknown> => {
    let result = await resume(workflow, runId);
    while (result.status === "waiting-approval" && (await decide(runId))) result = await resume(workflow, runId);
    const cells = await Promise.all(workflow.registry.tables.map((table) => store.outputs(runId, table)));
    const rows = cells.flat().map(({ nodeId, iteration }) => `${nodeId}#${iteration}`);
    return { status: result.status, error: result.status === "failed" ? result.error : null, rows: rows.toSorted() };
  };
  const begin = async (): Promise<string> => {
    const { runId } = await go(workflow);
    while (await decide(runId)) await resume(workflow, runId);
    return runId;
  };
  return { store, deps: deps(workflow), end, begin };
}

const WORKFLOWS = [
  ["that catches, undoes, loops and asks", caught, "finished"],
  ["that undoes and fails", failed, "failed"],
  ["whose loop is exhausted, and whose finally fails", exhausted, "failed"],
] as const;

test.each(WORKFLOWS)("a run %s ends the same when it is forked at any event", async (_, workflow, status) => {
  const { store, deps, end, begin } = played(workflow());
  const runId = await begin();
  const { lastSeq = 0 } = (await store.run(runId)) ?? {};
  const whole = await end((await forkRun(deps, { runId, atSeq: 1, by: "ann" })).runId);
  expect(whole).toMatchObject({ status });

  for (let atSeq = 1; atSeq <= lastSeq; atSeq += 1) {
    const fork = await forkRun(deps, { runId, atSeq, by: "ann" });
    expect({ atSeq, end: await end(fork.runId) }).toEqual({ atSeq, end: whole });
    await compareSnapshots(deps, { runId, seq: atSeq }, { runId: fork.runId });
  }
});

test.each(WORKFLOWS)("a run %s ends the same when it is rewound to any event", async (_, workflow, status) => {
  const { store, deps, end, begin } = played(workflow());
  const runId = await begin();
  const { lastSeq = 0 } = (await store.run(runId)) ?? {};
  const whole = await end((await forkRun(deps, { runId, atSeq: 1, by: "ann" })).runId);
  expect(whole).toMatchObject({ status });

  for (let toSeq = lastSeq; toSeq > 0; toSeq -= 1) {
    await rewind(deps, { runId, toSeq, by: `ann at ${toSeq}`, confirm: true });
    expect({ toSeq, end: await end(runId) }).toEqual({ toSeq, end: whole });
  }
});
