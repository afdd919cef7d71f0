/** @jsxImportSource @smooth/workflow */
/** The rules about a task's agent session in a person's hands: `hijack`, `onHijackExit`, and taking over out of the work. */
import { findResumable } from "@smooth/engine/control";
import { endHijack, hijackTask } from "@smooth/engine/hijack";
import type { GenerateArgs } from "@smooth/engine/task";
import { retryTask } from "@smooth/engine/time-travel/verbs";
import type { TaskScope } from "@smooth/engine/tool-log";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { outputs, smithers, Task, Workflow } from "../testing/rules.ts";
import { OWNER, runToEnd, testEngine } from "../testing/run-in-memory.ts";

interface Props {
  readonly hijack?: boolean;
  readonly onHijackExit?: "complete" | "reopen";
  readonly needsApproval?: boolean;
}

/** A chat agent whose session is a list of what was said; a person may speak in it too. */
function chat(
  props: Props,
  speak: (args: GenerateArgs) => Promise<unknown> = async () => ({ output: { text: "agent" } }),
  retries = 0,
) {
  const sessions: unknown[] = [];
  const generate = (args: GenerateArgs) => {
    sessions.push(args.session);
    return speak(args);
  };
  const workflow = smithers(() => (
    <Workflow name="chat">
      <Task id="a" output={outputs.text} agent={{ hijackEngine: "chat", generate }} retries={retries} {...props}>
        Talk.
      </Task>
    </Workflow>
  ));
  return { workflow, sessions };
}
const me = (runId: string) => ({ runId, nodeId: "a", iteration: 0, by: "ann", atMs: 1 });

test("J1: with hijack the session is handed over before the agent is asked; complete: the person's answer is the row", async () => {
  const engine = testEngine();
  const { workflow, sessions } = chat({ hijack: true });
  const first = await engine.start(workflow);
  expect(await first.result).toMatchObject({ status: "waiting-event", waiting: [{ nodeId: "a" }] });
  expect(await hijackTask(engine.store, me(first.runId))).toEqual({ kind: "ready", engine: "chat", session: null });

  await endHijack(engine.store, { ...me(first.runId), session: ["hello"], output: { text: "by hand" } });
  const check = { isAlive: () => true, host: OWNER.host, nowMs: engine.clock.now() };
  expect(await findResumable(engine.store, check)).toMatchObject([{ run: { runId: first.runId } }]);
  const second = await engine.resume(workflow, first.runId);

  expect((await second.result).status).toBe("finished");
  expect(sessions).toEqual([]);
  expect((await engine.store.outputs(first.runId, workflow.registry.find("text")))[0]?.cells[0]).toBe("by hand");
});

test("a session of more than 64 KB is refused where it is reported", async () => {
  const { workflow } = chat({}, async ({ reportSession }) => {
    reportSession("x".repeat(64 * 1024));
    return { output: { text: "too late" } };
  });

  expect((await runToEnd(workflow)).result).toMatchObject({ status: "failed", error: { code: "PAYLOAD_TOO_LARGE" } });
});

test("the session that was reported last reaches the next attempt, whatever an attempt that is over reports", async () => {
  const said: GenerateArgs["reportSession"][] = [];
  const speak = async ({ attempt, reportSession }: GenerateArgs) => {
    said.push(reportSession);
    for (const at of ["a", "b", "a"]) reportSession(at);
    said[attempt - 2]?.("late");
    if (attempt === 3) return { output: { text: "hi" } };
    throw new Error("again");
  };
  const { workflow, sessions } = chat({}, speak, 2);
  const engine = testEngine();
  const { result } = await engine.start(workflow);
  await engine.clock.advance(10_000);
  await engine.clock.advance(10_000);

  expect((await result).status).toBe("finished");
  expect(sessions).toEqual([null, "a", "a"]);
});

test("a task that is sent back begins a session of its own", async () => {
  const engine = testEngine();
  const { workflow, sessions } = chat({}, async ({ reportSession }) => {
    reportSession(["said"]);
    return { output: { text: "hi" } };
  });
  const first = await engine.start(workflow);
  await first.result;

  await retryTask({ ...engine, workflow, vcs: null, isAlive: () => false }, me(first.runId));
  await (
    await engine.resume(workflow, first.runId)
  ).result;

  expect(sessions).toEqual([null, null]);
});

test("J3: reopen: the task goes on in the session as the person gave it back", async () => {
  const engine = testEngine();
  const { workflow, sessions } = chat({ hijack: true, onHijackExit: "reopen" });
  const first = await engine.start(workflow);
  await first.result;

  await endHijack(engine.store, { ...me(first.runId), session: ["hello", "world"] });

  expect((await (await engine.resume(workflow, first.runId)).result).status).toBe("finished");
  expect(sessions).toEqual([["hello", "world"]]);
});

test("an end that does not fit the output is refused, and the session stays in hand; a second end is refused too", async () => {
  const engine = testEngine();
  const { runId, result } = await engine.start(chat({ hijack: true }).workflow);
  await result;

  await expect(endHijack(engine.store, { ...me(runId), session: null, output: { text: 7 } })).rejects.toMatchObject({
    code: "INVALID_INPUT",
  });
  await endHijack(engine.store, { ...me(runId), session: null, output: { text: "x" } });
  await (
    await engine.resume(chat({ hijack: true }).workflow, runId)
  ).result;
  await expect(endHijack(engine.store, { ...me(runId), session: null })).rejects.toMatchObject({ code: "ASK_VOID" });
});

test("an approval comes first, then the person; each once", async () => {
  const engine = testEngine();
  const { workflow } = chat({ hijack: true, onHijackExit: "reopen", needsApproval: true });
  const { runId, result } = await engine.start(workflow);
  expect((await result).status).toBe("waiting-approval");
  await engine.store.decide({ ...me(runId), decision: { verdict: "approve" } });
  expect((await (await engine.resume(workflow, runId)).result).status).toBe("waiting-event");
  await endHijack(engine.store, { ...me(runId), session: null });

  expect((await (await engine.resume(workflow, runId)).result).status).toBe("finished");
});

test("J1: out of its work a session is taken between tool calls, costs no retry, and comes back to the next attempt", async () => {
  const engine = testEngine();
  const tool = Promise.withResolvers<void>();
  let scope: TaskScope | undefined;
  let abortedAtWork = true;
  const around = <T,>(given: TaskScope, body: () => Promise<T>): Promise<T> => ((scope = given), body());
  const { workflow, sessions } = chat({}, async ({ attempt, signal, reportSession }) => {
    if (attempt > 1) return { output: { text: "done" } };
    reportSession({ id: "s-1" });
    const end = await scope?.toolLog.begin({ tool: "build", sideEffect: false, idempotent: true, input: "" });
    await tool.promise;
    abortedAtWork = signal.aborted;
    end?.({ status: "success", output: "" });
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));
  });
  const handle = await engine.start(workflow, { around });
  await settle();

  expect(await hijackTask(engine.store, me(handle.runId))).toEqual({ kind: "requested" });
  await settle();
  tool.resolve();
  expect(await handle.result).toMatchObject({ status: "waiting-event" });
  expect(abortedAtWork).toBe(false);
  expect(await hijackTask(engine.store, me(handle.runId))).toEqual({
    kind: "ready",
    engine: "chat",
    session: { id: "s-1" },
  });
  await endHijack(engine.store, { ...me(handle.runId), session: { id: "s-1", turns: 4 } });

  expect((await (await engine.resume(workflow, handle.runId, { around })).result).status).toBe("finished");
  expect(sessions).toEqual([null, { id: "s-1", turns: 4 }]);
  expect(engine.trace().filter((line) => line.startsWith("node.failed"))).toEqual([]);
});

test("a session that was asked for when its process died is handed over by the next one", async () => {
  const engine = testEngine();
  const { workflow } = chat({}, () => new Promise(() => {}));
  const first = await engine.start(workflow);
  await settle();
  first.release();
  await engine.store.post({
    runId: first.runId,
    event: { type: "hijack.requested", nodeId: "a", iteration: 0, by: "ann" },
    atMs: 1,
  });
  await engine.clock.advance(6_000);
  await first.result;

  expect((await (await engine.resume(workflow, first.runId)).result).status).toBe("waiting-event");
});

test("an agent that names no engine cannot be handed over: with hijack before anything runs, else when it is asked for", async () => {
  const mute = { generate: () => new Promise<unknown>(() => {}) };
  const of = (props: Props) =>
    smithers(() => (
      <Workflow name="mute">
        <Task id="a" output={outputs.text} agent={mute} {...props}>
          Talk.
        </Task>
      </Workflow>
    ));
  expect((await runToEnd(of({ hijack: true }))).result).toMatchObject({
    status: "failed",
    error: { code: "TASK_HIJACK_UNSUPPORTED" },
  });

  const engine = testEngine();
  const handle = await engine.start(of({}));
  await settle();
  expect(await hijackTask(engine.store, me(handle.runId))).toEqual({ kind: "requested" });
  await settle();
  await expect(hijackTask(engine.store, me(handle.runId))).rejects.toMatchObject({ code: "TASK_HIJACK_UNSUPPORTED" });
  expect((await engine.store.run(handle.runId))?.status).toBe("running");
  handle.cancel();
  await engine.clock.advance(5_000);
  await handle.result;
  await expect(hijackTask(engine.store, me("run-none"))).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});
