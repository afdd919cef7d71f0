/** @jsxImportSource @smooth/workflow */
/** The rule of ENGINE §2.6: all wait reasons are visible at once, with the command that ends each. */
import { pauseRun, signalRun } from "@smooth/engine/control";
import { why } from "@smooth/engine/why";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { approvalDecisionSchema } from "../create-smithers.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const { Workflow, Sequence, Parallel, Loop, Task, Approval, HumanTask, Timer, WaitForEvent, smithers, outputs } =
  createSmithers({
    n: z.object({ n: z.number().refine((n) => n > 0, "too small") }),
    decision: approvalDecisionSchema,
  });
const everything = smithers(() => (
  <Workflow name="everything">
    <Parallel>
      <Approval id="ship" output={outputs.decision} request={{ title: "Ship it?" }} timeoutMs={7_200_000} />
      <HumanTask id="how many" output={outputs.n} prompt="How many?" />
      <WaitForEvent id="paid" event="order paid" correlationId="A-1" output={outputs.n} />
      <Timer id="night" duration="1h" />
      <Loop id="l" until={false}>
        <Approval id="again" output={outputs.decision} request={{ title: "Again?" }} />
      </Loop>
    </Parallel>
  </Workflow>
));

test("every reason at once, each with the command that ends it or the time when it ends", async () => {
  const engine = testEngine();
  const nowMs = engine.clock.now();
  await (
    await engine.start(everything, { runId: "r" })
  ).result;

  const { status, reasons } = await why(engine.store, "r");

  expect(status).toBe("waiting-approval");
  expect(reasons.map(({ kind, command, dueMs }) => [kind, command, dueMs])).toEqual([
    ["approval", "smithers approve r --node ship", nowMs + 7_200_000],
    ["human", "smithers human answer 'r::how many::0' --value '<json>'", null],
    ["signal", "smithers signal r 'order paid' --data '<json>' --correlation A-1", null],
    ["timer", null, nowMs + 3_600_000],
    ["approval", "smithers approve r --node again", null],
  ]);
  expect(reasons.map(({ text }) => text)).toContain("waits for a decision: Ship it?");
  expect(reasons.every(({ sinceMs }) => sinceMs === nowMs)).toBe(true);
});

test("what did not fit is said, and so are a pause, a backoff, and a run that is not there", async () => {
  const engine = testEngine();
  await (
    await engine.start(everything, { runId: "r" })
  ).result;
  const signal = { name: "order paid", correlationId: "A-1", payload: { n: -1 }, by: "shop", atMs: 1 };
  await signalRun(engine.store, { runId: "r", ...signal });
  await (
    await engine.resume(everything, "r")
  ).result;
  await pauseRun(engine.store, { runId: "r", by: "ann", atMs: 2 });

  const { status, reasons } = await why(engine.store, "r");
  expect(status).toBe("paused");
  expect(reasons[0]).toMatchObject({ kind: "paused", command: "smithers resume r" });
  expect(reasons.find(({ kind }) => kind === "signal")?.problem).toContain("too small");

  await engine.start(
    smithers(() => (
      <Workflow name="failing">
        <Task id="t" output={outputs.n}>
          {() => Promise.reject(new Error("no luck"))}
        </Task>
      </Workflow>
    )),
    { runId: "f" },
  );
  await engine.clock.advance(0);
  expect((await why(engine.store, "f")).reasons).toMatchObject([
    { kind: "backoff", node: { nodeId: "t" }, problem: "no luck", command: null },
  ]);
  await expect(why(engine.store, "none")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

test("V3: a wait that has left the tree is not told", async () => {
  const engine = testEngine();
  const workflow = smithers((ctx) => (
    <Workflow name="leaves">
      <Parallel>
        {ctx.outputMaybe(outputs.n, "paid") ? null : (
          <Approval id="ship" output={outputs.decision} request={{ title: "Ship it?" }} />
        )}
        <WaitForEvent id="paid" event="paid" output={outputs.n} />
        <Approval id="other" output={outputs.decision} request={{ title: "Other?" }} />
      </Parallel>
    </Workflow>
  ));
  await (
    await engine.start(workflow, { runId: "r" })
  ).result;
  await signalRun(engine.store, { runId: "r", name: "paid", payload: { n: 1 }, by: "shop", atMs: 1 });
  await (
    await engine.resume(workflow, "r")
  ).result;

  const { reasons } = await why(engine.store, "r");

  expect(reasons.map(({ node }) => node?.nodeId)).toEqual(["other"]);
});

test("V2: a node whose turn has come says which dependency or which group it waits for; what comes later says nothing", async () => {
  const engine = testEngine();
  const slow = (id: string, props: object = {}) => (
    <Task key={id} id={id} output={outputs.n} {...props}>
      {() => new Promise<never>(() => {})}
    </Task>
  );
  const workflow = smithers(() => (
    <Workflow name="pending">
      <Parallel>
        <Parallel maxConcurrency={1}>
          {slow("a")}
          {slow("b")}
        </Parallel>
        <Sequence>
          {slow("c", { dependsOn: ["a"] })}
          {slow("d")}
        </Sequence>
        {slow("e")}
        {slow("f")}
      </Parallel>
    </Workflow>
  ));
  await engine.start(workflow, { runId: "r", maxConcurrency: 2 });
  await engine.clock.advance(0);

  const { reasons } = await why(engine.store, "r");

  expect(reasons.map(({ kind, node, text }) => [kind, node?.nodeId, text])).toEqual([
    ["place", "b", "waits for a place: its parallel group runs 1 at a time"],
    ["dependency", "c", "waits for a (running)"],
    ["place", "f", "waits for a place: the run has as many bodies at work as it may"],
  ]);
});
