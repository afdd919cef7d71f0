/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §5 about approvals that nobody decides in time. */
import { decideApproval } from "@smooth/engine/control";
import { expect, test } from "vitest";
import { Workflow, Task, Parallel, Approval, smithers, outputs, one } from "../testing/rules.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const timed = (props: object) =>
  smithers(() => (
    <Workflow name="timed">
      <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} timeoutMs={60_000} {...props} />
      <Task id="gated" output={outputs.n} dependsOn={["ask"]}>
        {one}
      </Task>
    </Workflow>
  ));

test.each([
  ["fail", "failed", "TASK_TIMEOUT", ["node.failed ask#0"]],
  ["continue", "finished", undefined, ["node.finished ask#0", "node.finished gated#0"]],
  ["skip", "finished", undefined, ["node.skipped ask#0", "node.skipped gated#0"]],
] as const)("nobody in time counts as a denial: onDeny %s ends %s", async (onDeny, status, code, ended) => {
  const engine = testEngine();
  const workflow = timed({ onDeny });
  const { runId, result } = await engine.start(workflow);
  expect(await result).toMatchObject({ status: "waiting-approval", wakeAtMs: engine.clock.now() + 60_000 });
  await engine.clock.advance(60_000);

  const end = await (await engine.resume(workflow, runId)).result;

  expect(end).toMatchObject(code ? { status, error: { code } } : { status });
  expect(engine.trace().filter((line) => /node\.(failed|finished|skipped)/.test(line))).toEqual(ended);
  const late = { runId, nodeId: "ask", iteration: 0, by: "ann", atMs: 1 };
  await expect(decideApproval(engine.store, { ...late, decision: { verdict: "approve" } })).rejects.toMatchObject({
    code: "ALREADY_DECIDED",
    details: { by: "engine:timeout" },
  });
});

test("N1: a decision that comes before the engine notices wins, and nobody may sign as the engine", async () => {
  const engine = testEngine();
  const workflow = timed({});
  const { runId, result } = await engine.start(workflow);
  await result;
  await engine.clock.advance(90_000);
  const decide = (by: string) =>
    decideApproval(engine.store, {
      runId,
      nodeId: "ask",
      iteration: 0,
      decision: { verdict: "approve" },
      by,
      atMs: 1,
    });

  await expect(decide("engine:timeout")).rejects.toMatchObject({ code: "POLICY_DENIED" });
  await decide("ann");

  expect((await (await engine.resume(workflow, runId)).result).status).toBe("finished");
});

test("retries ask again, each time for timeoutMs", async () => {
  const engine = testEngine();
  const workflow = timed({ retries: 1, retryPolicy: { initialDelayMs: 5_000 } });
  const { runId, result } = await engine.start(workflow);
  await result;
  await engine.clock.advance(60_000);

  const again = await (await engine.resume(workflow, runId)).result;
  expect(again).toMatchObject({ status: "waiting-approval", wakeAtMs: engine.clock.now() + 65_000 });
  await engine.clock.advance(65_000);

  expect((await (await engine.resume(workflow, runId)).result).status).toBe("failed");
  expect(engine.trace().filter((line) => line === "approval.opened ask#0")).toHaveLength(2);
});

test("it runs out in a living process too", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<void>();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="alive">
        <Parallel>
          <Task id="slow" output={outputs.n}>
            {() => gate.promise.then(one)}
          </Task>
          <Approval
            id="ask"
            output={outputs.decision}
            request={{ title: "Go?" }}
            timeoutMs={60_000}
            onDeny="continue"
          />
        </Parallel>
      </Workflow>
    )),
  );
  await engine.clock.advance(60_000);
  expect(engine.trace()).toContain("node.finished ask#0");

  gate.resolve();
  expect((await handle.result).status).toBe("finished");
});
