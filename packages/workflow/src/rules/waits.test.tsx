/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §5 that all waits share. */
import type { ReactElement } from "react";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const { Workflow, Approval, HumanTask, WaitForEvent, Timer, Task, Parallel, smithers, outputs } = createSmithers({
  any: z.looseObject({}),
});
const elements: Readonly<Record<string, ReactElement>> = {
  approval: <Approval id="w" output={outputs.any} request={{ title: "?" }} />,
  human: <HumanTask id="w" output={outputs.any} prompt="?" />,
  signal: <WaitForEvent id="w" event="go" output={outputs.any} />,
  timer: <Timer id="w" duration="1d" />,
  task: (
    <Task id="w" output={outputs.any} needsApproval>
      {() => ({})}
    </Task>
  ),
};
const waiting = (kind: string) => smithers(() => <Workflow name="edited">{elements[kind]}</Workflow>);

test.each([
  ["approval", "human"],
  ["human", "signal"],
  ["signal", "timer"],
  ["timer", "approval"],
  ["signal", "task"],
])("a node that waited for its %s and is another element now (%s) fails by name", async (before, after) => {
  const engine = testEngine();
  const { runId, result } = await engine.start(waiting(before));
  expect((await result).status).toMatch(/^waiting-/);

  const resumed = await engine.resume(waiting(after), runId);

  expect(await resumed.result).toMatchObject({
    status: "failed",
    error: {
      code: "INVALID_INPUT",
      message: `node w waited for ${before} and is of type ${after} now; give the new element another id`,
    },
  });
});

test("W3: a run that waits for several things is called after the first of approval, signal and timer", async () => {
  const { approval, signal, timer } = elements;
  const named = (element: ReactElement | undefined, id: string) => ({
    ...element,
    props: { ...(element?.props as object), id },
  });
  const statusOf = async (...kinds: readonly (ReactElement | undefined)[]) => {
    const workflow = smithers(() => (
      <Workflow name="several">
        <Parallel>{kinds.map((element, at) => named(element, `w${at}`) as ReactElement)}</Parallel>
      </Workflow>
    ));
    return (await (await testEngine().start(workflow)).result).status;
  };

  expect(await statusOf(timer, signal, approval)).toBe("waiting-approval");
  expect(await statusOf(timer, signal)).toBe("waiting-event");
  expect(await statusOf(timer)).toBe("waiting-timer");
});
