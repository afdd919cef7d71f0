import type { GenerateArgs } from "@smooth/engine/task";
import { expect, test } from "vitest";
import { asking } from "../testing/ask.ts";
import { scriptedAgent, ScriptedReply } from "./scripted-agent.ts";

const ask = (over: Partial<GenerateArgs> = {}): GenerateArgs => asking(over).args;

test("a list is said one after the other, the last one again and again", async () => {
  const agent = scriptedAgent({ answers: ["a", { b: 1 }] });

  const said = [await agent.generate(ask()), await agent.generate(ask()), await agent.generate(ask())];

  expect(said).toMatchObject([{ text: "a" }, { output: { b: 1 } }, { text: `{"b":1}`, output: { b: 1 } }]);
});

test("a function answers from the ask, and may call the agent's tools", async () => {
  const agent = scriptedAgent({
    answers: async ({ prompt, callTool }) => ({ found: await callTool("look", { at: prompt }) }),
    tools: {
      look: { execute: (input, { toolCallId }) => [input, toolCallId] },
    },
  });

  expect(await agent.generate(ask())).toMatchObject({
    output: { found: [{ at: "write" }, "run-1:write::0:1"] },
  });
  await expect(agent.generate({ ...ask(), signal: AbortSignal.abort(new Error("stop")) })).rejects.toThrow("stop");
});

test("a tool that is not there, or not allowed, is named", async () => {
  const agent = scriptedAgent({ answers: async ({ callTool }) => ({ is: await callTool("fly", {}) }) });

  await expect(agent.generate(ask())).rejects.toThrow("no tool is called fly");
  await expect(agent.generate(ask({ allowTools: ["walk"] }))).rejects.toThrow("does not allow the tool fly");
});

test("A1: failures are counted by the attempt, not by the object", async () => {
  const agent = scriptedAgent({ answers: ["late"], failures: 2 });

  for (const attempt of [1, 2])
    await expect(agent.generate(ask({ attempt }))).rejects.toThrow(`attempt ${attempt} of 2`);
  expect(await scriptedAgent({ answers: ["late"], failures: 2 }).generate(ask({ attempt: 3 }))).toMatchObject({
    text: "late",
  });
  await expect(scriptedAgent({ answers: [new Error("as told")] }).generate(ask())).rejects.toThrow("as told");
  await expect(scriptedAgent({ answers: [] }).generate(ask())).rejects.toThrow("no answers");
});

test("usage is reported, an answer's own before the agent's", async () => {
  const agent = scriptedAgent({
    answers: ["a", new ScriptedReply({ b: 1 }, { inputTokens: 7, outputTokens: 8 })],
    usage: { inputTokens: 1, outputTokens: 2 },
  });

  expect(await agent.generate(ask())).toMatchObject({ usage: { inputTokens: 1, outputTokens: 2 } });
  expect(await agent.generate(ask())).toMatchObject({ output: { b: 1 }, usage: { inputTokens: 7, outputTokens: 8 } });
});

test("A2: an abort ends an answer that never comes", async () => {
  const stop = new AbortController();
  const answer = scriptedAgent({ answers: () => new Promise(() => {}) }).generate(ask({ signal: stop.signal }));

  stop.abort(new Error("enough"));

  await expect(answer).rejects.toThrow("enough");
});
