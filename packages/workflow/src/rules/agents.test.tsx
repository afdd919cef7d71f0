/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §3 about agents: what they are asked and how an answer is read. */
import { SmoothError } from "@smooth/protocol/errors";
import { retryTask } from "@smooth/engine/time-travel/verbs";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { agent, Approval, Loop, outputs, Sequence, smithers, Task, Workflow } from "../testing/rules.ts";
import { decideAsk, runToEnd, testEngine } from "../testing/run-in-memory.ts";

const asks = (by: ReturnType<typeof agent> | ReturnType<typeof agent>[], retries = 0) =>
  smithers(() => (
    <Workflow name="agent">
      <Task id="a" output={outputs.text} agent={by} retries={retries}>
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

test("an agent is told what its answer must be, not what the schema makes of it", async () => {
  const own = createSmithers({
    row: z.object({ size: z.string().pipe(z.transform(Number)).pipe(z.number()), on: z.stringbool() }),
  });
  const one = agent({ output: { size: "7", on: "yes" } });
  const { result } = await runToEnd(
    own.smithers(() => (
      <own.Workflow name="told">
        <own.Task id="a" output={own.outputs.row} agent={one}>
          How big?
        </own.Task>
      </own.Workflow>
    )),
  );

  expect(result.status).toBe("finished");
  expect(one.asked[0]?.prompt).toContain('"properties":{"size":{"type":"string"},"on":{"type":"string"}}');
  expect(one.asked[0]?.prompt).toContain('"additionalProperties":false');
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

const hi = { output: { text: "hi" } };
const down = new Error("down");
const noKey = new SmoothError("AGENT_CONFIG_INVALID", "no key");

test.each([
  ["first, before one that works", 0, [[noKey], [hi], [down]], "finished", [1, 1, 0]],
  ["first, with retries", 1, [[noKey], [down, hi]], "finished", [1, 2]],
  ["last", 0, [[down], [down], [noKey]], "failed", [1, 1, 1]],
  ["in the middle", 1, [[down], [noKey], [down]], "failed", [2, 1, 2]],
])(
  "B2: wherever an agent without use stands in a chain, each other has its attempts: %s",
  async (_, retries, answers, status, asked) => {
    const chain = answers.map((given) => agent(...given));
    const engine = testEngine();
    const { result } = await engine.start(asks(chain, retries));
    await engine.clock.advance(5_000);
    await engine.clock.advance(5_000);

    expect((await result).status).toBe(status);
    expect(chain.map((each) => each.asked.length)).toEqual(asked);
  },
);

test("B2: nobody waits between the agents of one round, and everybody between two", async () => {
  const engine = testEngine();
  const { result } = await engine.start(asks([agent(down), agent(down)], 1), { random: () => 1 });
  await engine.clock.advance(5_000);
  await engine.clock.advance(5_000);
  await result;

  const waits = engine.events.flatMap((event) =>
    event.type === "node.failed" ? [event.retryAtMs === null ? null : event.retryAtMs - event.atMs] : [],
  );
  expect(waits).toEqual([0, 1_000, 0, null]);
});

test("an agent that stands twice in a chain is asked twice", async () => {
  const one = agent(down, down, hi);

  expect((await runToEnd(asks([one, one]))).result.status).toBe("failed");
  expect(one.asked).toHaveLength(2);
});

test("an agent without use (its key, its configuration) is not asked again in this run, and costs no retry", async () => {
  const broken = agent(new SmoothError("AGENT_CONFIG_INVALID", "no key"));
  const works = agent({ output: { text: "hi" } });
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="twice">
        {["a", "b"].map((id) => (
          <Task key={id} id={id} output={outputs.text} agent={[broken, works]} retries={0}>
            Say it.
          </Task>
        ))}
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("finished");
  expect([broken.asked.length, works.asked.length]).toEqual([1, 2]);
});

describe("another process that takes the run up", () => {
  const twice = () => {
    const broken = agent(new SmoothError("AGENT_CONFIG_INVALID", "no key"));
    const works = agent({ output: { text: "hi" } });
    const workflow = smithers((ctx) => (
      <Workflow name="twice">
        <Loop id="l" until={ctx.iterationCount(outputs.text, "b") === 2}>
          <Sequence>
            {["a", "b"].map((id) => (
              <Task key={id} id={id} output={outputs.text} agent={[broken, works]} retries={0}>
                Say it.
              </Task>
            ))}
            <Approval id="ask" output={outputs.decision} request={{ title: "Again?" }} />
          </Sequence>
        </Loop>
      </Workflow>
    ));
    return { broken, works, workflow };
  };

  test("B2: it does not ask an agent without use again", async () => {
    const engine = testEngine();
    const first = twice();
    await (
      await engine.start(first.workflow, { runId: "r" })
    ).result;
    await decideAsk(engine, "r", "approve");

    const later = twice();
    await (
      await engine.resume(later.workflow, "r")
    ).result;

    expect([first.broken, first.works, later.broken, later.works].map(({ asked }) => asked.length)).toEqual([
      1, 2, 0, 2,
    ]);
  });

  test("it does when somebody has sent the task back: the key may have been mended", async () => {
    const engine = testEngine();
    await (
      await engine.start(twice().workflow, { runId: "r" })
    ).result;
    const { workflow } = twice();
    const deps = { ...engine, workflow, vcs: null, isAlive: () => false };
    await retryTask(deps, { runId: "r", nodeId: "a", iteration: 0, by: "ann" });

    const later = twice();
    await (
      await engine.resume(later.workflow, "r")
    ).result;

    expect(later.broken.asked).toHaveLength(1);
  });
});

test("fallbackAgent is the end of the chain, also where it is the only one; a prompt may be written as elements", async () => {
  const down = agent(new Error("down"));
  const last = agent({ output: { text: "hi" } });
  const prompt = (
    <>
      {"Say "}
      <>{"it."}</>
    </>
  );
  const run = await runToEnd(
    smithers(() => (
      <Workflow name="fallback">
        <Task id="a" output={outputs.text} agent={down} fallbackAgent={last} retries={0}>
          {prompt}
        </Task>
        <Task id="b" output={outputs.text} fallbackAgent={last} retries={0}>
          {prompt}
        </Task>
      </Workflow>
    )),
  );

  expect(run.result.status).toBe("finished");
  expect(last.asked.map((args) => args.prompt.split("\n")[0])).toEqual(["Say it.", "Say it."]);
});

test("a retry counts rounds of the chain: every agent is asked once per round", async () => {
  const engine = testEngine();
  const first = agent(new Error("down"));
  const second = agent(new Error("down"));
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="rounds">
        <Task
          id="a"
          output={outputs.text}
          agent={[first, second]}
          retries={2}
          retryPolicy={{ backoff: "fixed", initialDelayMs: 10 }}
        >
          Say it.
        </Task>
      </Workflow>
    )),
  );
  await engine.clock.advance(1_000);

  expect((await handle.result).status).toBe("failed");
  expect([first.asked.length, second.asked.length]).toEqual([3, 3]);
});

test("timeoutMs and the 10 minutes of silence hold for agents too", async () => {
  for (const [props, afterMs, code] of [
    [{ timeoutMs: 1_000 }, 1_000, "TASK_TIMEOUT"],
    [{}, 600_000, "TASK_HEARTBEAT_TIMEOUT"],
  ] as const) {
    const engine = testEngine();
    const silent = { generate: () => new Promise(() => {}) };
    const handle = await engine.start(
      smithers(() => (
        <Workflow name="silent">
          <Task id="a" output={outputs.text} agent={silent} retries={0} {...props}>
            Say it.
          </Task>
        </Workflow>
      )),
    );
    await engine.clock.advance(afterMs);

    expect(await handle.result).toMatchObject({ status: "failed", error: { code } });
  }
});

test("a function child with deps gives the prompt from typed rows", async () => {
  const one = agent({ output: { text: "hi" } });
  await runToEnd(
    smithers(() => (
      <Workflow name="deps">
        <Task id="up" output={outputs.n}>
          {{ n: 3 }}
        </Task>
        <Task id="a" output={outputs.text} agent={one} deps={{ up: outputs.n }}>
          {(deps) => `Count to ${deps.up.n + 1}.`}
        </Task>
      </Workflow>
    )),
  );

  expect(one.asked[0]?.prompt).toMatch(/^Count to 4\.\n/);
});
