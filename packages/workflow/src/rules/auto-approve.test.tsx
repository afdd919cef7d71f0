/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §5 about approvals that nobody is asked for. */
import { decideApproval } from "@smooth/engine/control";
import { expect, test } from "vitest";
import type { AutoApprove } from "../components/approval.ts";
import { Workflow, Parallel, Approval, smithers, outputs } from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

const auto = (autoApprove: AutoApprove, others: readonly string[] = []) =>
  smithers(() => (
    <Workflow name="auto">
      <Parallel>
        <Approval
          id="ask"
          output={outputs.decision}
          request={{ title: "Go?" }}
          onDeny="continue"
          autoApprove={autoApprove}
        />
        {others.map((id) => (
          <Approval key={id} id={id} output={outputs.decision} request={{ title: id }} />
        ))}
      </Parallel>
    </Workflow>
  ));
/** Runs it; a person answers when asked. */
const again = async (engine: ReturnType<typeof testEngine>, autoApprove: AutoApprove, verdict: "approve" | "deny") => {
  const { runId, result } = await engine.start(auto(autoApprove));
  const asked = (await result).status === "waiting-approval";
  const decision = { runId, nodeId: "ask", iteration: 0, decision: { verdict }, by: "ann", atMs: engine.clock.now() };
  if (asked) await decideApproval(engine.store, decision);
  if (asked) await (await engine.resume(auto(autoApprove), runId)).result;
  await engine.clock.advance(1_000);
  return asked;
};

test("N2: after so many approvals by people in a row nobody is asked; a denial starts the count anew", async () => {
  const engine = testEngine();
  const asked = [];
  for (const verdict of ["approve", "approve", "deny", "approve", "approve"] as const)
    asked.push(await again(engine, { after: 3 }, verdict));
  expect(asked).toEqual([true, true, true, true, true]);

  expect(await again(engine, { after: 2 }, "approve")).toBe(false);
  expect(await again(engine, { after: 2 }, "approve")).toBe(false);
  expect(await again(engine, { after: 3 }, "approve")).toBe(true); // its own approvals count for nothing
});

test("the row, the event and its grounds are recorded, and nobody sees an ask", async () => {
  const engine = testEngine();
  await again(engine, { after: 1 }, "approve");

  const { runId, result } = await engine.start(auto({ after: 1 }));

  expect((await result).status).toBe("finished");
  expect(await engine.store.approvals({ runId })).toMatchObject([
    { decided: { decision: { verdict: "approve" }, by: "engine:auto-approve" } },
  ]);
  const own = engine.events.filter((event) => event.runId === runId);
  expect(own.map(({ type }) => type)).not.toContain("approval.opened");
  expect(own.find(({ type }) => type === "approval.decided")).toMatchObject({
    audit: { manualApprovals: 1, after: 1 },
  });
});

test.each<[string, AutoApprove, boolean]>([
  ["condition alone", { condition: () => true }, false],
  ["a condition that does not hold", { after: 0, condition: () => false }, true],
  ["revertOn", { after: 0, revertOn: (ctx) => ctx.runId !== "" }, true],
  ["no ground at all", {}, true],
])("%s", async (_name, autoApprove, asked) => expect(await again(testEngine(), autoApprove, "approve")).toBe(asked));

test("all approvals of a frame are opened in one commit, the unsure one too", async () => {
  const engine = testEngine();
  const { result } = await engine.start(auto({ after: 5 }, ["b", "c"]));
  await result;

  const opened = engine.events.filter((event) => event.type === "approval.opened");
  expect(opened.map(({ nodeId }) => nodeId).toSorted()).toEqual(["ask", "b", "c"]);
  expect(Math.max(...opened.map(({ seq }) => seq)) - Math.min(...opened.map(({ seq }) => seq))).toBe(2);
});

test("a choice cannot be made for a person", async () => {
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="choice">
        <Approval
          id="ask"
          output={outputs.choice}
          mode="select"
          options={[{ key: "x", label: "X" }]}
          request={{ title: "Which?" }}
          autoApprove={{ after: 1 }}
        />
      </Workflow>
    )),
  );

  expect(run.result).toMatchObject({ status: "failed", error: { code: "INVALID_INPUT" } });
});
