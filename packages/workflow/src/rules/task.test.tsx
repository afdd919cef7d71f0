/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §3 about attempts: retries, deadlines, heartbeats, refusals. */
import type { TaskContext } from "@smooth/engine/task";
import { SmoothError } from "@smooth/protocol/errors";
import { expect, test } from "vitest";
import { z } from "zod";
import { Workflow, Task, smithers, outputs, never, agent } from "../testing/rules.ts";
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
  // Nobody must take it for a run that hangs: each attempt says so once.
  const said = engine.log.lines.filter(({ level }) => level === "warn").map(({ fields }) => fields["message"]);
  expect(said).toHaveLength(3);
  expect(said[2]).toBe("task a: attempt 3 failed: not yet; next try in 400 ms; retries={0} to stop");
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
    error: { code: "PROP_UNSUPPORTED", message: expect.stringContaining('<Task id="a"> has prop `colour`') },
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

test.each<[string, (context: TaskContext) => never]>([
  [
    "failureRetryable false",
    () => {
      throw Object.assign(new Error("no use"), { failureRetryable: false });
    },
  ],
  [
    "AGENT_CONFIG_INVALID",
    () => {
      throw new SmoothError("AGENT_CONFIG_INVALID", "no key");
    },
  ],
  [
    "a heartbeat that JSON cannot hold",
    ({ heartbeat }) => {
      heartbeat(1n as never);
      throw new Error("not reached");
    },
  ],
  [
    "a heartbeat over 1 MB",
    ({ heartbeat }) => {
      heartbeat("x".repeat(1024 * 1024));
      throw new Error("not reached");
    },
  ],
])("%s is not tried again", async (_, body) => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="final">
        <Task id="a" output={outputs.n}>
          {body}
        </Task>
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("failed");
  expect(run.trace()).toEqual(["node.started a#0", "node.failed a#0"]);
});

test("by default a task is tried again and again; noRetry and retries 0 mean one attempt", async () => {
  const engine = testEngine();
  const failing = (props: { readonly noRetry?: boolean; readonly retries?: number }) => {
    let attempts = 0;
    const workflow = smithers(() => (
      <Workflow name="tries">
        <Task id="a" output={outputs.n} {...props}>
          {() => {
            attempts += 1;
            throw new Error("no");
          }}
        </Task>
      </Workflow>
    ));
    return { workflow, attempts: () => attempts };
  };
  const forever = failing({});
  const handle = await engine.start(forever.workflow);
  await engine.clock.advance(3_600_000);
  expect(forever.attempts()).toBeGreaterThan(15);
  handle.cancel();
  await engine.clock.advance(10_000);

  for (const props of [{ noRetry: true }, { retries: 0 }]) {
    const once = failing(props);
    expect((await (await engine.start(once.workflow)).result).status).toBe("failed");
    expect(once.attempts()).toBe(1);
  }
});

test("heartbeats are written at most every 500 ms, the last one always, and none is an event", async () => {
  const engine = testEngine();
  const beats: unknown[] = [];
  const { commit } = engine.store;
  engine.store.commit = (batch) => {
    beats.push(...batch.heartbeats.map(({ payload }) => payload));
    return commit.call(engine.store, batch);
  };
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="beats">
        <Task id="a" output={outputs.n}>
          {async ({ heartbeat }: TaskContext) => {
            for (let at = 1; at <= 100; at += 1) {
              heartbeat(at);
              await engine.clock.sleep(10);
            }
            heartbeat(101);
            return { n: 1 };
          }}
        </Task>
      </Workflow>
    )),
  );
  await engine.clock.advance(2_000);
  await handle.result;

  expect(beats.length).toBeLessThanOrEqual(4);
  expect(beats.at(-1)).toBe(101);
  expect(engine.trace()).toEqual(["node.started a#0", "node.finished a#0"]);
});

test("label and meta are in the record of the attempt", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="said">
        <Task id="a" output={outputs.n} label="Count" meta={{ owner: "ann", cost: { max: 3 } }}>
          {{ n: 1 }}
        </Task>
      </Workflow>
    )),
  );

  expect(run.events.find((event) => event.type === "node.started")).toMatchObject({
    label: "Count",
    meta: { owner: "ann", cost: { max: 3 } },
  });
});

test("outputSchema is what the row is checked with, in the table of output", async () => {
  const strict = z.object({ n: z.number().max(5) });
  const of = (n: number) =>
    smithers(() => (
      <Workflow name="own-schema">
        <Task id="a" output={outputs.n} outputSchema={strict}>
          {() => ({ n })}
        </Task>
      </Workflow>
    ));

  expect((await runToEnd(of(5))).result.status).toBe("finished");
  expect((await runToEnd(of(6))).result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
});

test("an element without an agent is no value, and is refused", async () => {
  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="element">
        <Task id="a" output={outputs.n}>
          <p>count</p>
        </Task>
      </Workflow>
    )),
  );

  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
});

test("N1: version control that fails costs the names of the files, never the attempt", async () => {
  const vcs = { snapshot: () => Promise.reject(new Error("git is gone")), restore: never, diff: never };
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="files">
        <Task id="a" output={outputs.n} agent={agent({ output: { n: 1 } })}>
          Edit.
        </Task>
      </Workflow>
    )),
    { vcs: vcs as never, vcsRoot: "/repo" },
  );

  expect(run.result.status).toBe("finished");
  expect(run.log.lines.map(({ event }) => event)).toEqual(["task.files-unnamed", "task.files-unnamed"]);
});
