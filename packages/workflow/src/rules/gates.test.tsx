/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §3 about what holds a task back: `needsApproval`, `async`, and used-up quotas. */
import { decideApproval, findResumable } from "@smooth/engine/control";
import { quotaError, type GenerateArgs } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { agent, one, outputs, Parallel, smithers, Task, Workflow } from "../testing/rules.ts";
import { OWNER, runToEnd, testEngine } from "../testing/run-in-memory.ts";

const gated = (props: { readonly async?: boolean; readonly continueOnFail?: boolean } = {}) => {
  const ran: string[] = [];
  const workflow = smithers(() => (
    <Workflow name="gated">
      <Task id="deploy" output={outputs.n} needsApproval label="Deploy to production" {...props}>
        {() => (ran.push("deploy"), { n: 1 })}
      </Task>
      <Task id="after" output={outputs.text}>
        {() => (ran.push("after"), { text: "x" })}
      </Task>
    </Workflow>
  ));
  return { ran, workflow };
};
const answer = (runId: string, verdict: "approve" | "deny") =>
  ({ runId, nodeId: "deploy", iteration: 0, decision: { verdict }, by: "ann", atMs: 1 }) as const;

test("G1: a task with needsApproval waits as a row under its own id, and runs once after it was approved", async () => {
  const { ran, workflow } = gated();
  const engine = testEngine();
  const first = await engine.start(workflow);
  expect(await first.result).toMatchObject({ status: "waiting-approval", waiting: [{ nodeId: "deploy" }] });
  expect((await engine.store.approvals({ runId: first.runId }))[0]).toMatchObject({
    nodeId: "deploy",
    request: { title: "Deploy to production" },
  });
  expect(ran).toEqual([]);

  await decideApproval(engine.store, answer(first.runId, "approve"));
  const second = await engine.resume(workflow, first.runId);

  expect((await second.result).status).toBe("finished");
  expect(ran).toEqual(["deploy", "after"]);
  expect(engine.trace().filter((line) => line.includes("deploy"))).toEqual([
    "approval.opened deploy#0",
    "wait.over deploy#0",
    "node.started deploy#0",
    "node.finished deploy#0",
  ]);
});

test("G1: denied, it fails without having run; with continueOnFail what comes after goes on", async () => {
  for (const [continueOnFail, status, ran] of [
    [false, "failed", []],
    [true, "finished", ["after"]],
  ] as const) {
    const task = gated({ continueOnFail });
    const engine = testEngine();
    const { runId, result } = await engine.start(task.workflow);
    await result;
    await decideApproval(engine.store, answer(runId, "deny"));
    const ended = await (await engine.resume(task.workflow, runId)).result;

    expect(ended.status).toBe(status);
    expect(task.ran).toEqual(ran);
    expect(engine.events.find((event) => event.type === "node.failed")).toMatchObject({
      error: { code: "APPROVAL_DENIED", message: expect.stringContaining("ann") },
    });
  }
});

test("the question is asked once: an approved task that is tried again, or cut off, is not asked for again", async () => {
  const engine = testEngine();
  const attempts: number[] = [];
  const workflow = smithers(() => (
    <Workflow name="again">
      <Task id="deploy" output={outputs.n} needsApproval retryPolicy={{ backoff: "fixed", initialDelayMs: 10 }}>
        {({ attempt }: { attempt: number }) => {
          attempts.push(attempt);
          if (attempt === 1) throw new Error("once more");
          return attempt === 2 ? new Promise<{ n: number }>(() => {}) : { n: attempt };
        }}
      </Task>
    </Workflow>
  ));
  const first = await engine.start(workflow);
  await first.result;
  await decideApproval(engine.store, answer(first.runId, "approve"));
  const second = await engine.resume(workflow, first.runId);
  await engine.clock.advance(50);
  second.release();
  await engine.clock.advance(6_000);
  await second.result;
  const third = await engine.resume(workflow, first.runId);

  expect((await third.result).status).toBe("finished");
  expect(attempts).toEqual([1, 2, 3]);
  expect(engine.trace().filter((line) => line.startsWith("approval.opened"))).toHaveLength(1);
});

test("with async, what comes after does not wait: neither for the answer nor for the task", async () => {
  const { ran, workflow } = gated({ async: true });
  const engine = testEngine();
  const first = await engine.start(workflow);
  expect((await first.result).status).toBe("waiting-approval");
  expect(ran).toEqual(["after"]);

  await decideApproval(engine.store, answer(first.runId, "approve"));

  expect((await (await engine.resume(workflow, first.runId)).result).status).toBe("finished");
  expect(ran).toEqual(["after", "deploy"]);
});

test("an answer while the run is alive starts an async task whose successors are done already", async () => {
  const engine = testEngine();
  const ran: string[] = [];
  const gate = Promise.withResolvers<void>();
  const workflow = smithers(() => (
    <Workflow name="alive">
      <Parallel>
        <Task id="deploy" output={outputs.n} needsApproval async>
          {() => (ran.push("deploy"), gate.resolve(), { n: 1 })}
        </Task>
        <Task id="slow" output={outputs.n}>
          {() => gate.promise.then(one)}
        </Task>
      </Parallel>
    </Workflow>
  ));
  const handle = await engine.start(workflow);
  await settle();
  await decideApproval(engine.store, answer(handle.runId, "approve"));

  expect((await handle.result).status).toBe("finished");
  expect(ran).toEqual(["deploy"]);
});

test("async without needsApproval says nothing and is refused", async () => {
  const { result } = await runToEnd(
    smithers(() => (
      <Workflow name="odd">
        <Task id="a" output={outputs.n} async>
          {one}
        </Task>
      </Workflow>
    )),
  );

  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
});

const HOUR = 3_600_000;
const asks = (by: unknown, retries = 0) =>
  smithers(() => (
    <Workflow name="quota">
      <Task id="a" output={outputs.text} agent={by as never} retries={retries}>
        Say it.
      </Task>
    </Workflow>
  ));
const hi = { output: { text: "hi" } };
const limited = (shape: (nowMs: number) => unknown, nowMs: () => number) => {
  let calls = 0;
  return {
    id: "limited",
    calls: () => calls,
    generate: async (_args: GenerateArgs) => {
      calls += 1;
      if (calls === 1) throw shape(nowMs());
      return hi;
    },
  };
};

test.each<[string, (nowMs: number) => unknown]>([
  ["a quota error", () => quotaError("limit reached", HOUR)],
  ["429 with resetAtMs", (nowMs) => Object.assign(new Error("429"), { status: 429, resetAtMs: nowMs + HOUR })],
  ["429 with retryAfter in seconds", () => Object.assign(new Error("429"), { status: 429, retryAfter: 3_600 })],
  [
    "429 with a retry-after header",
    () => ({ message: "429", statusCode: 429, responseHeaders: { "retry-after": "3600" } }),
  ],
])(
  "G2: %s parks the run in waiting-quota until that time; it wakes by itself and no retry is used up",
  async (_, shape) => {
    const engine = testEngine();
    const one = limited(shape, () => engine.clock.now());
    const startMs = engine.clock.now();
    const first = await engine.start(asks(one));

    expect(await first.result).toMatchObject({
      status: "waiting-quota",
      waiting: [{ nodeId: "a" }],
      wakeAtMs: startMs + HOUR,
    });
    const check = () => ({ isAlive: () => true, host: OWNER.host, nowMs: engine.clock.now() });
    expect(await findResumable(engine.store, check())).toEqual([]);
    await engine.clock.advance(HOUR);
    expect(await findResumable(engine.store, check())).toMatchObject([{ run: { runId: first.runId }, because: "due" }]);
    const second = await engine.resume(asks(one), first.runId);

    expect((await second.result).status).toBe("finished");
    expect(one.calls()).toBe(2);
    expect(engine.events.filter((event) => event.type === "node.failed")).toEqual([]);
  },
);

test("another agent of the chain is asked before the run waits for a quota", async () => {
  const engine = testEngine();
  const first = agent(quotaError("limit", HOUR));
  const second = agent(hi);

  const { result } = await engine.start(asks([first, second]));

  expect((await result).status).toBe("finished");
  expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
});

test("when every agent's quota is used up, the run waits for the first that begins anew, and asks that one", async () => {
  const engine = testEngine();
  const late = agent(quotaError("limit", 2 * HOUR), hi);
  const soon = agent(quotaError("limit", HOUR), hi);
  const startMs = engine.clock.now();
  const other = Promise.withResolvers<{ n: number }>();
  const workflow = smithers(() => (
    <Workflow name="both">
      <Parallel>
        <Task id="a" output={outputs.text} agent={[late, soon]} retries={0}>
          Say it.
        </Task>
        <Task id="busy" output={outputs.n}>
          {() => other.promise}
        </Task>
      </Parallel>
    </Workflow>
  ));
  const handle = await engine.start(workflow);
  await engine.clock.advance(HOUR);
  other.resolve({ n: 1 });

  expect((await handle.result).status).toBe("finished");
  expect(engine.events.flatMap((event) => (event.type === "wait.opened" ? [event.on.dueMs] : [])).at(-1)).toBe(
    startMs + HOUR,
  );
  expect([late.asked.length, soon.asked.length]).toEqual([1, 2]);
});

test("one that has had its attempts is not asked again while another's quota is used up: the run waits for that one", async () => {
  const engine = testEngine();
  const later = agent(quotaError("limit", HOUR), quotaError("limit", HOUR), hi);
  const fails = agent(new Error("down"));
  const first = await engine.start(asks([later, fails]));
  expect((await first.result).status).toBe("waiting-quota");
  await engine.clock.advance(HOUR);
  const second = await engine.resume(asks([later, fails]), first.runId);

  expect((await second.result).status).toBe("finished");
  expect([later.asked.length, fails.asked.length]).toEqual([3, 1]);
});

test("429 without a time is an ordinary failure", async () => {
  const { result } = await runToEnd(asks(agent(Object.assign(new Error("busy"), { status: 429 }))));

  expect(result).toMatchObject({ status: "failed", error: { message: "busy" } });
});
