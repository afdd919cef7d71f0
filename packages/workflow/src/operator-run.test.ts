/** The shape of a run on a pearl, as the composition root writes it: governor turns in a Loop, a merge Approval, compute tasks.
 *  In plain .ts with `h`, on the SQLite store, through a restart and a wait of any length. */
import { decideApproval, findResumable } from "@smooth/engine/control";
import { resumeRun, startRun } from "@smooth/engine/run";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import type { TaskContext } from "@smooth/engine/task";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { countingIds, ManualClock, memoryLog, seededRandom } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { Approval } from "./components/approval.ts";
import { Branch } from "./components/branch.ts";
import { Loop } from "./components/loop.ts";
import { Sequence } from "./components/sequence.ts";
import { Task } from "./components/task.ts";
import { Workflow } from "./components/workflow.ts";
import { approvalDecisionSchema, createSmithers } from "./create-smithers.ts";
import { h } from "./jsx-runtime.ts";
import { OWNER } from "./testing/run-in-memory.ts";

interface Operator {
  /** Minutes of work in a VM; answers where its conversation stands. */
  turn(context: TaskContext): Promise<{ checkpoint: string }>;
  verify(iteration: number): Promise<{ green: boolean; failing: number }>;
  merge(): Promise<{ commit: string }>;
}

const { smithers, outputs } = createSmithers({
  input: z.object({ pearlId: z.string(), maxTurns: z.number().default(4) }),
  operatorTurn: z.object({ checkpoint: z.string() }),
  operatorVerify: z.object({ green: z.boolean(), failing: z.number() }),
  operatorMergeDecision: approvalDecisionSchema,
  operatorMerge: z.object({ commit: z.string() }),
  operatorClose: z.object({ outcome: z.enum(["merged", "not-merged", "not-green"]) }),
});

const operatorRun = (operator: Operator) =>
  smithers((ctx) => {
    const verified = ctx.latest(outputs.operatorVerify, "verify");
    const decision = ctx.outputMaybe(outputs.operatorMergeDecision, { nodeId: "merge-approval" });
    const merged = ctx.outputMaybe(outputs.operatorMerge, { nodeId: "merge" });
    return h(
      Workflow,
      { name: `Operator on ${ctx.input.pearlId}` },
      h(
        Loop,
        { id: "turns", until: verified?.green ?? false, maxIterations: ctx.input.maxTurns },
        h(
          Sequence,
          null,
          h(Task<typeof outputs.operatorTurn>, {
            id: "turn",
            output: outputs.operatorTurn,
            retries: 1,
            children: (context) => operator.turn(context),
          }),
          h(Task<typeof outputs.operatorVerify>, {
            id: "verify",
            output: outputs.operatorVerify,
            retries: 1,
            children: ({ iteration }) => operator.verify(iteration),
          }),
        ),
      ),
      h(Branch, {
        if: verified?.green ?? false,
        // oxlint-disable-next-line unicorn/no-thenable -- the documented prop of Branch
        then: h(
          Sequence,
          null,
          h(Approval, {
            id: "merge-approval",
            output: outputs.operatorMergeDecision,
            onDeny: "continue",
            request: { title: "Merge the diff?" },
          }),
          decision?.approved
            ? h(Task<typeof outputs.operatorMerge>, {
                id: "merge",
                output: outputs.operatorMerge,
                noRetry: true,
                children: () => operator.merge(),
              })
            : null,
        ),
      }),
      h(Task<typeof outputs.operatorClose>, {
        id: "close",
        output: outputs.operatorClose,
        children: () => ({
          outcome: merged ? ("merged" as const) : verified?.green ? ("not-merged" as const) : ("not-green" as const),
        }),
      }),
    );
  });

test("turns until green, survives a restart in the middle of a turn, waits for the merge, merges once", async () => {
  const did: string[] = [];
  const clock = new ManualClock();
  const store = openSqliteStore(openSqlite(":memory:"));
  const workflow = operatorRun({
    async turn({ iteration, attempt, signal, heartbeat, lastHeartbeat }) {
      did.push(`turn ${iteration}.${attempt} from ${JSON.stringify(lastHeartbeat)}`);
      heartbeat({ checkpoint: `c${iteration}.${attempt}` });
      await clock.sleep(180_000, signal);
      return { checkpoint: `c${iteration}.${attempt}` };
    },
    async verify(iteration) {
      did.push(`verify ${iteration}`);
      return { green: iteration === 1, failing: iteration === 1 ? 0 : 3 };
    },
    async merge() {
      did.push("merge");
      return { commit: "abc" };
    },
  });
  const deps = { workflow, store, clock, ids: countingIds(), random: seededRandom(1), log: memoryLog(), owner: OWNER };

  const first = await startRun({ ...deps, input: { pearlId: "th-1234567890" } });
  await clock.advance(240_000); // turn 0 done, one minute into turn 1
  first.release();
  expect(await first.result).toMatchObject({ status: "released" });
  expect(await findResumable(store, { isAlive: () => true, host: "here", nowMs: clock.now() })).toMatchObject([
    { because: "owner-gone" },
  ]);

  const second = await resumeRun({ ...deps, runId: first.runId, isAlive: () => false });
  await clock.advance(180_000);
  expect(await second.result).toMatchObject({
    status: "waiting-approval",
    waiting: [{ nodeId: "merge-approval", iteration: 0 }],
  });

  await clock.advance(7 * 24 * 3_600_000);
  await decideApproval(store, {
    runId: first.runId,
    nodeId: "merge-approval",
    iteration: 0,
    decision: { verdict: "approve" },
    by: "ann",
    atMs: clock.now(),
  });
  const third = await resumeRun({ ...deps, runId: first.runId, isAlive: () => false });

  expect(await third.result).toMatchObject({ status: "finished" });
  expect(did).toEqual([
    "turn 0.1 from null",
    "verify 0",
    "turn 1.1 from null",
    'turn 1.2 from {"checkpoint":"c1.1"}',
    "verify 1",
    "merge",
  ]);
  expect((await store.events(first.runId, 0)).findLast((event) => event.type === "node.finished")).toMatchObject({
    nodeId: "close",
  });
});
