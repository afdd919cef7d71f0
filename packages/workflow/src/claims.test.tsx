/** @jsxImportSource @smooth/workflow */
/** Workers that share a store, seen from one process; several real ones race in `workers.machine.test.ts`. */
import { claimResumable } from "@smooth/engine/control";
import { resumeRun } from "@smooth/engine/run";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "./create-smithers.ts";
import { OWNER, testEngine } from "./testing/run-in-memory.ts";

const { Workflow, Task, smithers, outputs } = createSmithers({ n: z.object({ n: z.number() }) });
const workflow = smithers(() => (
  <Workflow name="one">
    <Task id="a" output={outputs.n}>
      {() => ({ n: 1 })}
    </Task>
  </Workflow>
));
const strict = createSmithers({ input: z.object({ must: z.string() }), n: z.object({ n: z.number() }) });
const strictWorkflow = strict.smithers(() => <strict.Workflow name="one">{null}</strict.Workflow>);

/** An engine with `count` runs that wait for a worker. */
async function withFreeRuns(count: number) {
  const engine = testEngine();
  for (let at = 0; at < count; at += 1) {
    const handle = await engine.start(workflow);
    handle.release();
    await handle.result;
  }
  const claim = (pid: number, limit: number) =>
    claimResumable(engine.store, {
      isAlive: () => true,
      host: OWNER.host,
      nowMs: engine.clock.now(),
      owner: { ...OWNER, pid },
      limit,
    });
  return { ...engine, claim };
}

test("two workers claim different runs, and resume what they claimed", async () => {
  const engine = await withFreeRuns(5);

  const [first, second] = [await engine.claim(2, 3), await engine.claim(3, 3)];

  expect([first.length, second.length]).toEqual([3, 2]);
  expect(new Set([...first, ...second].map(({ run }) => run.runId)).size).toBe(5);
  for (const claimed of [...first, ...second]) {
    const handle = await engine.resume(workflow, claimed.run.runId, { claimed, isAlive: () => true });
    expect((await handle.result).status).toBe("finished");
  }
});

test("a claimed run that cannot be resumed here is free again, as it was", async () => {
  const engine = await withFreeRuns(1);
  const [claimed] = await engine.claim(2, 1);
  if (!claimed) throw new Error("nothing was claimed");
  const { runId } = claimed.run;

  const resumed = resumeRun({ ...engine, workflow: strictWorkflow, runId, claimed, isAlive: () => true });

  await expect(resumed).rejects.toMatchObject({ code: "INVALID_INPUT" });
  expect(await engine.store.run(runId)).toMatchObject({ owner: null, status: "running" });
  expect(await engine.claim(3, 1)).toHaveLength(1);
});
