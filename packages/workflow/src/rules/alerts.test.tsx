/** @jsxImportSource @smooth/workflow */
/** A workflow's alert policy: what is raised, when, and what is done then. */
import type { TaskContext } from "@smooth/engine/task";
import { decideApproval, unpauseRun } from "@smooth/engine/control";
import type { Alert } from "@smooth/engine/alerts/deliver";
import type { SmithersAlertPolicy } from "@smooth/engine/alerts";
import { settle } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { approvalDecisionSchema, createSmithers } from "../create-smithers.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const { Workflow, Task, Approval, Parallel, smithers, outputs } = createSmithers({ decision: approvalDecisionSchema });
const row = { approved: true, note: null, decidedBy: null, decidedAt: null };
type Wait = (signal: AbortSignal) => Promise<void>;

/** A slow task beside what is given. */
const slow = (alertPolicy: SmithersAlertPolicy, wait: Wait, more: React.ReactNode = null) =>
  smithers(
    () => (
      <Workflow name="watched">
        <Parallel>
          <Task id="slow" output={outputs.decision} noRetry>
            {async ({ signal }: TaskContext) => (await wait(signal), row)}
          </Task>
          {more}
        </Parallel>
      </Workflow>
    ),
    { alertPolicy },
  );
const never: Wait = (signal) =>
  new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));

async function watched(
  alertPolicy: SmithersAlertPolicy,
  { wait = never, more }: { wait?: Wait; more?: React.ReactNode } = {},
) {
  const engine = testEngine();
  const told: { alert: Alert; destination: string }[] = [];
  const deliverAlert = async (alert: Alert, destination: string) => void told.push({ alert, destination });
  const workflow = slow(alertPolicy, wait, more);
  const handle = await engine.start(workflow, { deliverAlert });
  await settle();
  const raised = () =>
    engine.events.flatMap((event) => (event.type === "alert.raised" ? [`${event.alert} ${event.subject}`] : []));
  return { engine, told, workflow, handle, raised, deliverAlert };
}

test("A1: a condition is raised once when it has held long enough, with all that the policy says of it", async () => {
  const { engine, handle, raised } = await watched({
    defaults: { owner: "ann", severity: "critical", runbook: "docs/slow.md", labels: { team: "core" } },
    rules: { "too-slow": { when: "task-running", afterMs: 5_000, labels: { kind: "time" } } },
  });

  await engine.clock.advance(4_999);
  expect(raised()).toEqual([]);
  await engine.clock.advance(60_000);

  expect(raised()).toEqual(["too-slow slow::0"]);
  expect(engine.events.find(({ type }) => type === "alert.raised")).toMatchObject({
    when: "task-running",
    severity: "critical",
    owner: "ann",
    runbook: "docs/slow.md",
    labels: { team: "core", kind: "time" },
    reaction: { kind: "emit-only" },
  });
  expect(engine.log.lines.filter(({ event }) => event === "alert.raised")).toHaveLength(1);
  handle.cancel();
  await handle.result;
});

test("A1: what ended in time is not raised; with a cooldown what goes on is raised again, at most so often", async () => {
  const gate = Promise.withResolvers<void>();
  const quick = await watched({ rules: { "task-running": { afterMs: 5_000 } } }, { wait: () => gate.promise });
  gate.resolve();
  await quick.handle.result;
  await quick.engine.clock.advance(10_000);
  expect(quick.raised()).toEqual([]);

  const again = await watched({ rules: { "task-running": { afterMs: 1_000, cooldownMs: 10_000 } } });
  await again.engine.clock.advance(25_000);
  again.handle.cancel();
  await again.handle.result;

  expect(again.raised()).toHaveLength(3); // at 1, 11 and 21 s
});

describe("reactions", () => {
  test("cancel ends the run", async () => {
    const { engine, handle } = await watched({
      rules: { "run-quiet": { afterMs: 1_000, reaction: { kind: "cancel" } } },
    });

    await engine.clock.advance(1_000);

    expect((await handle.result).status).toBe("cancelled");
  });

  test("pause lets what runs end and starts nothing new, until a person goes on with the run", async () => {
    const gate = Promise.withResolvers<void>();
    const policy: SmithersAlertPolicy = {
      rules: { "task-running": { afterMs: 1_000, reaction: "hold" } },
      reactions: { hold: { kind: "pause" } },
    };
    const { engine, handle, workflow } = await watched(policy, { wait: () => gate.promise });
    await engine.clock.advance(1_000);
    gate.resolve();
    await engine.clock.advance(1_000);

    expect((await handle.result).status).toBe("paused");
    expect(engine.trace()).toContain("node.finished slow#0");
    await unpauseRun(engine.store, { runId: handle.runId, by: "ann", atMs: engine.clock.now() });
    const resumed = await engine.resume(workflow, handle.runId);

    expect((await resumed.result).status).toBe("finished");
  });

  test("open-approval asks a person; a denial cancels the run, an approval lets it go on", async () => {
    for (const verdict of ["deny", "approve"] as const) {
      const gate = Promise.withResolvers<void>();
      const policy: SmithersAlertPolicy = {
        rules: { "task-running": { afterMs: 1_000, reaction: { kind: "open-approval" } } },
      };
      const { engine, handle } = await watched(policy, { wait: () => gate.promise });
      await engine.clock.advance(1_000);
      const [ask] = await engine.store.approvals({ runId: handle.runId, only: "open" });
      expect(ask?.request.title).toBe("slow::0 is still running. Go on?");

      await decideApproval(engine.store, {
        runId: handle.runId,
        nodeId: ask?.nodeId ?? "",
        iteration: 0,
        decision: { verdict },
        by: "ann",
        atMs: engine.clock.now(),
      });
      await engine.clock.advance(1_000);
      gate.resolve();

      expect((await handle.result).status).toBe(verdict === "deny" ? "cancelled" : "finished");
    }
  });

  test("deliver tells a destination; A3: one that fails is an event, and the run goes on", async () => {
    const gate = Promise.withResolvers<void>();
    const policy: SmithersAlertPolicy = {
      rules: { "task-running": { afterMs: 1_000, reaction: { kind: "deliver", destination: "#ops" } } },
    };
    const { engine, told, handle } = await watched(policy, { wait: () => gate.promise });
    await engine.clock.advance(1_000);
    gate.resolve();

    expect((await handle.result).status).toBe("finished");
    expect(told).toMatchObject([
      { destination: "#ops", alert: { alert: "task-running", subject: "slow::0", runId: handle.runId } },
    ]);

    const nobody = testEngine();
    const stuck = await nobody.start(slow(policy, never));
    await nobody.clock.advance(1_000);
    stuck.cancel();
    await stuck.result;
    expect(nobody.events.find(({ type }) => type === "alert.reacted")).toMatchObject({
      error: { code: "CONFIG_INVALID" },
    });
  });

  test("A3: the end of the run is delivered and logged, though no event can follow it", async () => {
    const policy: SmithersAlertPolicy = {
      rules: { "run-failed": { reaction: { kind: "deliver", destination: "#ops" } } },
    };
    const { told, handle } = await watched(policy, { wait: () => Promise.reject(new Error("boom")) });

    expect((await handle.result).status).toBe("failed");
    await settle();

    expect(told).toMatchObject([{ alert: { subject: "run", message: "boom" } }]);
  });
});

test("A2: a resumed run neither forgets nor repeats an alert; a reaction that was cut off is done", async () => {
  const policy: SmithersAlertPolicy = {
    rules: { "task-failed": { reaction: { kind: "deliver", destination: "#ops" } } },
  };
  const failing = (
    <Task id="bad" output={outputs.decision} noRetry continueOnFail>
      {() => Promise.reject(new Error("no"))}
    </Task>
  );
  const engine = testEngine();
  const told: string[] = [];
  const workflow = slow(policy, never, failing);
  const first = await engine.start(workflow, { deliverAlert: () => new Promise(() => {}) });
  await settle();
  first.release();
  await first.result;

  for (let round = 0; round < 2; round += 1) {
    const next = await engine.resume(workflow, first.runId, {
      deliverAlert: async ({ message }) => void told.push(message),
    });
    await settle();
    next.release();
    await next.result;
  }

  expect(told).toEqual(["bad::0 failed: no"]);
  const events = await engine.store.events(first.runId, 0);
  expect(events.filter(({ type }) => type === "alert.raised")).toHaveLength(1);
});

test("an open approval is what people are told about, not the asks of alerts themselves", async () => {
  const rules = { "approval-waiting": { afterMs: 60_000, reaction: { kind: "open-approval" as const } } };
  const { engine, handle, raised } = await watched(
    { rules },
    { more: <Approval id="ok" output={outputs.decision} request={{ title: "Ship?" }} /> },
  );

  await engine.clock.advance(300_000);
  handle.cancel();
  await handle.result;

  expect(raised()).toEqual(["approval-waiting ok::0"]);
});

test("A2: a question is not asked again while it is open, and asked again when its answer has not ended what it is about", async () => {
  const rule = { afterMs: 1_000, cooldownMs: 1_000, reaction: { kind: "open-approval" as const } };
  const { engine, handle, raised } = await watched({ rules: { "task-running": rule } });
  const asks = (): number => engine.events.filter(({ type }) => type === "approval.opened").length;
  const { runId } = handle;
  await engine.clock.advance(3_000);
  expect([raised().length, asks()]).toEqual([3, 1]);

  const [ask] = await engine.store.approvals({ runId, only: "open" });
  const decision = { decision: { verdict: "approve" as const }, by: "ann", atMs: engine.clock.now() };
  await decideApproval(engine.store, { runId, nodeId: ask?.nodeId ?? "", iteration: 0, ...decision });
  await engine.clock.advance(2_000);

  expect(asks()).toBe(2);
  handle.cancel();
  await handle.result;
});

test.each<[string, unknown, string]>([
  [
    "a reaction called like a method",
    { rules: { "run-failed": { reaction: "constructor" } } },
    "the reaction constructor",
  ],
  ["a quiet of no time", { rules: { "run-quiet": {} } }, "rule run-quiet needs `afterMs`"],
  ["an unknown condition", { rules: { sometimes: {} } }, "rule sometimes needs `when`"],
  ["a reaction that is not there", { rules: { "run-failed": { reaction: "page" } } }, "the reaction page"],
  ["an unknown field", { rules: { "run-failed": { afterMin: 3 } } }, "afterMin"],
])("%s is refused by name when the workflow is made", (_, policy, said) => {
  expect(() => slow(policy as SmithersAlertPolicy, never)).toThrow(said);
});
