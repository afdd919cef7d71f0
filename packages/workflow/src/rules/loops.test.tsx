/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §1 and §6 about loops. */
import { decideApproval } from "@smooth/engine/control";
import { why } from "@smooth/engine/why";
import { expect, test } from "vitest";
import {
  Approval,
  Workflow,
  Worktree,
  Task,
  Sequence,
  Loop,
  smithers,
  outputs,
  one,
  WaitForEvent,
} from "../testing/rules.ts";
import { runToEnd } from "../testing/run-in-memory.ts";

test("nested loops: the inner one starts again for each pass of the outer one, under its own names", async () => {
  const workflow = smithers((ctx) => (
    <Workflow name="nested">
      <Loop id="outer" until={ctx.iterationCount(outputs.text, "end") >= 2}>
        <Sequence>
          <Loop id="inner" until={ctx.iterationCount(outputs.n, "tick") >= 2}>
            <Task id="tick" output={outputs.n}>
              {one}
            </Task>
          </Loop>
          <Task id="end" output={outputs.text}>
            {() => ({ text: "pass" })}
          </Task>
        </Sequence>
      </Loop>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(
    run
      .trace()
      .filter((line) => line.startsWith("node.finished"))
      .map((line) => line.slice(14)),
  ).toEqual(["tick@@outer=0#0", "tick@@outer=0#1", "end#0", "tick@@outer=1#0", "tick@@outer=1#1", "end#1"]);
});

test("a loop without an id is named after its place, with a warning; concurrent bodies are warned about", async () => {
  const workflow = smithers(() => (
    <Workflow name="unnamed">
      <Loop maxIterations={1}>
        <Task id="a" output={outputs.n}>
          {one}
        </Task>
        <Task id="b" output={outputs.n}>
          {one}
        </Task>
      </Loop>
    </Workflow>
  ));

  const run = await runToEnd(workflow);

  expect(run.result.status).toBe("finished");
  expect(run.log.lines.map((line) => line.fields["warning"])).toEqual([
    expect.stringContaining("loop-0"),
    expect.stringContaining("concurrently"),
  ]);
});

test("a Worktree whose body has several children outside a Sequence is warned about", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="trees">
        <Worktree id="w" path="tree">
          {["a", "b"].map((id) => (
            <Task key={id} id={id} output={outputs.n} skipIf>
              {one}
            </Task>
          ))}
        </Worktree>
      </Workflow>
    )),
  );

  expect(run.log.lines.map((line) => line.fields["warning"])).toEqual([
    expect.stringContaining("worktree w has 2 children outside a <Sequence>"),
  ]);
});

test("a loop without maxIterations ends after five passes and returns the last", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="five">
        <Loop id="l">
          <Task id="a" output={outputs.n}>
            {one}
          </Task>
        </Loop>
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("finished");
  expect(run.trace().filter((line) => line.startsWith("node.finished"))).toHaveLength(5);
});

test("onMaxReached fail ends the run", async () => {
  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="max">
        <Loop id="l" maxIterations={2} onMaxReached="fail">
          <Task id="a" output={outputs.n}>
            {one}
          </Task>
        </Loop>
      </Workflow>
    )),
  );

  expect(result).toMatchObject({ status: "failed", error: { code: "RALPH_MAX_REACHED" } });
});

test("until is evaluated before the first pass", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="none">
        <Loop id="l" until>
          <Task id="a" output={outputs.n}>
            {one}
          </Task>
        </Loop>
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("finished");
  expect(run.trace()).toEqual([]);
});

test("D6: a pass that has begun is finished, though until turned true in its middle; nested loops too", async () => {
  const run = await runToEnd(
    smithers((ctx) => (
      <Workflow name="middle">
        <Loop id="outer" until={ctx.outputMaybe(outputs.n, "first") !== undefined}>
          <Sequence>
            <Task id="first" output={outputs.n}>
              {one}
            </Task>
            <Loop id="inner" maxIterations={2}>
              <Task id="tick" output={outputs.n}>
                {one}
              </Task>
            </Loop>
            <Task id="last" output={outputs.n}>
              {one}
            </Task>
          </Sequence>
        </Loop>
      </Workflow>
    )),
  );

  expect(run.trace().filter((line) => line.startsWith("node.finished"))).toEqual([
    "node.finished first#0",
    "node.finished tick@@outer=0#0",
    "node.finished tick@@outer=0#1",
    "node.finished last#0",
  ]);
});

test("a loop that never needs a body is recorded as it goes, and can be cancelled", async () => {
  const enough = new AbortController();
  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="busy">
        <Loop id="l" until={false} maxIterations={10_000}>
          <Task id="a" output={outputs.n}>
            {{ n: 1 }}
          </Task>
        </Loop>
      </Workflow>
    )),
    { signal: enough.signal, onEvent: ({ seq }) => void (seq > 3_000 && enough.abort()) },
  );

  expect(result.status).toBe("cancelled");
});

test("L8: what a pass asked without waiting for it is asked no more when the pass is over", async () => {
  const workflow = smithers(() => (
    <Workflow name="asks">
      <Loop id="l" maxIterations={3}>
        <Sequence>
          <Approval id="ask" async output={outputs.decision} request={{ title: "Go?" }} />
          <WaitForEvent id="hint" async event="hint" output={outputs.n} />
          <Task id="gated" async needsApproval output={outputs.n}>
            {one}
          </Task>
          <Task id="work" output={outputs.n}>
            {one}
          </Task>
        </Sequence>
      </Loop>
    </Workflow>
  ));

  const { result, store, runId, trace } = await runToEnd(workflow);

  expect(result).toMatchObject({ status: "waiting-approval" });
  const open = (await store.approvals({ runId, only: "open" })).map(
    ({ nodeId, iteration }) => `${nodeId}#${iteration}`,
  );
  expect(open).toEqual(["ask#2", "gated#2"]);
  expect(trace().filter((line) => line.startsWith("node.cancelled"))).toEqual(
    [0, 1].flatMap((pass) => ["ask", "hint", "gated"].map((id) => `node.cancelled ${id}#${pass}`)),
  );
  expect((await why(store, runId)).reasons.map(({ node }) => node?.iteration)).toEqual([2, 2, 2]);
  const late = { runId, nodeId: "ask", iteration: 0, decision: { verdict: "approve" }, by: "ann", atMs: 1 } as const;
  await expect(decideApproval(store, late)).rejects.toMatchObject({ code: "ASK_VOID" });
});
