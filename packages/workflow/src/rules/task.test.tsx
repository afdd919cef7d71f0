/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §3 about attempts: retries, deadlines, heartbeats, refusals. */
import type { TaskContext } from "@smooth/engine/task";
import { expect, test } from "vitest";
import { Workflow, Task, smithers, outputs, never } from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

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
  expect(engine.events.flatMap((event) => (event.type === "node.failed" ? [event.retryAtMs! - startMs] : []))).toEqual([
    100, 300, 700,
  ]);
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
      <Task id="a" output={outputs.n} heartbeatTimeoutMs={1_000} retryPolicy={{ backoff: "fixed", initialDelayMs: 10 }}>
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
        <Odd id="a" output={outputs.n} colour="red">
          {{ n: 1 }}
        </Odd>
      </Workflow>
    )),
  );

  expect(result).toMatchObject({
    status: "failed",
    error: { code: "PROP_UNSUPPORTED", message: expect.stringContaining("`colour`") },
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
