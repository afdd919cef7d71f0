/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §1 to §3, each seen from outside. */
import { useState } from "react";
import { cancelRun, decideApproval, findResumable } from "@smooth/engine/control";
import type { GenerateArgs, TaskContext } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { approvalDecisionSchema, approvalSelectionSchema, createSmithers } from "./create-smithers.ts";
import { OWNER, runToEnd, testEngine } from "./testing/run-in-memory.ts";

const { Workflow, Task, Sequence, Parallel, Loop, Approval, smithers, outputs, useCtx } = createSmithers({
  n: z.object({ n: z.number() }),
  text: z.object({ text: z.string() }),
  decision: approvalDecisionSchema,
  choice: approvalSelectionSchema,
});
const one = () => ({ n: 1 });
const never = () => new Promise<{ n: number }>(() => {});

describe("identity", () => {
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

  test("X1: two elements with one id are refused before anything runs", async () => {
    const workflow = smithers(() => (
      <Workflow name="twice">
        <Task id="a" output={outputs.n}>
          {one}
        </Task>
        <Loop id="a">
          <Task id="b" output={outputs.n}>
            {one}
          </Task>
        </Loop>
      </Workflow>
    ));

    const run = await runToEnd(workflow);

    expect(run.result).toMatchObject({ status: "failed", error: { code: "DUPLICATE_ID" } });
    expect(run.trace()).toEqual([]);
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

  test("a node that leaves the tree while it runs is finished and stored", async () => {
    const gate = Promise.withResolvers<void>();
    const workflow = smithers((ctx) => (
      <Workflow name="leaves">
        <Parallel>
          <Task id="fast" output={outputs.text}>
            {() => ({ text: "x" })}
          </Task>
          {ctx.outputMaybe(outputs.text, "fast") ? null : (
            <Task id="slow" output={outputs.n}>
              {() => gate.promise.then(one)}
            </Task>
          )}
          {ctx.outputMaybe(outputs.text, "fast") ? (
            <Task id="last" output={outputs.text}>
              {() => (gate.resolve(), { text: "y" })}
            </Task>
          ) : null}
        </Parallel>
      </Workflow>
    ));

    const run = await runToEnd(workflow);

    expect(run.result.status).toBe("finished");
    expect(run.trace()).toContain("node.finished slow#0");
  });

  test("outputs are matched by name too: a ref from another copy of the module works", async () => {
    const copy = createSmithers({ n: z.object({ n: z.number() }) });
    const workflow = smithers(() => (
      <Workflow name="copies">
        <Task id="a" output={copy.outputs.n}>
          {one}
        </Task>
        <Task id="b" output="n">
          {one}
        </Task>
      </Workflow>
    ));

    expect((await runToEnd(workflow)).result.status).toBe("finished");
  });

  test("an output that is no schema of the workflow is refused", async () => {
    const workflow = smithers(() => (
      <Workflow name="unknown">
        <Task id="a" output="nope">
          {() => ({})}
        </Task>
      </Workflow>
    ));

    expect((await runToEnd(workflow)).result).toMatchObject({
      status: "failed",
      error: { code: "UNKNOWN_OUTPUT_SCHEMA" },
    });
  });
});

describe("scheduling", () => {
  test.each([
    [undefined, 4],
    [2, 2],
    [2.9, 2],
    [0, 4],
    [Number.NaN, 4],
  ])("a Parallel with maxConcurrency %s runs %i of 6 at once", async (cap, expected) => {
    let running = 0;
    let most = 0;
    const body = async () => {
      most = Math.max(most, (running += 1));
      await settle();
      running -= 1;
      return { n: 1 };
    };
    const workflow = smithers(() => (
      <Workflow name="caps">
        <Parallel {...(cap === undefined ? {} : { maxConcurrency: cap })}>
          {[1, 2, 3, 4, 5, 6].map((at) => (
            <Task key={at} id={`t${at}`} output={outputs.n}>
              {body}
            </Task>
          ))}
        </Parallel>
      </Workflow>
    ));

    await runToEnd(workflow);

    expect(most).toBe(expected);
  });

  test("dependsOn, needs and deps are all edges", async () => {
    const workflow = smithers(() => (
      <Workflow name="edges">
        <Parallel>
          <Task id="c" output={outputs.n} deps={{ up: outputs.n }} needs={{ up: "b" }}>
            {(deps) => ({ n: deps.up.n + 1 })}
          </Task>
          <Task id="b" output={outputs.n} dependsOn={["a"]}>
            {{ n: 10 }}
          </Task>
          <Task id="a" output={outputs.n}>
            {one}
          </Task>
        </Parallel>
      </Workflow>
    ));

    const run = await runToEnd(workflow);

    expect(run.trace().filter((line) => line.startsWith("node.finished"))).toEqual(
      ["a#0", "b#0", "c#0"].map((id) => `node.finished ${id}`),
    );
  });

  test("a dependency that never mounts ends the run as a deadlock that names both", async () => {
    const workflow = smithers(() => (
      <Workflow name="deadlock">
        <Task id="a" output={outputs.n} dependsOn={["ghost"]}>
          {one}
        </Task>
      </Workflow>
    ));

    const { result } = await runToEnd(workflow);

    expect(result).toMatchObject({
      status: "failed",
      error: { code: "DEPENDENCY_DEADLOCK", message: "a::0 waits for ghost::0 (never mounted)" },
    });
  });

  test("L4: a failing task stops its siblings at once, and the result lists what failed", async () => {
    let aborted = false;
    const workflow = smithers(() => (
      <Workflow name="fails">
        <Parallel>
          <Task id="bad" output={outputs.n} noRetry>
            {() => {
              throw new Error("no luck");
            }}
          </Task>
          <Task id="sibling" output={outputs.n}>
            {({ signal }: TaskContext) =>
              new Promise<{ n: number }>((_, reject) =>
                signal.addEventListener("abort", () => ((aborted = true), reject(signal.reason as Error))),
              )
            }
          </Task>
        </Parallel>
        <Task id="later" output={outputs.n}>
          {one}
        </Task>
      </Workflow>
    ));

    const run = await runToEnd(workflow);

    expect(run.result).toMatchObject({
      status: "failed",
      error: { code: "TASK_FAILED", message: "no luck", nodeId: "bad" },
      failedChildren: [{ nodeId: "bad" }],
    });
    expect(aborted).toBe(true);
    expect(run.trace().slice(2)).toEqual(["node.failed bad#0", "node.cancelled sibling#0"]);
  });

  test("a body that ignores its abort does not hold the end of the run", async () => {
    const engine = testEngine();
    const handle = await engine.start(
      smithers(() => (
        <Workflow name="stubborn">
          <Task id="a" output={outputs.n}>
            {never}
          </Task>
        </Workflow>
      )),
    );
    await settle();
    handle.cancel();
    await engine.clock.advance(5_000);

    expect(await handle.result).toEqual({ status: "cancelled", runId: handle.runId });
    expect(engine.trace().at(-1)).toBe("node.cancelled a#0");
  });

  test("continueOnFail is terminal: the sequence goes on", async () => {
    const workflow = smithers(() => (
      <Workflow name="continues">
        <Task id="bad" output={outputs.n} retries={0} continueOnFail>
          {() => Promise.reject(new Error("no"))}
        </Task>
        <Task id="next" output={outputs.n}>
          {one}
        </Task>
      </Workflow>
    ));

    const run = await runToEnd(workflow);

    expect(run.result.status).toBe("finished");
    expect(run.trace()).toContain("node.finished next#0");
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("boom");
      },
    ],
    [
      "throws a promise",
      () => {
        // oxlint-disable-next-line typescript/only-throw-error -- how React components suspend
        throw Promise.resolve();
      },
    ],
  ])("a frame that %s is WORKFLOW_RENDER_FAILED", async (_, Bad) => {
    const Broken = Bad as () => null;

    const { result } = await runToEnd(
      smithers(() => (
        <Workflow name="broken">
          <Broken />
        </Workflow>
      )),
    );

    expect(result).toMatchObject({ status: "failed", error: { code: "WORKFLOW_RENDER_FAILED" } });
  });

  test("rendering always or only when something read has changed gives the same events", async () => {
    const workflow = smithers((ctx) => (
      <Workflow name="same">
        <Loop id="l" until={ctx.iterationCount(outputs.n, "a") >= 3}>
          <Parallel>
            <Task id="a" output={outputs.n}>
              {() => ({ n: ctx.iteration })}
            </Task>
            <Task id="b" output={outputs.text} skipIf={ctx.iteration === 1}>
              {() => ({ text: String(ctx.outputs.n.length) })}
            </Task>
          </Parallel>
        </Loop>
      </Workflow>
    ));

    const [tracked, always] = await Promise.all([runToEnd(workflow), runToEnd(workflow, { render: "always" })]);

    expect(tracked.events).toEqual(always.events);
    expect(tracked.events.length).toBeGreaterThan(10);
  });

  test("hooks work, and a custom component in a loop sees that loop's iteration", async () => {
    const Tick = () => {
      const ctx = useCtx();
      const [first] = useState(ctx.iteration);
      return (
        <Task id="tick" output={outputs.text}>
          {{ text: `${first}:${ctx.iteration}` }}
        </Task>
      );
    };
    const run = await runToEnd(
      smithers(() => (
        <Workflow name="hooks">
          <Loop id="l" maxIterations={2}>
            <Tick />
          </Loop>
        </Workflow>
      )),
    );

    const events = run.trace().filter((line) => line.startsWith("node.finished"));

    expect(events).toEqual(["node.finished tick#0", "node.finished tick#1"]);
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
});

describe("tasks", () => {
  test("retries wait with exponential backoff, and the wake time is recorded", async () => {
    const engine = testEngine();
    const attempts: number[] = [];
    const workflow = smithers(() => (
      <Workflow name="retries">
        <Task id="a" output={outputs.n} retryPolicy={{ backoff: "exponential", initialDelayMs: 100 }}>
          {({ attempt }: TaskContext) => {
            attempts.push(engine.clock.now());
            if (attempt < 4) throw new Error("not yet");
            return { n: attempt };
          }}
        </Task>
      </Workflow>
    ));
    const startMs = engine.clock.now();
    const handle = await engine.start(workflow);
    await engine.clock.advance(10_000);

    expect((await handle.result).status).toBe("finished");
    expect(attempts.map((atMs) => atMs - startMs)).toEqual([0, 100, 300, 700]);
    expect(
      engine.events.flatMap((event) => (event.type === "node.failed" ? [event.retryAtMs! - startMs] : [])),
    ).toEqual([100, 300, 700]);
  });

  test("a resumed run keeps the backoff that was recorded", async () => {
    const engine = testEngine();
    const ranAtMs: number[] = [];
    const workflow = smithers(() => (
      <Workflow name="backoff">
        <Task id="a" output={outputs.n} retryPolicy={{ backoff: "fixed", initialDelayMs: 60_000 }}>
          {({ attempt }: TaskContext) => {
            ranAtMs.push(engine.clock.now());
            if (attempt === 1) throw new Error("later");
            return { n: attempt };
          }}
        </Task>
      </Workflow>
    ));
    const first = await engine.start(workflow);
    await engine.clock.advance(20_000);
    first.release();
    expect(await first.result).toEqual({ status: "released", runId: first.runId });

    const second = await engine.resume(workflow, first.runId);
    await engine.clock.advance(60_000);

    expect((await second.result).status).toBe("finished");
    expect((ranAtMs[1] ?? 0) - (ranAtMs[0] ?? 0)).toBe(60_000);
  });

  test("T2: a compute output that does not fit is INVALID_OUTPUT and not tried again", async () => {
    const workflow = smithers(() => (
      <Workflow name="invalid">
        <Task id="a" output="n">
          {() => ({ n: "text" })}
        </Task>
      </Workflow>
    ));

    const run = await runToEnd(workflow);

    expect(run.result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
    expect(run.trace()).toEqual(["node.started a#0", "node.failed a#0"]);
  });

  test("T1: timeoutMs is a hard race", async () => {
    const engine = testEngine();
    let reason: unknown;
    const handle = await engine.start(
      smithers(() => (
        <Workflow name="timeout">
          <Task id="a" output={outputs.n} timeoutMs={1_000} retries={0}>
            {({ signal }: TaskContext) => {
              signal.addEventListener("abort", () => (reason = signal.reason));
              return never();
            }}
          </Task>
        </Workflow>
      )),
    );
    await engine.clock.advance(1_000);

    expect(await handle.result).toMatchObject({ status: "failed", error: { code: "TASK_TIMEOUT" } });
    expect(reason).toMatchObject({ code: "TASK_TIMEOUT" });
  });

  test("a silent task loses at heartbeatTimeoutMs; the last heartbeat reaches the next attempt", async () => {
    const engine = testEngine();
    const seen: unknown[] = [];
    const workflow = smithers(() => (
      <Workflow name="heartbeat">
        <Task
          id="a"
          output={outputs.n}
          heartbeatTimeoutMs={1_000}
          retryPolicy={{ backoff: "fixed", initialDelayMs: 10 }}
        >
          {async ({ attempt, heartbeat, lastHeartbeat }: TaskContext) => {
            seen.push(lastHeartbeat);
            if (attempt === 2) return { n: 2 };
            await engine.clock.sleep(800);
            heartbeat({ page: 3 });
            return never();
          }}
        </Task>
      </Workflow>
    ));
    const handle = await engine.start(workflow);
    await engine.clock.advance(5_000);

    expect((await handle.result).status).toBe("finished");
    expect(seen).toEqual([null, { page: 3 }]);
    expect(await engine.store.heartbeats(handle.runId)).toEqual([{ nodeId: "a", iteration: 0, payload: { page: 3 } }]);
    expect(engine.events.find((event) => event.type === "node.failed")).toMatchObject({
      error: { code: "TASK_HEARTBEAT_TIMEOUT" },
    });
  });

  test("a prop that is not implemented is refused by name", async () => {
    const Odd = Task as unknown as (props: Record<string, unknown>) => React.ReactElement;

    const { result } = await runToEnd(
      smithers(() => (
        <Workflow name="odd">
          <Odd id="a" output={outputs.n} cache={{ version: "1" }}>
            {{ n: 1 }}
          </Odd>
        </Workflow>
      )),
    );

    expect(result).toMatchObject({
      status: "failed",
      error: { code: "PROP_UNSUPPORTED", message: expect.stringContaining("`cache`") },
    });
  });

  test("a text child without an agent is refused with a hint", async () => {
    const { result } = await runToEnd(
      smithers(() => (
        <Workflow name="text">
          <Task id="a" output={outputs.n}>
            Please count.
          </Task>
        </Workflow>
      )),
    );

    expect(result).toMatchObject({
      status: "failed",
      error: { code: "INVALID_INPUT", message: expect.stringContaining("agent") },
    });
  });
});

describe("agents", () => {
  const agent = (...answers: readonly unknown[]) => {
    const asked: GenerateArgs[] = [];
    const generate = async (args: GenerateArgs): Promise<unknown> => {
      asked.push(args);
      const answer = answers[asked.length - 1] ?? answers.at(-1);
      if (answer instanceof Error) throw answer;
      return answer;
    };
    return { asked, generate };
  };
  const asks = (by: ReturnType<typeof agent> | ReturnType<typeof agent>[]) =>
    smithers(() => (
      <Workflow name="agent">
        <Task id="a" output={outputs.text} agent={by} retries={0}>
          {"  Say  it.\n"}
        </Task>
      </Workflow>
    ));

  test.each([
    ["native output", { output: { text: "hi" } }],
    ["whole text", { text: '{"text":"hi"}' }],
    ["the last json fence", '```json\n{"text":"no"}\n```\nor better\n```json\n{"text":"hi"}\n```'],
    ["the last balanced object", 'I think {"text":"no"} or {"text":"h{i"} .'.replace("h{i", "hi")],
  ])("reads %s", async (_, answer) => {
    const one = agent(answer);

    const run = await runToEnd(asks(one));

    expect(run.result.status).toBe("finished");
    expect(one.asked).toHaveLength(1);
  });

  test("A1: the prompt arrives byte for byte, with the JSON Schema after it", async () => {
    const one = agent({ output: { text: "hi" } });
    await runToEnd(asks(one));

    expect(one.asked[0]?.prompt.startsWith("  Say  it.\n\n\n")).toBe(true);
    expect(one.asked[0]?.prompt).toContain('"properties":{"text":{"type":"string"}}');
  });

  test("A2: a wrong shape is corrected in the same conversation, at most three times, and is not a retry", async () => {
    const good = agent(
      { output: { wrong: 1 } },
      { output: { wrong: 2 } },
      { output: { wrong: 3 } },
      { output: { text: "hi" } },
    );
    const bad = agent({ output: { wrong: 1 } });

    expect((await runToEnd(asks(good))).result.status).toBe("finished");
    expect(good.asked[3]?.conversation).toHaveLength(6);
    expect((await runToEnd(asks(bad))).result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
    expect(bad.asked).toHaveLength(4);
  });

  test("no JSON at all gets one JSON-only follow-up", async () => {
    const one = agent("Sure! Done.", '{"text":"hi"}');
    const mute = agent("Sure!");

    expect((await runToEnd(asks(one))).result.status).toBe("finished");
    expect((await runToEnd(asks(mute))).result.status).toBe("failed");
    expect(mute.asked).toHaveLength(2);
  });

  test("the next agent of a chain is tried on failure even without retries", async () => {
    const first = agent(new Error("down"));
    const second = agent({ output: { text: "hi" } });

    expect((await runToEnd(asks([first, second]))).result.status).toBe("finished");
    expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
  });
});

describe("approvals", () => {
  const gated = (onDeny: "fail" | "continue" | "skip") =>
    smithers((ctx) => (
      <Workflow name="gated">
        <Parallel>
          <Approval
            id="ask"
            output={outputs.decision}
            request={{ title: "Go?" }}
            onDeny={onDeny}
            allowedUsers={["ann"]}
          />
          <Approval
            id="other"
            output={outputs.choice}
            mode="select"
            options={[{ key: "x", label: "X" }]}
            request={{ title: "Which?" }}
          />
        </Parallel>
        <Task id="dependent" output={outputs.n} dependsOn={["ask"]}>
          {one}
        </Task>
        <Task id="after" output={outputs.text}>
          {() => ({ text: String(ctx.outputMaybe(outputs.decision, "ask")?.approved) })}
        </Task>
      </Workflow>
    ));
  const choose = {
    nodeId: "other",
    iteration: 0,
    decision: { verdict: "approve", selected: "x" },
    by: "bob",
    atMs: 1,
  } as const;

  test.each([
    ["fail", "failed", []],
    ["continue", "finished", ["node.finished dependent#0", "node.finished after#0"]],
    ["skip", "finished", ["node.skipped dependent#0", "node.finished after#0"]],
  ] as const)("onDeny %s ends %s", async (onDeny, status, tail) => {
    const engine = testEngine();
    const { runId, result } = await engine.start(gated(onDeny));
    expect(await result).toMatchObject({
      status: "waiting-approval",
      waiting: [{ nodeId: "ask" }, { nodeId: "other" }],
    });
    await decideApproval(engine.store, { ...choose, runId });
    await decideApproval(engine.store, {
      runId,
      nodeId: "ask",
      iteration: 0,
      decision: { verdict: "deny" },
      by: "ann",
      atMs: 1,
    });

    const resumed = await engine.resume(gated(onDeny), runId);

    expect((await resumed.result).status).toBe(status);
    expect(engine.trace().filter((line) => /(finished|skipped) (dependent|after)/.test(line))).toEqual(tail);
  });

  test("a decision by the wrong person, of an unknown option, or a second one is refused; the first stays", async () => {
    const engine = testEngine();
    const { runId, result } = await engine.start(gated("fail"));
    await result;
    const ask = { runId, nodeId: "ask", iteration: 0, decision: { verdict: "approve" }, atMs: 1 } as const;

    await expect(decideApproval(engine.store, { ...ask, by: "bob" })).rejects.toMatchObject({ code: "POLICY_DENIED" });
    await expect(
      decideApproval(engine.store, { ...choose, runId, decision: { verdict: "approve", selected: "y" } }),
    ).rejects.toMatchObject({ code: "INVALID_INPUT" });
    await expect(decideApproval(engine.store, { ...ask, nodeId: "ghost", by: "ann" })).rejects.toMatchObject({
      code: "ASK_NOT_FOUND",
    });
    await decideApproval(engine.store, { ...ask, by: "ann" });
    await expect(
      decideApproval(engine.store, { ...ask, decision: { verdict: "deny" }, by: "ann" }),
    ).rejects.toMatchObject({ code: "ALREADY_DECIDED", details: { by: "ann" } });

    expect((await engine.store.approvals({ runId }))[0]?.decided).toMatchObject({
      decision: { verdict: "approve" },
      by: "ann",
    });
  });

  test("a decision while the run is alive is applied at once, and its event is delivered in order", async () => {
    const engine = testEngine();
    const gate = Promise.withResolvers<void>();
    const handle = await engine.start(
      smithers((ctx) => (
        <Workflow name="alive">
          <Parallel>
            <Task id="slow" output={outputs.n}>
              {() => gate.promise.then(one)}
            </Task>
            <Sequence>
              <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} />
              <Task id="then" output={outputs.text}>
                {() => (gate.resolve(), { text: ctx.runId })}
              </Task>
            </Sequence>
          </Parallel>
        </Workflow>
      )),
    );
    await settle();
    await decideApproval(engine.store, {
      runId: handle.runId,
      nodeId: "ask",
      iteration: 0,
      decision: { verdict: "approve" },
      by: "ann",
      atMs: 1,
    });

    expect((await handle.result).status).toBe("finished");
    expect(engine.events.map((event) => event.seq)).toEqual(engine.events.map((_, at) => at + 1));
    expect(engine.events.map((event) => event.type)).toContain("approval.decided");
  });

  test("an async approval does not hold back what comes after it", async () => {
    const run = await runToEnd(
      smithers(() => (
        <Workflow name="async">
          <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} async />
          <Task id="after" output={outputs.n}>
            {one}
          </Task>
        </Workflow>
      )),
    );

    expect(run.result.status).toBe("waiting-approval");
    expect(run.trace()).toContain("node.finished after#0");
  });

  test("the supervisor sees a suspended run only once its approval is decided", async () => {
    const engine = testEngine();
    const workflow = gated("continue");
    const { runId, result } = await engine.start(workflow);
    await result;
    const check = { isAlive: () => true, host: OWNER.host, nowMs: engine.clock.now() };
    expect(await findResumable(engine.store, check)).toEqual([]);

    await decideApproval(engine.store, { ...choose, runId });

    expect(await findResumable(engine.store, check)).toMatchObject([{ run: { runId }, because: "decided" }]);
    expect(await (await engine.resume(workflow, runId)).result).toMatchObject({
      status: "waiting-approval",
      waiting: [{ nodeId: "ask" }],
    });
    expect(await findResumable(engine.store, check)).toEqual([]);
  });
});

describe("ownership", () => {
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

  test("input is parsed with defaults, bounded and frozen", async () => {
    const own = createSmithers({
      input: z.object({ n: z.number().default(3), list: z.array(z.number()).default([]) }),
      n: z.object({ n: z.number() }),
    });
    const frozen: boolean[] = [];
    const workflow = own.smithers((ctx) => {
      frozen.push(Object.isFrozen(ctx.input) && Object.isFrozen(ctx.input.list));
      return (
        <Workflow name="input">
          <Task id="a" output={own.outputs.n}>
            {{ n: ctx.input.n }}
          </Task>
        </Workflow>
      );
    });

    expect((await runToEnd(workflow)).result.status).toBe("finished");
    expect(frozen).toEqual([true]);
    await expect(runToEnd(workflow, { input: { n: "x" } })).rejects.toMatchObject({ code: "INVALID_INPUT" });
    await expect(runToEnd(workflow, { input: { text: "x".repeat(1024 * 1024) } })).rejects.toMatchObject({
      code: "INVALID_INPUT",
    });
    await expect(runToEnd(workflow, { input: [] })).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });
});
