/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §3 about `scorers` and `memory`: what happens to a result after it is recorded. */
import { memoryBackend } from "@smooth/engine/memory/in-memory";
import { memoryStore } from "@smooth/engine/memory/store";
import type { MemoryStore } from "@smooth/engine/memory";
import { createScorer, llmJudge, type Scorer, type ScorerInput } from "@smooth/engine/scorers";
import { forkRun } from "@smooth/engine/time-travel/fork";
import { aggregateScores, scoresOfRun } from "@smooth/engine/scorers/aggregate";
import { ManualClock, memoryLog, settle } from "@smooth/platform/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { agent, never, one, outputs, Sequence, smithers, Task, Workflow } from "../testing/rules.ts";
import { runToEnd, testEngine } from "../testing/run-in-memory.ts";

const scorer = (id: string, score: Scorer["score"]): Scorer => createScorer({ id, name: id, description: "", score });
const store = (): MemoryStore => memoryStore(memoryBackend(), { clock: new ManualClock(), log: memoryLog() });
const NAMED = { kind: "workflow", id: "named" } as const;
const USER = { kind: "user", id: "ann" } as const;

describe("scorers", () => {
  test("see prompt, output and time, and their scores are rows of the run", async () => {
    const engine = testEngine();
    const seen: ScorerInput[] = [];
    const quality = scorer(
      "quality",
      (input) => (seen.push(input), { score: 0.5, reason: "so so", meta: { words: 2 } }),
    );
    const slow = { generate: () => engine.clock.sleep(250).then(() => ({ text: '{"n":1}' })) };
    const workflow = smithers(() => (
      <Workflow name="scored">
        <Task id="a" output={outputs.n} agent={slow} scorers={{ q: { scorer: quality, groundTruth: { n: 2 } } }}>
          How many?
        </Task>
      </Workflow>
    ));

    const handle = await engine.start(workflow);
    await engine.clock.advance(250);

    expect((await handle.result).status).toBe("finished");
    expect(seen).toMatchObject([{ input: "How many?", output: { n: 1 }, groundTruth: { n: 2 }, latencyMs: 250 }]);
    const rows = await scoresOfRun(engine.store, handle.runId);
    expect(rows).toMatchObject([
      { nodeId: "a", iteration: 0, scorer: "q", scorerId: "quality", score: 0.5, reason: "so so", meta: { words: 2 } },
    ]);
    expect(aggregateScores(rows)).toMatchObject([{ scorerId: "quality", count: 1, mean: 0.5 }]);
  });

  test("hold no task back; the run ends when they have answered", async () => {
    const engine = testEngine();
    const slow = scorer("slow", (_, { signal }) => engine.clock.sleep(1_000, signal).then(() => ({ score: 1 })));
    const workflow = smithers(() => (
      <Workflow name="scored">
        <Sequence>
          <Task id="a" output={outputs.n} scorers={{ slow: { scorer: slow } }}>
            {one}
          </Task>
          <Task id="b" output={outputs.n}>
            {one}
          </Task>
        </Sequence>
      </Workflow>
    ));

    const handle = await engine.start(workflow);
    await settle();
    const before = engine.events.map(({ type }) => type);
    await engine.clock.advance(1_000);

    expect(before.filter((type) => type === "node.finished")).toHaveLength(2);
    expect(before).not.toContain("score.recorded");
    expect((await handle.result).status).toBe("finished");
    expect(engine.events.map(({ type }) => type).slice(-2)).toEqual(["score.recorded", "run.status"]);
  });

  test("that throw are a visible event; their task and their run are not touched", async () => {
    const bad = scorer("bad", () => Promise.reject(new Error("no opinion")));
    const workflow = smithers(() => (
      <Workflow name="scored">
        <Task id="a" output={outputs.n} scorers={{ bad: { scorer: bad } }}>
          {one}
        </Task>
      </Workflow>
    ));

    const run = await runToEnd(workflow);

    expect(run.result.status).toBe("finished");
    expect(run.events.find(({ type }) => type === "score.failed")).toMatchObject({
      nodeId: "a",
      scorer: "bad",
      error: { code: "SCORER_FAILED", message: "no opinion" },
    });
  });

  test("F2: after a crash only those that had not answered run again", async () => {
    const engine = testEngine();
    const calls: string[] = [];
    let hang = true;
    const quick = scorer("quick", () => (calls.push("quick"), { score: 1 }));
    const slow = scorer("slow", () => (calls.push("slow"), hang ? new Promise(() => {}) : { score: 0.5 }));
    const workflow = smithers(() => (
      <Workflow name="scored">
        <Task id="a" output={outputs.n} scorers={{ quick: { scorer: quick }, slow: { scorer: slow } }}>
          {() => (calls.push("a"), { n: 1 })}
        </Task>
      </Workflow>
    ));
    const first = await engine.start(workflow);
    await engine.clock.advance(10);
    first.release();
    await first.result;
    hang = false;

    const second = await engine.resume(workflow, first.runId);

    expect((await second.result).status).toBe("finished");
    expect(calls).toEqual(["a", "quick", "slow", "slow"]);
    expect((await scoresOfRun(engine.store, first.runId)).map((row) => row.scorer)).toEqual(["quick", "slow"]);
  });

  test("K4: a fork that ends right after a result scores and remembers it", async () => {
    const engine = testEngine();
    const memory = store();
    const length = scorer("length", () => ({ score: 1 }));
    const workflow = smithers(() => (
      <Workflow name="named">
        <Task
          id="a"
          output={outputs.n}
          agent={agent('{"n":1}')}
          memory={{ remember: {} }}
          scorers={{ l: { scorer: length } }}
        >
          How many?
        </Task>
      </Workflow>
    ));
    const { runId, result } = await engine.start(workflow, { memory });
    await result;
    const atSeq = (await engine.store.events(runId, 0)).find(({ type }) => type === "node.finished")?.seq ?? 0;
    const deps = { ...engine, workflow, vcs: null, isAlive: () => false };
    const happenedIn = async (forkId: string) => {
      await (
        await engine.resume(workflow, forkId, { memory })
      ).result;
      const events = await engine.store.events(forkId, 0);
      return events
        .map(({ type }) => type)
        .filter((type) => /node.started|due|score|memory.remembered/.test(type))
        .toSorted();
    };

    const kept = await forkRun(deps, { runId, by: "ann", atSeq });
    const once = ["aftermath.due", "memory.remembered", "node.started", "score.recorded"];
    expect(await happenedIn(kept.runId)).toEqual(once);
    const again = await forkRun(deps, { runId, by: "ann", atSeq, resetNodes: ["a"] });
    expect(await happenedIn(again.runId)).toEqual([...once, "node.started"].toSorted());
  });

  test("the results of a failed run are scored too; a cancelled run is not", async () => {
    const engine = testEngine();
    const good = scorer("good", () => ({ score: 1 }));
    const workflow = smithers(() => (
      <Workflow name="scored">
        <Sequence>
          <Task id="a" output={outputs.n} scorers={{ good: { scorer: good } }}>
            {one}
          </Task>
          <Task id="b" output={outputs.n} noRetry>
            {() => Promise.reject(new Error("no"))}
          </Task>
        </Sequence>
      </Workflow>
    ));
    const failing = await engine.start(workflow);
    expect((await failing.result).status).toBe("failed");
    expect(await scoresOfRun(engine.store, failing.runId)).toHaveLength(1);

    const hanging = scorer("hanging", never as never);
    const waiting = smithers(() => (
      <Workflow name="scored">
        <Task id="a" output={outputs.n} scorers={{ hanging: { scorer: hanging } }}>
          {one}
        </Task>
      </Workflow>
    ));
    const cancelled = await engine.start(waiting);
    await settle();
    cancelled.cancel();

    expect((await cancelled.result).status).toBe("cancelled");
  });

  test("sampling leaves out what it says, and a wrong binding is refused by its name", async () => {
    const good = scorer("good", () => ({ score: 1 }));
    const sampled = (sampling: object) =>
      smithers(() => (
        <Workflow name="scored">
          <Task id="a" output={outputs.n} scorers={{ good: { scorer: good, sampling: sampling as { type: "all" } } }}>
            {one}
          </Task>
        </Workflow>
      ));

    const none = await runToEnd(sampled({ type: "none" }));
    const wrong = await runToEnd(sampled({ type: "ratio", rate: 7 }));

    expect(none.events.map(({ type }) => type)).not.toContain("aftermath.due");
    expect(wrong.result).toMatchObject({
      error: { code: "INVALID_INPUT", message: expect.stringContaining("at good") as string },
    });
  });
});

describe("memory", () => {
  test("recalled facts stand before the prompt, which stays as it was written", async () => {
    const memory = store();
    await memory.set(NAMED, "style", "tabs, never spaces");
    await memory.set(NAMED, "lunch", "at noon");
    const writer = agent({ text: '{"n":1}' });
    const workflow = smithers(() => (
      <Workflow name="named">
        <Task id="a" output={outputs.n} agent={writer} memory={{ recall: { topK: 3 } }}>
          Which style do we use, spaces?
        </Task>
      </Workflow>
    ));

    const run = await runToEnd(workflow, { memory });

    expect(writer.asked[0]?.prompt).toMatch(
      /^What is remembered from earlier runs:\n- style: tabs, never spaces\n\nWhich style do we use, spaces\?\n\n/,
    );
    expect(run.events.find(({ type }) => type === "memory.recalled")).toMatchObject({
      nodeId: "a",
      namespace: "workflow:named",
      keys: ["style"],
    });
  });

  test("a recorded output is remembered under the task's id, or where the task says", async () => {
    const memory = store();
    const workflow = smithers(() => (
      <Workflow name="named">
        <Task id="a" output={outputs.n} memory={{ remember: {} }}>
          {one}
        </Task>
        <Task id="b" output={outputs.n} memory={{ remember: { namespace: USER, key: "count" } }}>
          {{ n: 2 }}
        </Task>
      </Workflow>
    ));

    const run = await runToEnd(workflow, { memory });

    expect(await memory.get(NAMED, "a")).toMatchObject({ value: { n: 1 } });
    expect(await memory.get(USER, "count")).toMatchObject({ value: { n: 2 } });
    expect(run.events.filter(({ type }) => type === "memory.remembered")).toHaveLength(2);
  });

  test("a row with dates, big numbers, maps and sets is remembered and judged like any other", async () => {
    const memory = store();
    const judge = agent({ output: { score: 1 } });
    const own = createSmithers({
      rich: z.object({ on: z.date(), big: z.bigint(), names: z.set(z.string()), ages: z.map(z.string(), z.int()) }),
    });
    const row = { on: new Date(0), big: 7n, names: new Set(["ann"]), ages: new Map([["ann", 30]]) };
    const workflow = own.smithers(() => (
      <own.Workflow name="named">
        <own.Task
          id="a"
          output={own.outputs.rich}
          memory={{ remember: {} }}
          scorers={{ judged: { scorer: llmJudge({ judge }) } }}
        >
          {() => row}
        </own.Task>
      </own.Workflow>
    ));

    const { events } = await runToEnd(workflow, { memory });

    const plain = { on: "1970-01-01T00:00:00.000Z", big: "7", names: ["ann"], ages: [["ann", 30]] };
    expect(await memory.get(NAMED, "a")).toMatchObject({ value: plain });
    expect(judge.asked[0]?.prompt).toContain(JSON.stringify(plain));
    expect(events.filter(({ type }) => type === "score.recorded")).toHaveLength(1);
  });

  test("a thread goes on from run to run: its messages are earlier turns", async () => {
    const memory = store();
    const talker = agent({ text: '{"text":"hello Ann"}' }, { text: '{"text":"Ann, of course"}' });
    const workflow = (prompt: string) =>
      smithers(() => (
        <Workflow name="named">
          <Task id="a" output={outputs.text} agent={talker} memory={{ threadId: "ann" }}>
            {prompt}
          </Task>
        </Workflow>
      ));

    await runToEnd(workflow("I am Ann"), { memory });
    await runToEnd(workflow("Who am I?"), { memory, runId: "run-2" });

    expect(talker.asked[1]?.conversation).toEqual([
      { role: "user", content: "I am Ann" },
      { role: "assistant", content: '{"text":"hello Ann"}' },
    ]);
    expect(await memory.getMessages("ann")).toHaveLength(4);
  });

  test("F3: a crash between the result and its memory neither loses nor doubles it", async () => {
    for (const crash of ["before", "after"] as const) {
      const memory = store();
      let hang = true;
      const crashing: MemoryStore = {
        ...memory,
        remember: async (source, given) => {
          if (hang && crash === "before") return new Promise(() => {});
          const answer = await memory.remember(source, given);
          return hang ? new Promise(() => {}) : answer;
        },
      };
      const engine = testEngine();
      const talker = agent({ text: '{"text":"hi"}' });
      const workflow = smithers(() => (
        <Workflow name="named">
          <Task id="a" output={outputs.text} agent={talker} memory={{ threadId: "t", remember: {} }}>
            Hello
          </Task>
        </Workflow>
      ));
      const first = await engine.start(workflow, { memory: crashing });
      await settle();
      first.release();
      await first.result;
      hang = false;

      const second = await engine.resume(workflow, first.runId, { memory: crashing });

      expect((await second.result).status).toBe("finished");
      expect(talker.asked).toHaveLength(1);
      expect((await memory.getMessages("t")).map(({ content }) => content)).toEqual(["Hello", '{"text":"hi"}']);
      expect(await memory.get(NAMED, "a")).toMatchObject({ value: { text: "hi" } });
    }
  });

  test("a failing or missing store is a visible event, and the task goes on without it", async () => {
    const talker = agent({ text: '{"text":"hi"}' });
    const workflow = smithers(() => (
      <Workflow name="named">
        <Task id="a" output={outputs.text} agent={talker} memory={{ recall: {}, remember: {} }}>
          Hello
        </Task>
      </Workflow>
    ));
    const broken: MemoryStore = {
      ...store(),
      recall: () => Promise.reject(new Error("disk gone")),
      remember: () => Promise.reject(new Error("disk gone")),
    };
    const seen = async (memory: MemoryStore | undefined) => {
      const run = await runToEnd(workflow, { memory });
      const failed = run.events.flatMap((event) =>
        event.type === "memory.failed" ? [`${event.during}: ${event.error.message}`] : [],
      );
      return { status: run.result.status, failed };
    };

    expect(await seen(broken)).toEqual({ status: "finished", failed: ["recall: disk gone", "remember: disk gone"] });
    expect((await seen(undefined)).failed).toEqual([
      expect.stringContaining("recall: this run has no memory store"),
      expect.stringContaining("remember: this run has no memory store"),
    ]);
  });

  test("what a task without an agent cannot use is refused", async () => {
    const workflow = smithers(() => (
      <Workflow name="named">
        <Task id="a" output={outputs.n} memory={{ recall: {} }}>
          {one}
        </Task>
      </Workflow>
    ));

    const run = await runToEnd(workflow);

    expect(run.result).toMatchObject({ error: { code: "INVALID_INPUT" } });
  });
});
