/** @jsxImportSource @smooth/workflow */
/** The rules of ENGINE §3 about tools: the log of calls, `allowTools`, and what a retry is told. */
import type { GenerateArgs } from "@smooth/engine/task";
import type { TaskScope, ToolCall } from "@smooth/engine/tool-log";
import { settle } from "@smooth/platform/testing";
import { expect, test } from "vitest";
import { outputs, smithers, Task, Workflow } from "../testing/rules.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const order: ToolCall = { tool: "place_order", sideEffect: true, idempotent: false, input: '{"sku":"1"}' };
const upsert: ToolCall = { tool: "upsert", sideEffect: true, idempotent: true, input: "{}" };
const look: ToolCall = { tool: "look", sideEffect: false, idempotent: true, input: "{}" };

/** An engine whose tools are called through the scope that stands around each body, as the real ones are. */
function withTools() {
  const engine = testEngine();
  let scope: TaskScope | undefined;
  const around = <T,>(given: TaskScope, body: () => Promise<T>): Promise<T> => ((scope = given), body());
  const called: string[] = [];
  const call = async (tool: ToolCall, status: "success" | "error" = "success"): Promise<void> => {
    const end = await scope?.toolLog.begin(tool);
    called.push(tool.tool);
    end?.({ status, output: "done" });
  };
  return { engine, around, call, called, scope: () => scope };
}

const asking = (generate: (args: GenerateArgs) => Promise<unknown>, allowTools?: readonly string[]) =>
  smithers(() => (
    <Workflow name="tools">
      <Task
        id="a"
        output={outputs.text}
        agent={{ id: "shopper", generate }}
        retryPolicy={{ backoff: "fixed", initialDelayMs: 10 }}
        {...(allowTools ? { allowTools } : {})}
      >
        Buy milk.
      </Task>
    </Workflow>
  ));

test("every call is in the log with its task, attempt, number, input, status and time", async () => {
  const { engine, around, call } = withTools();
  const workflow = asking(async () => {
    await call(look);
    await engine.clock.sleep(30);
    await call({ ...upsert, input: "x".repeat(10_000) }, "error");
    return { output: { text: "ok" } };
  });

  const handle = await engine.start(workflow, { around });
  await engine.clock.advance(100);
  await handle.result;

  const events = (await engine.store.events(handle.runId, 0)).filter((event) => event.type.startsWith("tool."));
  const at = { nodeId: "a", iteration: 0, attempt: 1 };
  expect(events).toMatchObject([
    { type: "tool.started", ...at, call: 1, ...look },
    { type: "tool.finished", ...at, call: 1, tool: "look", status: "success", output: "done", durationMs: 0 },
    { type: "tool.started", ...at, call: 2, tool: "upsert", sideEffect: true, idempotent: true },
    { type: "tool.finished", ...at, call: 2, tool: "upsert", status: "error" },
  ]);
  expect(JSON.stringify(events).length).toBeLessThan(6_000);
});

test("L1: a call that must not be repeated runs only when the note of its start is durable", async () => {
  const { engine, around, call, called } = withTools();
  const commit = Promise.withResolvers<void>();
  const { commit: write } = engine.store;
  engine.store.commit = async (batch) => {
    if (batch.events.some((event) => event.type === "tool.started")) await commit.promise;
    return write.call(engine.store, batch);
  };
  const handle = await engine.start(
    asking(async () => (await call(order), { output: { text: "ok" } })),
    { around },
  );

  await settle();
  expect(called).toEqual([]);
  commit.resolve();
  expect((await handle.result).status).toBe("finished");
  expect(called).toEqual(["place_order"]);
});

test("a retry after calls that are not idempotent is warned of them by name; after others it is not", async () => {
  const { engine, around, call } = withTools();
  const prompts: string[] = [];
  const workflow = asking(async ({ attempt, prompt }) => {
    prompts.push(prompt);
    if (attempt === 1) await call(upsert);
    if (attempt === 2) for (const again of [order, order]) await call(again);
    if (attempt < 4) throw new Error("not yet");
    return { output: { text: "ok" } };
  });

  const handle = await engine.start(workflow, { around });
  await engine.clock.advance(1_000);
  await handle.result;

  expect(prompts.map((prompt) => prompt.startsWith("Buy milk."))).toEqual([true, true, false, false]);
  expect(prompts[3]).toMatch(/^Warning: .*\n- place_order \(2 times\)\n[^\n]+\n\nBuy milk\.\n/);
  expect(prompts[3]).not.toContain("upsert");
});

test("the warning survives the process: a resumed run still knows what an attempt that was cut off has called", async () => {
  const { engine, around, call } = withTools();
  const prompts: string[] = [];
  const workflow = asking(async ({ prompt, attempt }) => {
    prompts.push(prompt);
    if (attempt > 1) return { output: { text: "ok" } };
    await call(order);
    return new Promise(() => {});
  });
  const first = await engine.start(workflow, { around });
  await settle();

  const second = await engine.resume(workflow, first.runId, { around });

  expect((await second.result).status).toBe("finished");
  expect(prompts[1]).toContain("- place_order (once)");
});

test("allowTools reaches the agent and the tools of the task; absent, everything is allowed", async () => {
  const { engine, around, scope } = withTools();
  const seen: unknown[] = [];
  const generate = async ({ allowTools }: GenerateArgs) => {
    seen.push(allowTools, scope()?.allowTools);
    return { output: { text: "ok" } };
  };

  for (const allowed of [undefined, [], ["look"]]) {
    const handle = await engine.start(asking(generate, allowed), { around });
    await handle.result;
  }

  expect(seen).toEqual([null, null, [], [], ["look"], ["look"]]);
});

test("a task that called a tool with side effects is never kept in the cache", async () => {
  const { engine, around, call } = withTools();
  let asked = 0;
  const of = (tool: ToolCall) =>
    smithers(() => (
      <Workflow name={tool.tool}>
        <Task id="a" output={outputs.n} cache={{ by: () => tool.tool }}>
          {async () => (await call(tool), { n: (asked += 1) })}
        </Task>
      </Workflow>
    ));

  for (const tool of [look, look, upsert, upsert]) await (await engine.start(of(tool), { around })).result;

  expect(asked).toBe(3);
});
