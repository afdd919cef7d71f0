/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §5 about questions from inside a task. */
import { answerHuman, cancelHuman, listHumanRequests } from "@smooth/engine/human";
import type { Question, TaskContext } from "@smooth/engine/task";
import { why } from "@smooth/engine/why";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const { Workflow, Task, smithers, outputs } = createSmithers({ text: z.object({ text: z.string() }) });
const asking = (question: Question<z.ZodType>, props: object = {}, after = async (): Promise<void> => {}) =>
  smithers(() => (
    <Workflow name="asking">
      <Task id="deploy" output={outputs.text} noRetry {...props}>
        {async ({ ask }: TaskContext) => {
          const text = String(await ask(question));
          await after();
          return { text };
        }}
      </Task>
    </Workflow>
  ));

function engineWith() {
  const engine = testEngine();
  const open = async () => await listHumanRequests(engine.store, { runId: "r" });
  const from = async () => ({ requestId: (await open())[0]?.requestId ?? "none", by: "ann", atMs: 1 });
  return {
    ...engine,
    open,
    answer: async (value: string) => answerHuman(engine.store, { ...(await from()), value }),
    cancel: async () => cancelHuman(engine.store, await from()),
  };
}

test("the body blocks until a person has answered with one of the choices, however long that takes", async () => {
  const engine = engineWith();
  const workflow = asking({ prompt: "Which target?", choices: ["v1", "v2"] }, { heartbeatTimeoutMs: 1_000 });
  const { result } = await engine.start(workflow, { runId: "r" });
  await settle();
  expect(await engine.open()).toMatchObject([
    { nodeId: "deploy", prompt: "Which target?", schema: { enum: ["v1", "v2"] } },
  ]);
  expect((await why(engine.store, "r")).reasons).toMatchObject([{ kind: "human", node: { nodeId: "deploy" } }]);
  await engine.clock.advance(3_600_000);

  await expect(engine.answer("v3")).rejects.toMatchObject({ code: "INVALID_INPUT" });
  await engine.answer("v2");
  await settle();

  expect((await result).status).toBe("finished");
  const [row] = await engine.store.outputs("r", workflow.registry.tables[0]!);
  expect(row?.cells[0]).toBe("v2");
});

test("K1: after a crash the same question is not asked again, and its answer is used", async () => {
  const engine = engineWith();
  const gate = Promise.withResolvers<void>();
  await engine.start(
    asking({ prompt: "Go?" }, {}, () => gate.promise),
    { runId: "r" },
  );
  await settle();
  await engine.answer("yes");
  await settle(); // and the process dies while its body works on

  const resumed = await engine.resume(asking({ prompt: "Go?" }), "r");

  expect((await resumed.result).status).toBe("finished");
  expect((await engine.store.events("r", 0)).filter((event) => event.type === "human.asked")).toHaveLength(1);
});

test("K1: a question that is still open at a crash is found again", async () => {
  const engine = engineWith();
  await engine.start(asking({ prompt: "Go?" }), { runId: "r" });
  await settle();
  const resumed = await engine.resume(asking({ prompt: "Go?" }), "r");
  await settle();
  expect(await engine.open()).toHaveLength(1);

  await engine.answer("yes");
  await settle();
  expect((await resumed.result).status).toBe("finished");
});

test("refused, the task fails and is not tried again; nobody in time is TIMED_OUT", async () => {
  const engine = engineWith();
  const { result } = await engine.start(asking({ prompt: "Go?" }, { noRetry: undefined }), { runId: "r" });
  await settle();
  await engine.cancel();
  await settle();
  expect(await result).toMatchObject({ status: "failed", error: { code: "HUMAN_TASK_CANCELLED" } });

  const late = engineWith();
  const slow = await late.start(asking({ prompt: "Go?", timeoutMs: 60_000 }), { runId: "r" });
  await late.clock.advance(61_000);
  expect(await slow.result).toMatchObject({ status: "failed", error: { code: "TIMED_OUT" } });
});

test("K1: the same question asked twice in one attempt is two questions", async () => {
  const engine = engineWith();
  const workflow = smithers(() => (
    <Workflow name="twice">
      <Task id="deploy" output={outputs.text} noRetry>
        {async ({ ask }: TaskContext) => ({
          text: `${await ask({ prompt: "And?" })} ${await ask({ prompt: "And?" })}`,
        })}
      </Task>
    </Workflow>
  ));
  const { result } = await engine.start(workflow, { runId: "r" });
  await settle();
  await engine.answer("one");
  await settle();
  expect(await engine.open()).toHaveLength(1);
  await engine.answer("two");
  await result;

  const table = workflow.registry.find("text");
  expect((await engine.store.outputs("r", table))[0]?.cells[0]).toBe("one two");
});
