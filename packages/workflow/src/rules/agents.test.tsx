/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §3 about agents: what they are asked and how an answer is read. */
import { expect, test } from "vitest";
import { Workflow, Task, smithers, outputs, agent } from "../testing/rules.ts";
import { runToEnd } from "../testing/run-in-memory.ts";

const asks = (by: ReturnType<typeof agent> | ReturnType<typeof agent>[]) =>
  smithers(() => (
    <Workflow name="agent">
      <Task id="a" output={outputs.text} agent={by} retries={0}>
        {"  Say  it.\n"}
      </Task>
    </Workflow>
  ));

test.each([
  ["native output", { output: { text: "hi" } }],
  ["whole text", { text: '{"text":"hi"}' }],
  ["the last json fence", '```json\n{"text":"no"}\n```\nor better\n```json\n{"text":"hi"}\n```'],
  ["the last balanced object", 'I think {"text":"no"} or {"text":"h{i"} .'.replace("h{i", "hi")],
])("reads %s", async (_, answer) => {
  const one = agent(answer);

  const run = await runToEnd(asks(one));

  expect(run.result.status).toBe("finished");
  expect(one.asked).toHaveLength(1);
});

test("A1: the prompt arrives byte for byte, with the JSON Schema after it", async () => {
  const one = agent({ output: { text: "hi" } });
  await runToEnd(asks(one));

  expect(one.asked[0]?.prompt.startsWith("  Say  it.\n\n\n")).toBe(true);
  expect(one.asked[0]?.prompt).toContain('"properties":{"text":{"type":"string"}}');
});

test("A2: a wrong shape is corrected in the same conversation, at most three times, and is not a retry", async () => {
  const good = agent(
    { output: { wrong: 1 } },
    { output: { wrong: 2 } },
    { output: { wrong: 3 } },
    { output: { text: "hi" } },
  );
  const bad = agent({ output: { wrong: 1 } });

  expect((await runToEnd(asks(good))).result.status).toBe("finished");
  expect(good.asked[3]?.conversation).toHaveLength(6);
  expect((await runToEnd(asks(bad))).result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
  expect(bad.asked).toHaveLength(4);
});

test("no JSON at all gets one JSON-only follow-up", async () => {
  const one = agent("Sure! Done.", '{"text":"hi"}');
  const mute = agent("Sure!");

  expect((await runToEnd(asks(one))).result.status).toBe("finished");
  expect((await runToEnd(asks(mute))).result.status).toBe("failed");
  expect(mute.asked).toHaveLength(2);
});

test("the next agent of a chain is tried on failure even without retries", async () => {
  const first = agent(new Error("down"));
  const second = agent({ output: { text: "hi" } });

  expect((await runToEnd(asks([first, second]))).result.status).toBe("finished");
  expect([first.asked.length, second.asked.length]).toEqual([1, 1]);
});
