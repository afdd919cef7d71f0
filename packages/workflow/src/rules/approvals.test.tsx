/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §5 about approvals that people decide. */
import { decideApproval, findResumable } from "@smooth/engine/control";
import { decodeRow } from "@smooth/engine/table";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { approvalRankingSchema, createSmithers } from "../create-smithers.ts";
import { Workflow, Task, Sequence, Parallel, Approval, smithers, outputs, one } from "../testing/rules.ts";
import { decideAsk, OWNER, runToEnd, testEngine } from "../testing/run-in-memory.ts";

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

test.each([
  ["fail", "failed", []],
  ["skip", "finished", ["node.skipped child#0", "node.skipped beside#0"]],
] as const)(
  "the children of an Approval come after it: denied with onDeny %s they do not run",
  async (onDeny, status, tail) => {
    const engine = testEngine();
    const workflow = smithers(() => (
      <Workflow name="children">
        <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} onDeny={onDeny}>
          <Parallel>
            <Task id="child" output={outputs.n}>
              {one}
            </Task>
            <Task id="beside" output={outputs.n}>
              {one}
            </Task>
          </Parallel>
        </Approval>
      </Workflow>
    ));
    const { runId, result } = await engine.start(workflow);
    await result;
    await decideAsk(engine, runId, "deny");

    expect((await (await engine.resume(workflow, runId)).result).status).toBe(status);
    expect(engine.trace().filter((line) => /child|beside/.test(line))).toEqual(tail);
  },
);

test("allowedScopes: who has none of them is refused, who has one decides", async () => {
  const engine = testEngine();
  const workflow = smithers(() => (
    <Workflow name="scopes">
      <Approval
        id="ask"
        output={outputs.decision}
        request={{ title: "Go?" }}
        allowedScopes={["run:admin", "approval:submit"]}
      />
    </Workflow>
  ));
  const { runId, result } = await engine.start(workflow);
  await result;
  const decision = { verdict: "approve" } as const;
  const ask = { runId, nodeId: "ask", iteration: 0, decision, by: "ann", atMs: 1 };

  for (const scopes of [undefined, [], ["run:read"]])
    await expect(decideApproval(engine.store, { ...ask, scopes })).rejects.toMatchObject({ code: "POLICY_DENIED" });
  await decideApproval(engine.store, { ...ask, scopes: ["approval:submit"] });

  expect((await (await engine.resume(workflow, runId)).result).status).toBe("finished");
});

test("mode rank: an order of some options is its row; none, an unknown one, or one twice is refused", async () => {
  const engine = testEngine();
  const own = createSmithers({ order: approvalRankingSchema });
  const workflow = own.smithers(() => (
    <own.Workflow name="rank">
      <own.Approval
        id="ask"
        output={own.outputs.order}
        mode="rank"
        options={["x", "y", "z"].map((key) => ({ key, label: key }))}
        request={{ title: "Which first?" }}
      />
    </own.Workflow>
  ));
  const { runId, result } = await engine.start(workflow);
  await result;
  const rank = (ranked?: readonly string[]) =>
    decideApproval(engine.store, {
      runId,
      nodeId: "ask",
      iteration: 0,
      decision: { verdict: "approve", ...(ranked && { ranked }), note: "so" },
      by: "ann",
      atMs: 1,
    });

  for (const wrong of [undefined, [], ["x", "w"], ["x", "x"]])
    await expect(rank(wrong)).rejects.toMatchObject({ code: "INVALID_INPUT" });
  await rank(["z", "x"]);

  expect((await (await engine.resume(workflow, runId)).result).status).toBe("finished");
  const table = workflow.registry.find("order");
  expect((await engine.store.outputs(runId, table)).map(({ cells }) => decodeRow(table, cells))).toEqual([
    { ranked: ["z", "x"], notes: "so" },
  ]);
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

test("R2: a decision of which nobody told this process is heard, and delivered in its place, when the next step is recorded", async () => {
  const engine = testEngine();
  engine.store.watch = () => () => {}; // as in a store that another process writes to
  const [short, long] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="untold">
        <Parallel>
          <Task id="short" output={outputs.n}>
            {() => short.promise.then(one)}
          </Task>
          <Task id="long" output={outputs.n}>
            {() => long.promise.then(one)}
          </Task>
          <Sequence>
            <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} />
            <Task id="then" output={outputs.n}>
              {() => (long.resolve(), one())}
            </Task>
          </Sequence>
        </Parallel>
      </Workflow>
    )),
  );
  await settle();
  await decideAsk(engine, handle.runId, "approve");
  short.resolve();

  expect((await handle.result).status).toBe("finished");
  expect(engine.events.map((event) => event.seq)).toEqual(engine.events.map((_, at) => at + 1));
  const order = engine.events.map((event) => ("nodeId" in event ? `${event.type} ${event.nodeId}` : event.type));
  expect(order.indexOf("approval.decided ask")).toBe(order.indexOf("node.finished short") - 1);
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

  expect(await findResumable(engine.store, check)).toMatchObject([{ run: { runId }, because: "due" }]);
  expect(await (await engine.resume(workflow, runId)).result).toMatchObject({
    status: "waiting-approval",
    waiting: [{ nodeId: "ask" }],
  });
  expect(await findResumable(engine.store, check)).toEqual([]);
});
