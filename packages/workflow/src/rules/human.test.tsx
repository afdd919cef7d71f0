/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §5 about questions to people. */
import { decideApproval, findResumable } from "@smooth/engine/control";
import { answerHuman, cancelHuman, listHumanRequests } from "@smooth/engine/human";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { OWNER, testEngine } from "../testing/run-in-memory.ts";

const { Workflow, Approval, HumanTask, Task, smithers, outputs } = createSmithers({
  review: z.object({ ok: z.boolean(), stars: z.int().refine((stars) => stars <= 5, "at most five stars") }),
  text: z.object({ text: z.string() }),
});
const review = (props: object = {}) =>
  smithers((ctx) => (
    <Workflow name="review">
      <HumanTask id="review" output={outputs.review} prompt={<h1>How was it?</h1>} label="Review" {...props} />
      <Task id="after" output={outputs.text}>
        {() => ({ text: String(ctx.outputMaybe(outputs.review, "review")?.stars) })}
      </Task>
    </Workflow>
  ));

function asking() {
  const engine = testEngine();
  const requests = () => listHumanRequests(engine.store, { runId: "r" });
  const open = async () => (await requests())[0]?.requestId ?? "none";
  const from = { by: "ann", atMs: 5 };
  return {
    ...engine,
    requests,
    run: async (workflow: ReturnType<typeof review>) => (await engine.start(workflow, { runId: "r" })).result,
    resume: async (workflow: ReturnType<typeof review>) => (await engine.resume(workflow, "r")).result,
    answer: async (value: unknown) =>
      answerHuman(engine.store, { ...from, requestId: await open(), value: value as never }),
    cancel: async () => cancelHuman(engine.store, { ...from, requestId: await open(), note: "no time" }),
    due: async () =>
      (await findResumable(engine.store, { isAlive: () => true, host: OWNER.host, nowMs: engine.clock.now() })).length,
  };
}

describe("HumanTask", () => {
  test("waits as a row with its question and schema; the answer is its output", async () => {
    const engine = asking();
    expect(await engine.run(review())).toMatchObject({ status: "waiting-approval", waiting: [{ nodeId: "review" }] });
    expect(await engine.requests()).toMatchObject([
      { requestId: "r::review::0", title: "Review", schema: { properties: { ok: { type: "boolean" } } } },
    ]);
    expect((await engine.requests())[0]?.prompt).toContain("How was it?");

    await engine.answer({ ok: true, stars: 4 });

    expect(await engine.due()).toBe(1);
    expect((await engine.resume(review())).status).toBe("finished");
    const [row] = await engine.store.outputs("r", review().registry.tables[1]!);
    expect(row?.cells[0]).toBe("4");
    expect(await engine.requests()).toEqual([]);
  });

  test("H1: what does not fit is refused at once, or asked anew when only the workflow can tell", async () => {
    const engine = asking();
    await engine.run(review());

    await expect(engine.answer({ ok: "yes" })).rejects.toMatchObject({ code: "INVALID_INPUT" });
    await engine.answer({ ok: true, stars: 9 });
    expect((await engine.resume(review())).status).toBe("waiting-approval");
    expect(await engine.requests()).toMatchObject([{ nodeId: "review", requestId: "r::review@@ask=1::0" }]);
    await engine.answer({ ok: true, stars: 5 });

    expect((await engine.resume(review())).status).toBe("finished");
    const rejected = (await engine.store.events("r", 0)).filter((event) => event.type === "human.rejected");
    expect(rejected.map(({ problem }) => problem)).toEqual([
      expect.stringContaining("boolean"),
      expect.stringContaining("at most five stars"),
    ]);
  });

  test("after maxAttempts such answers the node fails", async () => {
    const engine = asking();
    const workflow = review({ maxAttempts: 2 });
    await engine.run(workflow);
    await expect(engine.answer({})).rejects.toMatchObject({ code: "INVALID_INPUT" });
    await expect(engine.answer("x")).rejects.toMatchObject({ code: "INVALID_INPUT" });

    expect(await engine.resume(workflow)).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
    expect(await engine.requests()).toEqual([]);
  });

  test("cancelled, it fails with HUMAN_TASK_CANCELLED, and nobody can answer any more", async () => {
    const engine = asking();
    await engine.run(review());
    await engine.cancel();

    expect(await engine.resume(review())).toMatchObject({
      status: "failed",
      error: { code: "HUMAN_TASK_CANCELLED", message: expect.stringContaining("no time") as string },
    });
    const late = { requestId: "r::review::0", value: { ok: true, stars: 1 }, by: "bob", atMs: 6 };
    await expect(answerHuman(engine.store, late)).rejects.toMatchObject({ code: "ALREADY_DECIDED" });
    await expect(answerHuman(engine.store, { ...late, requestId: "r::x::0" })).rejects.toMatchObject({
      code: "ASK_NOT_FOUND",
    });
  });

  test("nobody in time: it fails, unless continueOnFail", async () => {
    const engine = asking();
    const workflow = review({ timeoutMs: 60_000, continueOnFail: true });
    expect(await engine.run(workflow)).toMatchObject({ wakeAtMs: engine.clock.now() + 60_000 });
    await engine.clock.advance(60_000);

    expect((await engine.resume(workflow)).status).toBe("finished");
    expect(engine.trace()).toContain("node.failed review#0");
  });

  test("a question is not approved, and an approval takes no answer", async () => {
    const engine = asking();
    await engine.run(review());
    const decide = decideApproval(engine.store, {
      runId: "r",
      nodeId: "review",
      iteration: 0,
      decision: { verdict: "approve" },
      by: "ann",
      atMs: 1,
    });

    await expect(decide).rejects.toMatchObject({ code: "INVALID_INPUT" });
    const approval = smithers(() => (
      <Workflow name="approval">
        <Approval id="ask" output={outputs.text} request={{ title: "?" }} />
      </Workflow>
    ));
    const { runId, result } = await engine.start(approval, { runId: "a" });
    await result;
    const answer = { verdict: "answer", value: { text: "yes" } } as const;
    await expect(
      decideApproval(engine.store, { runId, nodeId: "ask", iteration: 0, decision: answer, by: "ann", atMs: 1 }),
    ).rejects.toMatchObject({ code: "INVALID_INPUT" });
  });

  test("a wait whose row is missing, as in a fork, is asked again", async () => {
    const engine = asking();
    await engine.run(review());
    const row = (await engine.store.run("r"))!;
    await engine.store.reset({
      runId: "r",
      epoch: row.epoch,
      atMs: 1,
      events: [],
      nodes: [{ nodeId: "review", iteration: 0 }],
      archive: [],
      status: "running",
    });
    expect(await engine.requests()).toEqual([]);

    expect((await engine.resume(review())).status).toBe("waiting-approval");
    expect(await engine.requests()).toHaveLength(1);
  });
});
