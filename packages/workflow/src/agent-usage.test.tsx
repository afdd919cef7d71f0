/** @jsxImportSource @smooth/workflow */
/** Tokens and words are events of the run, tokens counted once; an agent of the AI SDK is spoken to in its own words. */
import type { StoredEvent } from "@smooth/engine/events";
import type { AgentLike, GenerateArgs } from "@smooth/engine/task";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "./create-smithers.ts";
import { runToEnd, testEngine } from "./testing/run-in-memory.ts";

const { Workflow, Task, smithers, outputs } = createSmithers({ text: z.object({ text: z.string() }) });
const flow = (agent: AgentLike, retries = 0) =>
  smithers(() => (
    <Workflow name="usage">
      <Task id="a" output={outputs.text} agent={agent} retries={retries} retryPolicy={{ initialDelayMs: 0 }}>
        say
      </Task>
    </Workflow>
  ));
const wordsIn = (events: readonly StoredEvent[]) =>
  events.flatMap((event) => (event.type === "node.output" ? [`${event.stream} ${event.text}`] : []));
const usageIn = (events: readonly { readonly type: string }[]) => events.filter(({ type }) => type === "node.usage");

test("usage of a result is an event of its attempt, before the node ends", async () => {
  const agent: AgentLike = {
    id: "writer",
    generate: async () => ({
      output: { text: "hi" },
      usage: { inputTokens: 10, outputTokens: 2 },
      response: { modelId: "big" },
    }),
  };

  const run = await runToEnd(flow(agent));

  expect(run.trace()).toEqual(["node.started a#0", "node.usage a#0", "node.finished a#0"]);
  expect(usageIn(run.events)).toMatchObject([
    { attempt: 1, agent: "writer", model: "big", inputTokens: 10, outputTokens: 2, costUsd: null },
  ]);
});

test("every answer counts: corrections, and one that came with an error", async () => {
  let asks = 0;
  const agent: AgentLike = {
    generate: async () => {
      asks += 1;
      const usage = { inputTokens: asks };
      if (asks === 1) throw Object.assign(new Error("cut"), { usage });
      return { output: asks === 2 ? { wrong: 1 } : { text: "hi" }, usage };
    },
  };

  const run = await runToEnd(flow(agent, 1));

  expect(run.result.status).toBe("finished");
  expect(usageIn(run.events)).toMatchObject([
    { attempt: 1, inputTokens: 1 },
    { attempt: 2, inputTokens: 2 },
    { attempt: 2, inputTokens: 3 },
  ]);
});

test("what is reported on the way is written while the agent is at work, and not counted again with the result", async () => {
  const engine = testEngine();
  const done = Promise.withResolvers<void>();
  const agent: AgentLike = {
    generate: async ({ reportUsage }) => {
      reportUsage({ inputTokens: 4, model: "small" });
      await done.promise;
      return { output: { text: "hi" }, usage: { inputTokens: 4 } };
    },
  };
  const handle = await engine.start(flow(agent));
  await settle();
  const during = usageIn(await engine.store.events(handle.runId, 0));
  done.resolve();
  await handle.result;

  expect(during).toMatchObject([{ inputTokens: 4, model: "small" }]);
  expect(usageIn(engine.events)).toHaveLength(1);
});

test("W1: what an agent says on the way is gathered into few events, in order, and none is lost at the end", async () => {
  const engine = testEngine();
  const done = Promise.withResolvers<void>();
  const agent: AgentLike = {
    generate: async ({ onStdout, onStderr }) => {
      for (const word of ["one ", "two "]) onStdout(word);
      onStderr("hm");
      await done.promise;
      onStdout("three");
      onStdout(7 as never);
      return { output: { text: "hi" } };
    },
  };
  const handle = await engine.start(flow(agent));
  await settle();
  await engine.clock.advance(501);
  const during = wordsIn(await engine.store.events(handle.runId, 0));
  done.resolve();
  await handle.result;

  expect(during).toEqual(["stdout one two ", "stderr hm"]);
  expect(wordsIn(engine.events)).toEqual([...during, "stdout three"]);
  expect(engine.trace().at(-1)).toBe("node.finished a#0");
});

test("W2: an agent that talks without end fills no store, and after its timeout nobody listens", async () => {
  const engine = testEngine();
  const talk = Promise.withResolvers<(text: string) => void>();
  const agent: AgentLike = {
    generate: ({ onStdout }) => {
      for (let word = 0; word < 300; word += 1) onStdout("w".repeat(10_000));
      talk.resolve(onStdout);
      return new Promise(() => {});
    },
  };
  const handle = await engine.start(flow(agent));
  const onStdout = await talk.promise;
  for (let silence = 0; silence < 2; silence += 1) {
    await engine.clock.advance(600_001);
    await settle();
  }
  await handle.result;
  onStdout("late");
  await engine.clock.advance(501);

  const said = wordsIn(engine.events).join("");
  expect(said.length).toBeLessThan(1_000_100);
  expect(said).toMatch(/more was said and is not kept\]$/);
});

test("what an agent says and uses after its attempt is over is not heard, though the run goes on", async () => {
  const engine = testEngine();
  const go = Promise.withResolvers<{ text: string }>();
  const talk = Promise.withResolvers<GenerateArgs>();
  const agent: AgentLike = { generate: (args) => (talk.resolve(args), new Promise(() => {})) };
  const handle = await engine.start(
    smithers(() => (
      <Workflow name="late">
        <Task id="a" output={outputs.text} agent={agent} noRetry continueOnFail timeoutMs={10}>
          say
        </Task>
        <Task id="b" output={outputs.text}>
          {() => go.promise}
        </Task>
      </Workflow>
    )),
  );
  const { onStdout, reportUsage } = await talk.promise;
  await engine.clock.advance(11);
  await settle();
  onStdout("late");
  reportUsage({ inputTokens: 7 });
  await engine.clock.advance(501);
  go.resolve({ text: "b" });

  expect((await handle.result).status).toBe("finished");
  expect([...wordsIn(engine.events), ...usageIn(engine.events)]).toEqual([]);
});

test("K2: the steps of an AI SDK agent are proof of life, also those that say nothing", async () => {
  const engine = testEngine();
  const agent = {
    version: "agent-v1",
    async generate(call: { onStepFinish: (step: unknown) => void; abortSignal: AbortSignal }) {
      for (let minute = 0; minute < 15; minute += 1) {
        await engine.clock.sleep(60_000, call.abortSignal);
        call.onStepFinish({});
      }
      return { text: '{"text":"hi"}' };
    },
  };
  const handle = await engine.start(flow(agent as unknown as AgentLike));
  for (let minute = 0; minute < 16; minute += 1) {
    await settle();
    await engine.clock.advance(60_000);
  }

  expect(await handle.result).toMatchObject({ status: "finished" });
});

test("words are proof of life", async () => {
  const engine = testEngine();
  const agent: AgentLike = {
    generate: async ({ onStdout, signal }) => {
      for (let minute = 0; minute < 15; minute += 1) {
        await engine.clock.sleep(60_000, signal);
        onStdout(".");
      }
      return { output: { text: "hi" } };
    },
  };
  const handle = await engine.start(flow(agent));
  for (let minute = 0; minute < 16; minute += 1) {
    await settle();
    await engine.clock.advance(60_000);
  }

  expect(await handle.result).toMatchObject({ status: "finished" });
});

test("K2: an AI SDK agent gets messages, with the earlier turns as it said them, and its steps are proof of life", async () => {
  const calls: { messages: unknown[]; prompt?: string }[] = [];
  const turn = [
    { role: "assistant", content: [{ type: "tool-call", toolName: "look" }] },
    { role: "tool", content: [] },
  ];
  const agent = {
    version: "agent-v1",
    async generate(call: { messages: unknown[]; onStepFinish: (step: unknown) => void }) {
      calls.push(call);
      call.onStepFinish({ usage: { inputTokens: 1 }, response: { modelId: "m" } });
      return { text: calls.length === 1 ? "{}" : '{"text":"hi"}', responseMessages: turn, usage: { inputTokens: 9 } };
    },
  };

  const run = await runToEnd(flow(agent as unknown as AgentLike));

  expect(run.result.status).toBe("finished");
  expect(calls[0]).toMatchObject({ messages: [{ role: "user", content: expect.stringMatching(/^say\n/) }] });
  expect(calls[1]?.messages).toMatchObject([{ role: "user" }, ...turn, { role: "user" }]);
  expect(calls[0]).not.toHaveProperty("prompt");
  expect(usageIn(run.events)).toMatchObject([{ inputTokens: 1, model: "m" }, { inputTokens: 1 }]);
});

test("G1: a chain leaves an agent whose key is refused, for the rest of the run", async () => {
  let refusals = 0;
  const refused: AgentLike = {
    generate: async () => {
      refusals += 1;
      throw Object.assign(new Error("bad key"), { statusCode: 401 });
    },
  };
  const good: AgentLike = { generate: async () => ({ output: { text: "hi" } }) };
  const twice = smithers(() => (
    <Workflow name="twice">
      <Task id="a" output={outputs.text} agent={[refused, good]} retries={0}>
        say
      </Task>
      <Task id="b" output={outputs.text} agent={[refused, good]} retries={0}>
        say
      </Task>
    </Workflow>
  ));

  expect((await runToEnd(twice)).result.status).toBe("finished");
  expect(refusals).toBe(1);
});
