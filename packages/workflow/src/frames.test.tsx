/** @jsxImportSource @smooth/workflow */
/** What a run's recorded frames show, and what they cost. */
import { readFrame, type Frame, type FrameNode } from "@smooth/engine/frames";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { decideApproval } from "@smooth/engine/control";
import { expect, test } from "vitest";
import { z } from "zod";
import { approvalDecisionSchema, createSmithers } from "./create-smithers.ts";
import { runToEnd, testEngine } from "./testing/run-in-memory.ts";

const { Workflow, Task, Parallel, Loop, Approval, smithers, outputs } = createSmithers({
  n: z.object({ n: z.number() }),
  decision: approvalDecisionSchema,
});

/** `id state` of every leaf, in source order. */
const leaves = ({ root }: Frame): string[] => {
  const walk = (node: FrameNode): string[] => [
    ...(node.state ? [`${node.nodeId}#${node.iteration} ${node.state}`] : []),
    ...node.children.flatMap(walk),
  ];
  return walk(root);
};

test("frame 1 shows the whole first tree pending, and every later frame what was known after its event", async () => {
  const workflow = smithers((ctx) => (
    <Workflow name="grows">
      <Task id="a" label="First" output={outputs.n}>
        {() => ({ n: 1 })}
      </Task>
      {ctx.outputMaybe(outputs.n, { nodeId: "a" }) && (
        <Parallel>
          <Task id="b" output={outputs.n}>
            {() => ({ n: 2 })}
          </Task>
        </Parallel>
      )}
    </Workflow>
  ));
  const { store, runId, events } = await runToEnd(workflow);

  const frames = await Promise.all(events.map(({ seq }) => readFrame(store, runId, seq)));

  expect(frames.map(leaves)).toEqual([
    ["a#0 pending"],
    ["a#0 running"],
    ["a#0 finished", "b#0 pending"],
    ["a#0 finished", "b#0 running"],
    ["a#0 finished", "b#0 finished"],
    ["a#0 finished", "b#0 finished"],
  ]);
  const last = await readFrame(store, runId);
  expect(last).toEqual(frames.at(-1));
  expect(last.root).toMatchObject({
    kind: "workflow",
    label: "grows",
    children: [
      { kind: "task", label: "First" },
      { kind: "parallel", children: [{ id: "b" }] },
    ],
  });
  await expect(readFrame(store, runId, 7)).rejects.toMatchObject({ code: "INVALID_INPUT" });
  await expect(readFrame(store, "nobody")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

test("a loop whose body stays the same writes one frame row, and each pass is seen at its iteration", async () => {
  const workflow = smithers(() => (
    <Workflow name="loop">
      <Loop id="l" maxIterations={100}>
        <Task id="tick" output={outputs.n}>
          {() => ({ n: 1 })}
        </Task>
      </Loop>
    </Workflow>
  ));
  const { store, runId, events } = await runToEnd(workflow);

  expect(await store.frames(runId)).toHaveLength(1);
  const ticks = events.filter((event) => event.type === "node.finished");
  expect(leaves(await readFrame(store, runId, ticks[41]?.seq))).toEqual(["tick#41 finished"]);
});

test("a run taken up by another process goes on from the recorded tree", async () => {
  const workflow = smithers((ctx) => (
    <Workflow name="asks">
      <Approval id="go" output={outputs.decision} request={{ title: "Go?" }} />
      {ctx.outputMaybe(outputs.decision, { nodeId: "go" }) && (
        <Task id="b" output={outputs.n}>
          {() => ({ n: 2 })}
        </Task>
      )}
    </Workflow>
  ));
  const { store, clock, ...engine } = testEngine();
  const { runId, result } = await engine.start(workflow);
  await result;
  const ask = { runId, nodeId: "go", iteration: 0 };
  await decideApproval(store, { ...ask, decision: { verdict: "approve" }, by: "ann", atMs: clock.now() });

  await (
    await engine.resume(workflow, runId)
  ).result;

  const rows = await store.frames(runId);
  expect(rows.map(({ full, delta }) => [full, Object.keys(delta.set)])).toEqual([
    [true, [">", "go"]],
    [false, ["b"]],
  ]);
  expect(leaves(await readFrame(store, runId))).toEqual(["go#0 finished", "b#0 finished"]);
});

test("the store grows by at most 570 bytes per step beyond payload, however long the chain", async () => {
  const bytesPerStep = async (steps: number): Promise<number> => {
    const sql = openSqlite(":memory:");
    const workflow = smithers((ctx) => (
      <Workflow name="chain">
        {Array.from({ length: Math.min(steps, ctx.outputs(outputs.n).length + 1) }, (_, at) => (
          <Task key={at} id={`step-${at}`} output={outputs.n}>
            {() => ({ n: at })}
          </Task>
        ))}
      </Workflow>
    ));
    await runToEnd(workflow, { store: openSqliteStore(sql) });
    const size = sql.get(
      "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) b",
    );
    sql.close();
    return Number(size?.["b"]) / steps;
  };

  const [short, long] = [await bytesPerStep(200), await bytesPerStep(800)];

  expect(long).toBeLessThanOrEqual(570);
  expect(long / short).toBeLessThan(1.15);
});
