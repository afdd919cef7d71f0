/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §7 about owners, from inside one process. */
import { cancelRun } from "@smooth/engine/control";
import type { TaskContext } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { Workflow, Task, smithers, outputs, one } from "../testing/rules.ts";
import { OWNER, testEngine } from "../testing/run-in-memory.ts";

const slow = (gate: Promise<unknown>) =>
  smithers(() => (
    <Workflow name="owned">
      <Task id="a" output={outputs.n}>
        {() => gate.then(one)}
      </Task>
    </Workflow>
  ));

test("an owner that lost its run cannot record, and stops itself", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<void>();
  const first = await engine.start(slow(gate.promise));
  await settle();
  const second = await engine.resume(slow(Promise.resolve()), first.runId, { owner: { ...OWNER, pid: 2 } });
  gate.resolve();

  expect(await first.result).toEqual({ status: "lost", runId: first.runId });
  expect((await second.result).status).toBe("finished");
  const events = await engine.store.events(first.runId, 0);
  expect(events.filter((event) => event.type === "node.finished")).toHaveLength(1);
  expect(events.filter((event) => event.type === "node.started").map((event) => event.attempt)).toEqual([1, 2]);
});

test("a run with a living owner is not taken over; a finished one is not resumed", async () => {
  const engine = testEngine();
  const gate = Promise.withResolvers<void>();
  const workflow = slow(gate.promise);
  const { runId, result } = await engine.start(workflow);
  await settle();
  await expect(engine.resume(workflow, runId, { isAlive: () => true } as object)).rejects.toMatchObject({
    code: "RUN_OWNER_ALIVE",
  });

  gate.resolve();
  await result;

  await expect(engine.resume(workflow, runId)).rejects.toMatchObject({ code: "RUN_NOT_RESUMABLE" });
  await expect(engine.resume(workflow, "run-none")).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

test("cancelling from outside reaches the running body", async () => {
  const engine = testEngine();
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="cancel">
        <Task id="a" output={outputs.n}>
          {({ signal }: TaskContext) =>
            new Promise<{ n: number }>((_, reject) =>
              signal.addEventListener("abort", () => reject(signal.reason as Error)),
            )
          }
        </Task>
      </Workflow>
    )),
  );
  await settle();

  expect(await cancelRun(engine.store, { runId: handle.runId, by: "ann", atMs: 1 })).toBe("requested");

  expect((await handle.result).status).toBe("cancelled");
  expect((await engine.store.run(handle.runId))?.status).toBe("cancelled");
});
