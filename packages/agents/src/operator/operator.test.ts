import { systemClock } from "@smooth/platform/node/system";
import { ManualClock, seededRandom, settle } from "@smooth/platform/testing";
import type { ChatMessage, OperatorInput, OperatorOutput } from "@smooth/protocol/operator";
import { tools } from "@smooth/tools/built-in";
import type { Workspace } from "@smooth/tools/workspace";
import { openMemoryWorkspace } from "@smooth/tools/workspace/memory";
import { expect, test } from "vitest";
import { HostInbox } from "./host-inbox.ts";
import type { Model, ModelAnswer, ModelRequest } from "./model.ts";
import { runOperator } from "./operator.ts";

type Answered = Extract<ModelAnswer, { kind: "answer" }>;
const says = (text: string, ...toolCalls: Answered["toolCalls"]): ModelAnswer => ({
  kind: "answer",
  text,
  toolCalls,
  model: "test",
  usage: { inputTokens: 1, outputTokens: 2 },
});
const readA = { id: "c1", name: "read", args: `{"path":"a.txt"}` };
const bash = (id: string, cmd: string) => ({ id, name: "bash", args: JSON.stringify({ cmd }) });

interface Play {
  readonly model: Model | readonly ModelAnswer[];
  readonly conversation?: readonly ChatMessage[];
  readonly workspace?: Workspace;
  readonly maxModelCalls?: number;
  /** How the host reacts to an output; the default lets everything through. */
  readonly host?: (output: OperatorOutput, inbox: HostInbox) => void;
  readonly clock?: ManualClock;
}

/** An operator, a host that reacts, and everything both said. */
function play(setting: Play) {
  const outputs: OperatorOutput[] = [];
  const requests: ModelRequest[] = [];
  const inbox = new HostInbox();
  const scripted = Array.isArray(setting.model)
    ? answering(setting.model as readonly ModelAnswer[])
    : (setting.model as Model);
  const model: Model = {
    complete: (request) => {
      requests.push(request);
      return scripted.complete(request);
    },
  };
  const done = runOperator({
    inbox,
    send: (output) => {
      outputs.push(structuredClone(output));
      (setting.host ?? letThrough)(output, inbox);
    },
    open: () => ({ model, workspace: setting.workspace ?? openMemoryWorkspace({ "a.txt": "content of a" }) }),
    tools: Object.values(tools),
    clock: setting.clock ?? systemClock,
    random: seededRandom(1),
    newPartId: () => `part-${requests.length}`,
  });
  inbox.take({
    type: "start",
    role: { name: "fixer", slot: "smooth-coding", prompt: "Fix it.", tools: ["read", "bash", "write"] },
    workspace: "/workspace",
    modelUrl: "http://model.th.internal/v1",
    modelFormats: ["OpenAiCompat"],
    modelToken: "t",
    conversation: [...(setting.conversation ?? [{ role: "user", content: "do it" }])],
    maxModelCalls: setting.maxModelCalls ?? 10,
  });
  return { outputs, requests, inbox, done, types: () => outputs.map(({ type }) => type) };
}

const answering = (answers: readonly ModelAnswer[]): Model => {
  const left = [...answers];
  return { complete: async () => left.shift() ?? says("nothing left") };
};

function letThrough(output: OperatorOutput, inbox: HostInbox): void {
  if (output.type === "tool.request")
    inbox.take({ type: "tool.verdict", callId: output.call.id, verdict: { kind: "run" } });
  if (output.type === "tool.output")
    inbox.take({ type: "tool.result", callId: output.callId, content: output.content });
}

const lastCheckpoint = (outputs: readonly OperatorOutput[]) => {
  const found = outputs.findLast(({ type }) => type === "checkpoint");
  return found?.type === "checkpoint" ? found.conversation : [];
};
const waiting = (): Promise<void> => new Promise(setImmediate);

test("model, tool, model, done: every step is told in order", async () => {
  const { done, outputs, types, requests } = play({ model: [says("reading", readA), says("it says: content of a")] });

  await done;

  expect(types()).toEqual([
    "ready",
    "usage",
    "message",
    "checkpoint",
    "tool.request",
    "tool.output",
    "checkpoint",
    "usage",
    "message",
    "checkpoint",
    "completed",
  ]);
  expect(outputs.at(-1)).toEqual({ type: "completed", text: "it says: content of a", reason: "done" });
  expect(requests[1]?.messages.at(-1)).toEqual({ role: "tool", callId: "c1", content: "content of a" });
});

test("L1: nothing runs before the verdict, and the model sees what the host gave back", async () => {
  const { done, inbox, types, requests } = play({ model: [says("", readA), says("ok")], host: () => {} });
  await waiting();
  expect(types().at(-1)).toBe("tool.request");

  inbox.take({ type: "tool.verdict", callId: "c1", verdict: { kind: "run" } });
  await waiting();
  expect(types().at(-1)).toBe("tool.output");
  expect(requests).toHaveLength(1);
  inbox.take({ type: "tool.result", callId: "c1", content: "[REDACTED]" });
  await done;

  expect(requests[1]?.messages.at(-1)).toMatchObject({ content: "[REDACTED]" });
});

test("L1: a refused call does not run and its reason reaches the model", async () => {
  const { done, types, requests } = play({
    model: [says("", readA), says("then not")],
    host: (output, inbox) => {
      if (output.type !== "tool.request") return;
      inbox.take({
        type: "tool.verdict",
        callId: output.call.id,
        verdict: { kind: "refuse", message: "not that file" },
      });
    },
  });

  await done;

  expect(types()).not.toContain("tool.output");
  expect(requests[1]?.messages.at(-1)).toEqual({ role: "tool", callId: "c1", content: "not that file" });
});

test("a tool outside the role and broken arguments are results, not ends", async () => {
  const { done, requests } = play({
    model: [says("", { id: "g", name: "grep", args: "{}" }, { id: "b", name: "read", args: `{"pa` }), says("sorry")],
  });

  await done;

  expect(requests[1]?.messages.slice(-2)).toMatchObject([
    { content: expect.stringContaining("no tool is called grep") },
    { content: expect.stringContaining("not valid JSON") },
  ]);
  expect(requests[0]?.tools.map((tool) => tool.function.name).toSorted()).toEqual(["bash", "read", "write"]);
});

test("several calls of one message run in order, with missing and repeated ids made unique", async () => {
  const ran: string[] = [];
  const workspace = openMemoryWorkspace({}, ({ argv }) => {
    ran.push(argv.at(-1) ?? "");
    return { kind: "exited", code: 0, output: "" };
  });
  const { done, outputs } = play({
    workspace,
    model: [says("", bash("", "1"), bash("x", "2"), bash("x", "3")), says("", bash("x", "4")), says("done")],
  });

  await done;

  const ids = outputs.flatMap((output) => (output.type === "tool.request" ? [output.call.id] : []));
  expect(ran).toEqual(["1", "2", "3", "4"]);
  expect(new Set(ids).size).toBe(4);
});

test("L2: from any checkpoint another operator ends the same way, running only calls without a result", async () => {
  const answers = [says("", bash("c1", "one"), bash("c2", "two")), says("", bash("c3", "three")), says("all done")];
  const whole = play({ model: answers, workspace: echoing([]) });
  await whole.done;
  const checkpoints = whole.outputs.flatMap((output) => (output.type === "checkpoint" ? [output.conversation] : []));
  expect(checkpoints).toHaveLength(6);

  for (const conversation of checkpoints) {
    const ran: string[] = [];
    const said = conversation.filter(({ role }) => role === "assistant").length;
    const answered = conversation.flatMap((message) => (message.role === "tool" ? [message.content] : []));
    const resumed = play({ model: answers.slice(said), conversation, workspace: echoing(ran) });
    await resumed.done;

    expect([...answered, ...ran]).toEqual(["one", "two", "three"]);
    expect(resumed.requests).toHaveLength(3 - said);
    expect(resumed.outputs.at(-1)).toEqual({ type: "completed", text: "all done", reason: "done" });
    expect(lastCheckpoint(resumed.outputs).length === 0 || lastCheckpoint(resumed.outputs)).toEqual(
      said === 3 ? true : lastCheckpoint(whole.outputs),
    );
  }
});

function echoing(ran: string[]): Workspace {
  return openMemoryWorkspace({}, ({ argv }) => {
    ran.push(argv.at(-1) ?? "");
    return { kind: "exited", code: 0, output: argv.at(-1) ?? "" };
  });
}

test("L3: while paused no tool runs and no model is asked; unpause goes on", async () => {
  const { done, inbox, types, requests } = play({
    model: [says("", readA), says("ok")],
    host: (output, to) => {
      if (output.type === "tool.request") to.take({ type: "pause" });
      letThrough(output, to);
    },
  });
  await waiting();
  expect(types().at(-1)).toBe("tool.request");

  inbox.take({ type: "unpause" });
  await waiting();
  inbox.take({ type: "pause" });
  inbox.take({ type: "unpause" });
  await done;

  expect(requests).toHaveLength(2);
});

test("L3: paused before the start, the model is asked only after unpause", async () => {
  const setting = play({
    model: [says("ok")],
    host: (output, to) => output.type === "ready" && to.take({ type: "pause" }),
  });
  await waiting();
  expect(setting.requests).toHaveLength(0);

  setting.inbox.take({ type: "unpause" });
  await setting.done;

  expect(setting.requests).toHaveLength(1);
});

test("a steer is in the next model request, also when the model thought it was done", async () => {
  const { done, requests, outputs } = play({
    model: [says("done already"), says("now really")],
    host: (output, inbox) =>
      output.type === "message" &&
      output.text === "done already" &&
      inbox.take({ type: "steer", id: "s1", text: "also b" }),
  });

  await done;

  expect(requests[1]?.messages.at(-1)).toEqual({ role: "user", content: "also b", steerId: "s1" });
  expect(outputs.at(-1)).toMatchObject({ text: "now really", reason: "done" });
});

test("L4: cancel ends a model request, a waiting verdict and a running tool, and says so", async () => {
  const never: Model = {
    complete: ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error))),
  };
  const hanging = openMemoryWorkspace({}, () => new Promise(() => {}));
  const cases = [
    play({ model: never }),
    play({ model: [says("", readA)], host: () => {} }),
    play({ model: [says("", bash("c", "sleep"))], workspace: hanging }),
  ];
  await waiting();

  for (const { inbox, done, outputs } of cases) {
    inbox.take({ type: "cancel" });
    await done;
    expect(outputs.at(-1)).toEqual({ type: "completed", text: "", reason: "cancelled" });
  }
});

test("L4: the workspace is closed before the last word, however it ends", async () => {
  const order: string[] = [];
  const watched = (): Workspace => ({
    ...openMemoryWorkspace(),
    [Symbol.asyncDispose]: async () => void order.push("closed"),
  });
  const note = (output: OperatorOutput, inbox: HostInbox): void => {
    if (output.type === "completed") order.push(output.reason);
    if (output.type === "tool.request") inbox.take({ type: "cancel" });
  };

  await play({ model: [says("ok")], workspace: watched(), host: note }).done;
  await play({ model: [says("", readA)], workspace: watched(), host: note }).done;

  expect(order).toEqual(["closed", "done", "closed", "cancelled"]);
});

test("the host's line ending is a cancel", async () => {
  const { inbox, done, outputs } = play({ model: [says("", readA)], host: () => {} });

  await inbox.pump((async function* (): AsyncGenerator<OperatorInput> {})());
  await done;

  expect(outputs.at(-1)).toMatchObject({ reason: "cancelled" });
});

test("stops at the model-call limit and says so", async () => {
  const { done, requests, outputs } = play({
    model: [says("a", readA), says("b", readA), says("c")],
    maxModelCalls: 2,
  });

  await done;

  expect(requests).toHaveLength(2);
  expect(outputs.at(-1)).toEqual({ type: "completed", text: "b", reason: "model-call-limit" });
});

test("M1: what may pass is asked again with growing patience, then given up; a refusal ends at once", async () => {
  const clock = new ManualClock();
  const busy: ModelAnswer = { kind: "failed", code: "RATE_LIMITED", message: "busy", retry: { afterMs: null } };
  const denied: ModelAnswer = { kind: "failed", code: "POLICY_DENIED", message: "no", retry: null };
  const lucky = play({ model: [busy, { ...busy, retry: { afterMs: 90_000 } }, says("ok")], clock });
  const unlucky = play({ model: { complete: async () => busy }, clock });
  const refused = play({ model: [denied, says("never")], clock });

  await settle();
  await waiting();
  expect(lucky.requests).toHaveLength(1);
  await clock.advance(59_000);
  expect(lucky.requests).toHaveLength(2);
  await clock.advance(60_000);
  await Promise.all([lucky.done, unlucky.done, refused.done]);

  expect(lucky.outputs.at(-1)).toMatchObject({ type: "completed", text: "ok" });
  expect(unlucky.requests).toHaveLength(6);
  expect(unlucky.outputs.at(-1)).toMatchObject({ type: "failed", code: "RATE_LIMITED" });
  expect(refused.requests).toHaveLength(1);
  expect(refused.outputs.at(-1)).toMatchObject({ type: "failed", code: "POLICY_DENIED" });
});

test("M2: a second attempt goes on where the first stopped showing", async () => {
  const clock = new ManualClock();
  const tries: readonly [readonly string[], ModelAnswer][] = [
    [["one ", "two "], { kind: "failed", code: "PROVIDER_FAILED", message: "cut", retry: { afterMs: 0 } }],
    [["one ", "two ", "three"], says("one two three")],
  ];
  let at = 0;
  const { done, outputs } = play({
    clock,
    model: {
      complete: async ({ onText }) => {
        const [texts, answer] = tries[at++]!;
        texts.forEach(onText);
        return answer;
      },
    },
  });
  await waiting();
  await clock.advance(1_000);
  await done;

  expect(outputs.flatMap((output) => (output.type === "delta" ? [output.text] : []))).toEqual([
    "one ",
    "two ",
    "three",
  ]);
});

test("AGENTS.md of the workspace is in the system prompt, bounded, and never in a checkpoint", async () => {
  const workspace = openMemoryWorkspace({ "AGENTS.md": `Use tabs.${"x".repeat(100_000)}` });
  const { done, requests, outputs } = play({ model: [says("ok")], workspace });

  await done;

  const system = requests[0]?.messages[0];
  expect(system).toMatchObject({ role: "system", content: expect.stringContaining("Use tabs.") });
  expect(system?.content.length).toBeLessThan(40_000);
  expect(JSON.stringify(lastCheckpoint(outputs))).not.toContain("Use tabs");
});

test("a bug inside is a last word, not silence", async () => {
  const { done, outputs } = play({ model: { complete: () => Promise.reject(new TypeError("oops")) } });

  await done;

  expect(outputs.at(-1)).toMatchObject({ type: "failed", code: "INTERNAL" });
});
