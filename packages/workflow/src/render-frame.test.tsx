/** @jsxImportSource @smooth/workflow */
import { renderFrame } from "@smooth/engine/render-frame";
import { expect, test } from "vitest";
import { z } from "zod";
import { createSmithers } from "./create-smithers.ts";

const { Workflow, Task, Sequence, Loop, Parallel, Worktree, Approval, smithers, outputs } = createSmithers({
  input: z.object({ topic: z.string() }),
  plan: z.object({ steps: z.array(z.string()) }),
  done: z.object({ ok: z.boolean() }),
});
const writer = { id: "writer", generate: () => Promise.reject(new Error("nothing may run")) };

const workflow = smithers((ctx) => (
  <Workflow name="preview">
    <Sequence>
      <Task id="plan" output={outputs.plan} agent={writer} retries={2}>
        Plan {ctx.input.topic}.
      </Task>
      {ctx.outputMaybe(outputs.plan, "plan")?.steps.map((step) => (
        <Task key={step} id={`do-${step}`} output={outputs.done} deps={{ plan: outputs.plan }}>
          {() => ({ ok: true })}
        </Task>
      ))}
      <Loop id="polish" maxIterations={9}>
        <Task id="tidy" output={outputs.done}>
          {{ ok: ctx.iteration > 0 }}
        </Task>
      </Loop>
    </Sequence>
  </Workflow>
));

test("a frame shows the tree and its tasks, and runs nothing", () => {
  const { tasks, xml, frameNo } = renderFrame(workflow, { input: { topic: "tests" } });

  expect(frameNo).toBe(0);
  expect(tasks).toMatchObject([
    { nodeId: "plan", ordinal: 0, outputTableName: "plan", agent: writer, prompt: "Plan tests.", retries: 2 },
    { nodeId: "tidy", ordinal: 1, iteration: 0, ralphId: "polish", staticPayload: { ok: false } },
  ]);
  expect(xml).toMatchObject({
    tag: "Workflow",
    props: { name: "preview" },
    children: [
      {
        tag: "Sequence",
        children: [
          { tag: "Task", props: { id: "plan", output: "plan", agent: "writer", retries: "2" } },
          { tag: "Loop", props: { id: "polish" }, children: [{ tag: "Task", props: { body: '{"ok":false}' } }] },
        ],
      },
    ],
  });
  expect(JSON.parse(JSON.stringify(xml))).toEqual(xml);
});

test("simulated outputs and a later iteration show what would come then", () => {
  const { tasks } = renderFrame(workflow, {
    input: { topic: "tests" },
    iteration: 2,
    outputs: { plan: [{ runId: "sim", nodeId: "plan", iteration: 0, steps: ["a", "b"] }] },
  });

  expect(tasks.map(({ nodeId, iteration, dependsOn }) => [nodeId, iteration, dependsOn])).toEqual([
    ["plan", 0, []],
    ["do-a", 0, ["plan::0"]],
    ["do-b", 0, ["plan::0"]],
    ["tidy", 2, []],
  ]);
  expect(tasks.at(-1)).toMatchObject({ staticPayload: { ok: true } });
});

test("wrong input and unknown outputs are refused by name", () => {
  expect(() => renderFrame(workflow, { input: { topic: 7 } })).toThrow("topic");
  expect(() => renderFrame(workflow, { input: { topic: "x" }, outputs: { nope: [{ nodeId: "a" }] } })).toThrow(
    '"nope"',
  );
});

test("a task says where it stands: its group and cap, its worktree, what it needs, who may approve it", () => {
  const placed = smithers(() => (
    <Workflow name="placed">
      <Parallel maxConcurrency={2}>
        <Task id="a" output={outputs.done} needsApproval>
          {{ ok: true }}
        </Task>
        <Sequence>
          <Parallel>
            <Task id="b" output={outputs.done} deps={{ before: outputs.done }} needs={{ before: "a" }}>
              {({ before }) => before}
            </Task>
          </Parallel>
        </Sequence>
      </Parallel>
      <Worktree id="tree" path=".trees/x" branch="x">
        <Approval
          id="c"
          output={outputs.done}
          request={{ title: "?" }}
          allowedUsers={["ann"]}
          allowedScopes={["ship"]}
        />
      </Worktree>
    </Workflow>
  ));

  const [a, b, c] = renderFrame(placed, { input: { topic: "" } }).tasks;

  expect(a).toMatchObject({ needsApproval: true, parallelMaxConcurrency: 2, outputSchema: outputs.done });
  expect(b).toMatchObject({ needsApproval: false, needs: { before: "a::0" } });
  expect(b?.parallelGroupId).toContain(`${a?.parallelGroupId}.`);
  expect(b).not.toHaveProperty("parallelMaxConcurrency");
  expect(c).toMatchObject({ approvalAllowedUsers: ["ann"], approvalAllowedScopes: ["ship"] });
  expect(c).toMatchObject({
    worktreeId: "tree",
    worktreePath: ".trees/x",
    worktreeBranch: "x",
    worktreeBaseBranch: "main",
  });
});
