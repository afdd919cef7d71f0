/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §5 about signals. */
import { findResumable, signalRun, type SendSignal } from "@smooth/engine/control";
import { settle } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { OWNER, runToEnd, testEngine } from "../testing/run-in-memory.ts";

const { Workflow, Sequence, Parallel, Loop, Task, Signal, WaitForEvent, smithers, outputs } = createSmithers({
  n: z.object({ n: z.number() }),
  even: z.object({ n: z.number().refine((n) => n % 2 === 0, "odd") }),
  text: z.object({ text: z.string() }),
});
const go = (id: string, props: object = {}) => (
  <WaitForEvent key={id} id={id} event="go" output={outputs.n} {...props} />
);
const flow = (...nodes: readonly React.ReactElement[]) => smithers(() => <Workflow name="flow">{nodes}</Workflow>);
const say = (
  <Task key="after" id="after" output={outputs.text}>
    {() => ({ text: "after" })}
  </Task>
);

function signalling() {
  const engine = testEngine();
  const send = (payload: unknown, more: Partial<SendSignal> = {}): ReturnType<typeof signalRun> =>
    signalRun(engine.store, { runId: "r", name: "go", payload: payload as never, by: "ann", atMs: 1, ...more });
  const run = async (workflow: ReturnType<typeof smithers>) => (await engine.start(workflow, { runId: "r" })).result;
  const resume = async (workflow: ReturnType<typeof smithers>) => (await engine.resume(workflow, "r")).result;
  const due = () => findResumable(engine.store, { isAlive: () => true, host: OWNER.host, nowMs: engine.clock.now() });
  const rows = async () =>
    (await engine.store.outputs("r", workflowTable)).map(({ nodeId, iteration, cells }) => [
      nodeId,
      iteration,
      cells[0],
    ]);
  return { ...engine, send, run, resume, due, rows };
}
const workflowTable = flow(go("w")).registry.tables.find(({ name }) => name === "n")!;

describe("delivery", () => {
  test("a run that waits for a signal suspends; the signal wakes it and is its output", async () => {
    const engine = signalling();
    const workflow = flow(go("w"), say);
    expect(await engine.run(workflow)).toMatchObject({ status: "waiting-event", wakeAtMs: null });
    expect(await engine.due()).toEqual([]);

    await engine.send({ n: 7 });

    expect(await engine.due()).toMatchObject([{ run: { runId: "r" }, because: "due" }]);
    expect((await engine.resume(workflow)).status).toBe("finished");
    expect(await engine.rows()).toEqual([["w", 0, 7]]);
  });

  test("who sends one that nothing waits for learns what is waited for", async () => {
    const engine = signalling();
    const of = (id: string, correlationId: string) => go(id, { event: "paid", correlationId });
    const workflow = flow(<Parallel key="p">{[go("a"), go("b"), of("c", "1"), of("d", "2")]}</Parallel>);
    await engine.run(workflow);
    const waitedFor = [
      { name: "go", correlationId: null },
      { name: "paid", correlationId: "1" },
      { name: "paid", correlationId: "2" },
    ];

    expect(await engine.send({ n: 1 })).toEqual({ waiters: ["a", "b"], waitedFor });
    expect(await engine.send({ n: 1 }, { name: "payd" })).toEqual({ waiters: [], waitedFor });
    expect(await engine.send({ n: 1 }, { name: "paid" })).toEqual({ waiters: [], waitedFor });
    expect((await engine.store.events("r", 0)).filter(({ type }) => type === "signal.received")).toHaveLength(3);
  });

  test("a signal that comes before its waiter is kept for it", async () => {
    const engine = signalling();
    const gate = Promise.withResolvers<{ text: string }>();
    const first = (
      <Task key="first" id="first" output={outputs.text}>
        {() => gate.promise}
      </Task>
    );
    const handle = await engine.start(flow(first, go("w")), { runId: "r" });
    await settle();
    await engine.send({ n: 1 });
    gate.resolve({ text: "" });

    expect((await handle.result).status).toBe("finished");
    expect(await engine.rows()).toEqual([["w", 0, 1]]);
  });

  test("one that comes while the process lives is taken at once", async () => {
    const engine = signalling();
    const gate = Promise.withResolvers<{ text: string }>();
    const beside = (
      <Task key="beside" id="beside" output={outputs.text}>
        {() => gate.promise}
      </Task>
    );
    const handle = await engine.start(flow(<Parallel key="p">{[go("w"), beside]}</Parallel>), { runId: "r" });
    await settle();
    await engine.send({ n: 1 });
    await settle();
    expect(engine.trace()).toContain("node.finished w#0");

    gate.resolve({ text: "" });
    expect((await handle.result).status).toBe("finished");
    expect(engine.events.map(({ seq }) => seq)).toEqual(engine.events.map((_, at) => at + 1));
  });

  test("G1: a duplicate waits for the next pass, and every waiter of its own name gets it", async () => {
    const engine = signalling();
    const workflow = smithers((ctx) => (
      <Workflow name="passes">
        <Loop id="l" until={ctx.iterationCount(outputs.n, "w") >= 3}>
          {go("w")}
        </Loop>
        {go("other")}
      </Workflow>
    ));
    await engine.run(workflow);
    await engine.send({ n: 1 });
    await engine.send({ n: 2 });
    expect((await engine.resume(workflow)).status).toBe("waiting-event");
    expect(await engine.rows()).toEqual([
      ["w", 0, 1],
      ["w", 1, 2],
    ]);

    await engine.send({ n: 3 });
    expect((await engine.resume(workflow)).status).toBe("finished");
    expect((await engine.rows()).slice(2)).toEqual([
      ["w", 2, 3],
      ["other", 0, 1],
    ]);
  });

  test("G1: a signal that was used in one pass of an outer loop is not taken again in the next", async () => {
    const engine = signalling();
    const workflow = smithers((ctx) => (
      <Workflow name="nested">
        <Loop id="outer" until={ctx.outputs.n.length >= 2}>
          <Loop id="inner" maxIterations={1}>
            {go("w")}
          </Loop>
        </Loop>
      </Workflow>
    ));
    await engine.run(workflow);
    await engine.send({ n: 1 });

    expect((await engine.resume(workflow)).status).toBe("waiting-event");
    expect(await engine.rows()).toEqual([["w@@outer=0", 0, 1]]);
  });

  test("G2: the correlation must be the very same", async () => {
    const engine = signalling();
    const workflow = flow(<Parallel key="p">{[go("a", { correlationId: "A" }), go("none")]}</Parallel>);
    await engine.run(workflow);

    await engine.send({ n: 1 }, { correlationId: "B" });
    expect((await engine.resume(workflow)).status).toBe("waiting-event");
    await engine.send({ n: 2 }, { correlationId: "A" });
    expect(await engine.resume(workflow)).toMatchObject({ waiting: [{ nodeId: "none" }] });
    await engine.send({ n: 3 });
    expect((await engine.resume(workflow)).status).toBe("finished");

    expect((await engine.rows()).map((row) => row.join())).toEqual(["a,0,2", "none,0,3"]);
  });
});

describe("payloads", () => {
  test("a present waiter's schema is checked when the signal is sent", async () => {
    const engine = signalling();
    await engine.run(flow(go("w")));

    await expect(engine.send({ n: "x" })).rejects.toMatchObject({ code: "INVALID_INPUT" });
    expect(await engine.due()).toEqual([]);
  });

  test("G3: one that turns out not to fit is put aside with its error, and the waiter goes on waiting", async () => {
    const engine = signalling();
    const workflow = flow(<WaitForEvent key="w" id="w" event="go" output={outputs.even} />);
    await engine.run(workflow);
    await engine.send({ n: 1 }); // what JSON Schema cannot say

    expect((await engine.resume(workflow)).status).toBe("waiting-event");
    const rejected = engine.events.filter((event) => event.type === "signal.rejected");
    expect(rejected).toMatchObject([{ nodeId: "w", signal: 0, error: { code: "INVALID_INPUT" } }]);
    await engine.send({ n: 2 });
    expect((await engine.resume(workflow)).status).toBe("finished");
    expect(engine.events.filter((event) => event.type === "signal.rejected")).toHaveLength(1);
  });

  test("too much is refused, and so is a run that is over or unknown", async () => {
    const engine = signalling();
    await engine.run(flow(say));

    await expect(engine.send({ n: 1 })).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
    await expect(engine.send({ n: 1 }, { runId: "none" })).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
    await expect(engine.send("é".repeat(600_000))).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  });
});

describe("time", () => {
  const dependent = (
    <Task key="dep" id="dep" output={outputs.text} dependsOn={["w"]}>
      {() => ({ text: "dep" })}
    </Task>
  );
  test.each([
    ["fail", "failed", []],
    ["skip", "finished", ["node.skipped w#0", "node.skipped dep#0", "node.finished after#0"]],
    ["continue", "finished", ["node.finished w#0", "node.finished dep#0", "node.finished after#0"]],
  ] as const)("onTimeout %s ends %s", async (onTimeout, status, ended) => {
    const engine = signalling();
    const workflow = flow(go("w", { timeoutMs: 60_000, onTimeout }), dependent, say);
    expect(await engine.run(workflow)).toMatchObject({ wakeAtMs: engine.clock.now() + 60_000 });
    await engine.clock.advance(60_000);

    const result = await engine.resume(workflow);

    expect(result.status).toBe(status);
    const error = result.status === "failed" ? result.error.code : undefined;
    expect(error).toBe(onTimeout === "fail" ? "TASK_TIMEOUT" : undefined);
    expect(engine.trace().filter((line) => /node\.(finished|skipped)/.test(line))).toEqual(ended);
  });

  test("T4: a dep that finished without a row fails its task at once, and says how to go without", async () => {
    const engine = signalling();
    const needy = (
      <Task key="dep" id="dep" output={outputs.text} deps={{ w: outputs.n }}>
        {({ w }) => ({ text: String(w.n) })}
      </Task>
    );
    const workflow = flow(go("w", { timeoutMs: 60_000, onTimeout: "continue" }), needy);
    await engine.run(workflow);
    await engine.clock.advance(60_000);

    expect(await engine.resume(workflow)).toMatchObject({
      status: "failed",
      error: {
        code: "INVALID_INPUT",
        nodeId: "dep",
        message: expect.stringContaining("node w has finished without a row"),
      },
    });
  });

  test("a signal that came before its time ran out wins, even when the run wakes later", async () => {
    const engine = signalling();
    const workflow = flow(go("w", { timeoutMs: 60_000 }));
    await engine.run(workflow);
    await engine.send({ n: 1 });
    await engine.clock.advance(120_000);

    expect((await engine.resume(workflow)).status).toBe("finished");
  });
});

test("async: what comes after goes on, what depends on it waits", async () => {
  const engine = signalling();
  const dependent = (
    <Task key="d" id="d" output={outputs.text} needs={{ w: "w" }}>
      {() => ({ text: "" })}
    </Task>
  );
  const workflow = flow(<Parallel key="p">{[go("w", { async: true }), dependent]}</Parallel>, say);
  const sequential = flow(go("w", { async: true }), say);
  expect((await engine.run(workflow)).status).toBe("waiting-event");
  expect(engine.trace()).not.toContain("node.started d#0");
  const run = await runToEnd(sequential);
  expect(run.result.status).toBe("waiting-event");
  expect(run.trace()).toContain("node.finished after#0");

  await engine.send({ n: 1 });
  expect((await engine.resume(workflow)).status).toBe("finished");
});

test("Signal: its children are mounted once the payload is there", async () => {
  const engine = signalling();
  const workflow = smithers(() => (
    <Workflow name="signal">
      <Sequence>
        <Signal id="go" schema={outputs.n}>
          {(data) => (
            <Task id="then" output={outputs.text}>
              {{ text: `n is ${data.n}` }}
            </Task>
          )}
        </Signal>
      </Sequence>
    </Workflow>
  ));
  await engine.run(workflow);
  await engine.send({ n: 4 });

  expect((await engine.resume(workflow)).status).toBe("finished");
  const then = await engine.store.outputs(
    "r",
    workflow.registry.tables.find(({ name }) => name === "text")!,
  );
  expect(then.map(({ cells }) => cells[0])).toEqual(["n is 4"]);
});
