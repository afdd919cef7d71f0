/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §6 about runs that go on as new ones. */
import { cancelRun, pauseRun, signalRun } from "@smooth/engine/control";
import { lineage } from "@smooth/engine/lineage";
import { lastResult } from "@smooth/engine/run";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import {
  Approval,
  ContinueAsNew,
  Loop,
  one,
  outputs,
  Parallel,
  Sequence,
  smithers,
  Subflow,
  Task,
  Timer,
  WaitForEvent,
  Workflow,
} from "../testing/rules.ts";
import { sayBefore, testEngine } from "../testing/run-in-memory.ts";

const pages = (ran: string[], last: number) => {
  const own = createSmithers({
    input: z.strictObject({ from: z.number().default(0) }),
    n: z.object({ n: z.number() }),
    output: z.object({ n: z.number() }),
  });
  return own.smithers((ctx) => {
    const { __smithersContinuation: handedOver } = ctx.input as {
      __smithersContinuation?: { payload: { page: number } };
    };
    const page = handedOver?.payload.page ?? ctx.input.from;
    return (
      <Workflow name="pages">
        <Task id="fetch" output={own.outputs.n}>
          {({ runId }) => (ran.push(`${runId} ${page}`), { n: page })}
        </Task>
        {page < last ? (
          <ContinueAsNew state={{ page: page + 1 }} />
        ) : (
          <Task id="done" output={own.outputs.output}>
            {{ n: page }}
          </Task>
        )}
        <Task id="after" output={own.outputs.n}>
          {() => (ran.push(`after ${page}`), { n: 0 })}
        </Task>
      </Workflow>
    );
  });
};

test("N1: the successor runs the same ids again, with the state, and nothing after the element runs", async () => {
  const engine = testEngine();
  const ran: string[] = [];

  const handle = await engine.start(pages(ran, 7), { input: { from: 5 } });
  const first = await handle.result;
  const last = await lastResult(handle);

  const runs = await lineage(engine.store, handle.runId);
  const [a, b, c] = runs.map(({ runId }) => runId);
  expect(first).toEqual({ status: "continued", runId: a, nextRunId: b });
  expect(last).toEqual({ status: "finished", runId: c, output: { n: 7 } });
  expect(ran).toEqual([`${a} 5`, `${b} 6`, `${c} 7`, "after 7"]);
  expect(runs.map(({ status, workflow }) => [status, workflow])).toEqual([
    ["continued", "workflow"],
    ["continued", "workflow"],
    ["finished", "workflow"],
  ]);
  expect(await lineage(engine.store, c!)).toEqual(runs);
  expect(engine.events.map((event) => `${event.runId} ${event.seq}`)).toEqual([
    ...new Set(engine.events.map((event) => `${event.runId} ${event.seq}`)),
  ]);
});

test("what runs beside it ends first, what waits is asked no more", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<{ n: number }>();
  const asksToo = smithers(() => (
    <Workflow name="asks">
      <Approval id="too" output={outputs.decision} request={{ title: "?" }} />
    </Workflow>
  ));
  const workflow = smithers((ctx) => (
    <Workflow name="beside">
      {ctx.input.__smithersContinuation ? null : (
        <Parallel>
          <Task id="slow" output={outputs.n}>
            {() => gate.promise}
          </Task>
          <Approval id="ask" output={outputs.decision} request={{ title: "?" }} />
          <Timer id="soon" duration="5s" />
          <Subflow id="child" workflow={asksToo} input={{}} output={outputs.n} />
          <ContinueAsNew />
        </Parallel>
      )}
    </Workflow>
  ));
  const handle = await engine.start(workflow);
  await engine.clock.advance(10_000);
  expect((await engine.store.run(handle.runId))?.status).toBe("running");
  gate.resolve({ n: 1 });

  expect((await lastResult(handle)).status).toBe("finished");
  expect(engine.trace().filter((line) => /ask|soon|child/.test(line) && !line.includes("opened"))).toEqual([
    "node.started child#0",
    "node.cancelled ask#0",
    "node.cancelled soon#0",
    "node.cancelled child#0",
  ]);
  const [child] = (await engine.store.runs({ parentRunId: handle.runId })).filter(
    ({ parent }) => parent?.as === "subflow",
  );
  expect(child?.status).toBe("cancelled");
  expect(engine.trace()).toContain("node.finished slow#0");
  expect(await engine.store.approvals({ only: "open" })).toEqual([]);
});

test.each([
  ["cannot be written as JSON", 1n, "INVALID_CONTINUATION_STATE"],
  ["is over 10 MB", "x".repeat(10 * 1024 * 1024), "CONTINUATION_STATE_TOO_LARGE"],
])("N3: a state that %s fails the run, and there is no successor", async (_, state, code) => {
  const engine = testEngine();
  const handle = await engine.start(
    smithers((ctx) => (
      <Workflow name="bad">{ctx.input.__smithersContinuation ? null : <ContinueAsNew state={state} />}</Workflow>
    )),
  );

  expect(await handle.result).toMatchObject({ status: "failed", error: { code } });
  expect(await engine.store.runs({})).toHaveLength(1);
});

test("N2: a loop continues as new with its counter and the latest rows of its body, inside another loop too", async () => {
  const engine = testEngine();
  const seen: string[] = [];
  const workflow = smithers((ctx) => (
    <Workflow name="loops">
      <Loop id="outer" maxIterations={2}>
        <Loop id="inner" maxIterations={5} continueAsNewEvery={2}>
          <Sequence>
            <Task id="a" output={outputs.n}>
              {({ iteration }) => {
                seen.push(
                  `${ctx.iterations["outer"] ?? 0}.${iteration} after ${ctx.latest(outputs.n, "a")?.n ?? "nothing"}`,
                );
                return { n: iteration };
              }}
            </Task>
          </Sequence>
        </Loop>
      </Loop>
    </Workflow>
  ));

  const handle = await engine.start(workflow);

  expect((await lastResult(handle)).status).toBe("finished");
  expect(await lineage(engine.store, handle.runId)).toHaveLength(5);
  expect(seen).toEqual([
    "0.0 after nothing",
    "0.1 after 0",
    "0.2 after 1",
    "0.3 after 2",
    "0.4 after 3",
    "1.0 after nothing",
    "1.1 after 0",
    "1.2 after 1",
    "1.3 after 2",
    "1.4 after 3",
  ]);
});

test("N2: signals that came early go along, each for one pass; one that a second waiter still may use is not used twice by the first", async () => {
  const engine = testEngine();
  const heard: string[] = [];
  const workflow = smithers((ctx) => {
    const hear = (id: string, skipIf: boolean) => [
      <WaitForEvent key={id} id={id} event="go" output={outputs.n} skipIf={skipIf} />,
      <Task key={`${id} heard`} id={`${id}-heard`} output={outputs.n} skipIf={skipIf}>
        {() => {
          const { n } = ctx.output(outputs.n, id);
          heard.push(`${id} ${n}`);
          return { n };
        }}
      </Task>,
    ];
    return (
      <Workflow name="early">
        <Loop id="l" until={heard.length >= 6} maxIterations={9} continueAsNewEvery={1}>
          <Sequence>
            {hear("a", false)}
            {hear("b", (ctx.iterations["l"] ?? 0) < 2)}
          </Sequence>
        </Loop>
      </Workflow>
    );
  });
  const handle = await engine.start(workflow);
  await handle.result;
  for (const n of [1, 2, 3])
    await signalRun(engine.store, { runId: handle.runId, name: "go", payload: { n }, by: "ann", atMs: 1 });
  const suspended = await lastResult(await engine.resume(workflow, handle.runId));
  expect(suspended).toMatchObject({ status: "waiting-event" });

  expect(heard).toEqual(["a 1", "a 2", "a 3", "b 1"]);
  await signalRun(engine.store, { runId: suspended.runId, name: "go", payload: { n: 4 }, by: "ann", atMs: 1 });
  await lastResult(await engine.resume(workflow, suspended.runId));
  expect(heard).toEqual(["a 1", "a 2", "a 3", "b 1", "a 4", "b 2"]);
});

const goesOnAndWaits = smithers((ctx) => (
  <Workflow name="goes on">
    {ctx.input.__smithersContinuation ? (
      <WaitForEvent id="go" event="go" output={outputs.n} />
    ) : (
      <Parallel>
        <Approval id="ask" output={outputs.decision} request={{ title: "?" }} />
        <ContinueAsNew />
      </Parallel>
    )}
  </Workflow>
));
const loopsAndWaits = smithers((ctx) => (
  <Workflow name="loops">
    <Loop id="l" until={(ctx.iterations["l"] ?? 0) > 0} maxIterations={2} continueAsNewEvery={1}>
      <Sequence>
        <Task id="work" output={outputs.n}>
          {one}
        </Task>
      </Sequence>
    </Loop>
    <WaitForEvent id="go" event="go" output={outputs.n} />
  </Workflow>
));

test.each([
  ["ContinueAsNew", goesOnAndWaits],
  ["continueAsNewEvery", loopsAndWaits],
])(
  "L7: a signal that another process sends right before the commit of %s is heard by the successor",
  async (_, flow) => {
    const engine = testEngine();
    const go = { name: "go", payload: { n: 7 }, by: "ann", atMs: 1 };
    const tries = sayBefore(engine.store, "continued", (runId) => signalRun(engine.store, { runId, ...go }));

    const last = await lastResult(await engine.start(flow));

    expect(last.status).toBe("finished");
    expect(tries()).toBe(2);
    expect(engine.trace().filter((line) => line.includes(" go#0"))).toEqual([
      "wait.opened go#0",
      "signal.used go#0",
      "node.finished go#0",
    ]);
  },
);

test("L7: a pause and a cancellation in that moment are heeded, and what waited in the run goes on waiting", async () => {
  const pausing = testEngine();
  const whom = { by: "ann", atMs: 1 };
  sayBefore(pausing.store, "continued", (runId) => pauseRun(pausing.store, { runId, ...whom }));
  const { result, runId } = await pausing.start(goesOnAndWaits);
  expect(await result).toEqual({ status: "paused", runId });
  expect(pausing.trace()).not.toContain("node.cancelled ask#0");
  expect(await pausing.store.runs({})).toHaveLength(1);
  expect(await pausing.store.approvals({ only: "open" })).toHaveLength(1);
  const resumed = await lastResult(await pausing.resume(goesOnAndWaits, runId));
  expect([resumed.status, resumed.runId === runId]).toEqual(["waiting-event", false]);

  const cancelling = testEngine();
  sayBefore(cancelling.store, "continued", (id) => cancelRun(cancelling.store, { runId: id, ...whom }));
  expect((await (await cancelling.start(goesOnAndWaits)).result).status).toBe("cancelled");
  expect(await cancelling.store.runs({})).toHaveLength(1);
});

test("N2: a timer of a loop keeps its beat over all the runs that the loop goes through", async () => {
  const engine = testEngine();
  const beganMs = engine.clock.now();
  const at: number[] = [];
  const workflow = smithers(() => (
    <Workflow name="beat">
      <Loop id="l" until={at.length === 4} maxIterations={9} continueAsNewEvery={2}>
        <Sequence>
          <Timer id="every" every="2s" />
          <Task id="work" output={outputs.n}>
            {async () => {
              at.push(engine.clock.now() - beganMs);
              await engine.clock.sleep(500);
              return { n: at.length };
            }}
          </Task>
        </Sequence>
      </Loop>
    </Workflow>
  ));
  const handle = await engine.start(workflow);
  const last = lastResult(handle);
  await engine.clock.advance(10_000);

  expect((await last).status).toBe("finished");
  expect(at).toEqual([2_000, 4_000, 6_000, 8_000]);
});

test("a successor that its process let go of is resumed like any run", async () => {
  const engine = testEngine();
  const ran: string[] = [];
  const workflow = pages(ran, 1);
  const handle = await engine.start(workflow, { input: {} });
  await handle.result;
  handle.release();
  const next = await handle.next;
  expect((await next?.result)?.status).toBe("released");

  const resumed = await engine.resume(workflow, next!.runId);

  expect((await lastResult(resumed)).status).toBe("finished");
  expect(ran.filter((line) => line.startsWith("after"))).toEqual(["after 1"]);
});

test("cancelling the first run's handle cancels the run it continued as", async () => {
  const engine = testEngine();
  const workflow = smithers((ctx) => (
    <Workflow name="cancel">
      {ctx.input.__smithersContinuation ? (
        <Task id="forever" output={outputs.n}>
          {() => new Promise<{ n: number }>(() => {})}
        </Task>
      ) : (
        <Sequence>
          <Task id="a" output={outputs.n}>
            {one}
          </Task>
          <ContinueAsNew state={1} />
        </Sequence>
      )}
    </Workflow>
  ));
  const handle = await engine.start(workflow);
  const next = await handle.next;
  handle.cancel();
  await engine.clock.advance(5_000);

  expect(await next?.result).toMatchObject({ status: "cancelled" });
  expect(await engine.store.run(next!.runId)).toMatchObject({ status: "cancelled", parent: { as: "continuation" } });
});
