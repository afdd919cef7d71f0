/** @jsxImportSource @smooth/workflow */
/** Whatever an agent does, its task ends with a typed error (or an answer), the run ends too, and nothing is lost. */
import type { AgentLike, GenerateArgs } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "./create-smithers.ts";
import { runToEnd, testEngine } from "./testing/run-in-memory.ts";

const { Workflow, Task, smithers, outputs } = createSmithers({
  before: z.object({ n: z.number() }),
  text: z.object({ text: z.string() }),
  anything: z.object({ value: z.unknown() }),
  list: z.object({ list: z.array(z.number()) }),
  output: z.object({ text: z.string() }),
});

const asked = (generate: (args: GenerateArgs) => unknown, extra: Partial<AgentLike> = {}): AgentLike => ({
  ...extra,
  generate: async (args) => generate(args),
});
const flow = (agent: AgentLike | AgentLike[], { output = outputs.text, timeoutMs = 60_000 } = {}) =>
  smithers(() => (
    <Workflow name="garbage">
      <Task id="before" output={outputs.before}>
        {{ n: 1 }}
      </Task>
      <Task id="a" output={output as typeof outputs.text} agent={agent} retries={0} timeoutMs={timeoutMs}>
        say
      </Task>
    </Workflow>
  ));
const resultOf = async (generate: (args: GenerateArgs) => unknown) => (await runToEnd(flow(asked(generate)))).result;

const cyclic: Record<string, unknown> = { text: "round" };
cyclic["self"] = cyclic;
const trap = (): never => {
  throw new Error("do not touch");
};
const touchy = {
  get text(): string {
    return trap();
  },
  get output(): unknown {
    return trap();
  },
};
const proxy = new Proxy(
  {},
  { get: trap, has: trap, ownKeys: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap },
);
const deep = (levels: number): unknown => {
  let value: unknown = null;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
};
async function* endless() {
  for (;;) yield "word ";
}

test.each<[string, () => unknown]>([
  ["nothing", () => undefined],
  ["null", () => null],
  ["a number", () => 42],
  ["an empty object", () => ({})],
  ["the wrong shape", () => ({ output: { wrong: 1 } })],
  ["an array", () => ({ output: [1, 2] })],
  ["half a JSON document", () => '{"text": "ha'],
  ["a stream without end", () => ({ text: endless(), textStream: endless() })],
  ["an iterator without end", () => endless()],
  ["getters that throw", () => touchy],
  ["a structured output with getters that throw", () => ({ output: touchy })],
  ["a proxy that refuses everything", () => ({ output: proxy })],
  ["a text in a promise", () => ({ text: Promise.resolve("x") })],
  ["a function", () => () => "text"],
  ["a million fences without end", () => "```json\n".repeat(1_000_000)],
  ["a million brackets", () => "[".repeat(1_000_000)],
])("%s is INVALID_OUTPUT, and what was recorded before stays", async (_, answer) => {
  const run = await runToEnd(flow(asked(answer)));

  expect(run.result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT", nodeId: "a" } });
  expect(run.trace()).toContain("node.finished before#0");
});

test("100 MB of text are refused by their length, and asked for once only", async () => {
  const huge = "x".repeat(100_000_000);
  let asks = 0;

  const result = await resultOf(() => {
    asks += 1;
    return { text: huge };
  });

  expect(result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
  expect(JSON.stringify(result)).toMatch(/100000000 characters; the limit is \d+/);
  expect(asks).toBe(1);
});

test("a wrong answer of many megabytes does not come back in the correction", async () => {
  const asks: number[] = [];

  await resultOf(({ prompt }) => {
    asks.push(prompt.length);
    return { output: { text: Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`k${at}`, at])) } };
  });
  const many = asked(({ prompt }) => {
    asks.push(prompt.length);
    return { output: { list: Array.from({ length: 10_000 }, () => "no number") } };
  });
  await runToEnd(flow(many, { output: outputs.list as never }));

  expect(Math.max(...asks)).toBeLessThan(20_000);
});

test("a circle is recorded where the schema leaves it out, and INVALID_OUTPUT where it would be in the row", async () => {
  const cut = await resultOf(() => ({ output: cyclic }));
  const kept = await runToEnd(
    flow(
      asked(() => ({ output: { value: cyclic } })),
      { output: outputs.anything as never },
    ),
  );

  expect(cut).toMatchObject({ status: "finished" });
  expect(kept.result).toMatchObject({
    status: "failed",
    error: { code: "INVALID_OUTPUT", message: expect.stringContaining("cannot be recorded") },
  });
});

test("depth without end is INVALID_OUTPUT, not a dead loop", async () => {
  const run = await runToEnd(
    flow(
      asked(() => ({ output: { value: deep(50_000) } })),
      { output: outputs.anything as never },
    ),
  );

  expect(run.result).toMatchObject({ status: "failed", error: { code: "INVALID_OUTPUT" } });
});

test("half a character becomes U+FFFD when it is recorded, so that live and resumed runs read the same", async () => {
  const { result } = await runToEnd(
    flow(
      asked(() => ({ output: { text: "\ud800 and \udfff" } })),
      { output: outputs.output },
    ),
  );

  expect(result).toMatchObject({ status: "finished", output: { text: "\ufffd and \ufffd" } });
});

test.each<[string, unknown]>([
  ["a string", "no"],
  ["nothing", undefined],
  ["an object without a prototype", Object.create(null)],
  ["a proxy that refuses everything", proxy],
  ["an error whose message throws", Object.defineProperty(new Error("x"), "message", { get: trap })],
])("throwing %s is TASK_FAILED", async (_, thrown) => {
  const { promise, reject } = Promise.withResolvers();
  reject(thrown);

  expect(await resultOf(() => promise)).toMatchObject({
    status: "failed",
    error: { code: "TASK_FAILED", nodeId: "a" },
  });
});

test("throwing before there is a promise is TASK_FAILED", async () => {
  const run = await runToEnd(
    flow({
      generate: () => {
        throw new Error("at once");
      },
    }),
  );

  expect(run.result).toMatchObject({ status: "failed", error: { code: "TASK_FAILED", message: "at once" } });
});

test("an answer that never comes is TASK_TIMEOUT, or TASK_HEARTBEAT_TIMEOUT after ten minutes", async () => {
  const never = asked(() => new Promise(() => {}));
  const timed = testEngine();
  const silent = testEngine();
  const first = await timed.start(flow(never, { timeoutMs: 1_000 }));
  const second = await silent.start(flow(never, { timeoutMs: 3_600_000 }));

  await settle();
  await timed.clock.advance(1_001);
  await silent.clock.advance(600_001);

  expect(await first.result).toMatchObject({ status: "failed", error: { code: "TASK_TIMEOUT" } });
  expect(await second.result).toMatchObject({ status: "failed", error: { code: "TASK_HEARTBEAT_TIMEOUT" } });
});

test("an agent that goes on after its timeout changes nothing any more", async () => {
  const engine = testEngine();
  const asks: GenerateArgs[] = [];
  const answers = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
  const agents = answers.map(({ promise }) => asked((args) => (asks.push(args), promise)));
  const handle = await engine.start(flow(agents, { timeoutMs: 1_000 }));
  await settle();
  await engine.clock.advance(1_001);
  await settle();
  expect(asks).toHaveLength(2);

  asks[0]?.heartbeat({ still: "here" });
  asks[0]?.reportUsage({ inputTokens: 5 });
  answers[0]?.resolve({ output: { text: "late" }, usage: { inputTokens: 6 } });
  await settle();
  answers[1]?.resolve({ output: { text: "in time" } });
  const result = await handle.result;

  expect(result).toMatchObject({ status: "finished" });
  expect(engine.trace().filter((line) => !line.startsWith("node.started"))).toEqual([
    "node.finished before#0",
    "node.failed a#0",
    "node.finished a#0",
  ]);
});

test("a chain goes on to the next agent, whatever the first one does", async () => {
  const good = asked(() => ({ output: { text: "ok" } }));

  for (const bad of [() => proxy, trap, () => "x".repeat(20_000_000), () => ({ output: { text: 1 } })])
    expect((await runToEnd(flow([asked(bad), good]))).result).toMatchObject({ status: "finished" });
});
