/** For the tests of composites: one schema with everything optional, agents that answer by a function, and what was asked. */
import { decideApproval } from "@smooth/engine/control";
import { decodeRow } from "@smooth/engine/table";
import type { AgentLike, GenerateArgs } from "@smooth/engine/task";
import type { ReactElement } from "react";
import { expect } from "vitest";
import { z } from "zod";
import { Task } from "../components/task.ts";
import { Workflow } from "../components/workflow.ts";
import { approvalDecisionSchema, createSmithers } from "../create-smithers.ts";
import { h } from "../jsx-runtime.ts";
import { testEngine } from "../testing/run-in-memory.ts";

const fields = {
  text: z.string(),
  approved: z.boolean(),
  score: z.number(),
  satisfied: z.boolean(),
  drifted: z.boolean(),
  passed: z.boolean(),
  summary: z.string(),
  allDone: z.boolean(),
  decision: z.string(),
  vote: z.string(),
  issues: z.array(z.string()),
  retriable: z.array(z.string()),
  failed: z.array(z.string()),
  classifications: z.array(z.object({ category: z.string(), itemId: z.string().optional() })),
  tasks: z.array(z.object({ id: z.string(), workerType: z.string(), instructions: z.string() })),
  completed: z.number(),
  exitCode: z.number().nullable(),
  prompt: z.string(),
  found: z.boolean(),
  slug: z.string(),
};
const anything = z.object(fields).partial();

const { smithers, outputs: refs } = createSmithers({
  made: anything,
  judged: anything,
  done: anything,
  decided: approvalDecisionSchema,
});
export const outputs = refs;

/** Answers by a function of the prompt and of how often it was asked; throws what it throws. */
export function agent(answer: (prompt: string, asked: number) => object, id = "agent") {
  const prompts: string[] = [];
  const generate = async ({ prompt }: GenerateArgs) => {
    // The engine adds the wanted schema after the prompt.
    prompts.push(prompt.split("\n\nAnswer with JSON")[0] ?? "");
    return { output: answer(prompts.at(-1) ?? "", prompts.length) };
  };
  return { id, prompts, generate } satisfies AgentLike & { prompts: string[] };
}

/** Runs one element to its end, while a clock obeys. */
export async function run(build: () => ReactElement) {
  const engine = testEngine();
  const workflow = smithers(() => h(Workflow, { name: "composite" }, build()));
  const handle = await engine.start(workflow);
  const rows = async (name: "made" | "judged" | "done" | "decided") => {
    const cells = await engine.store.outputs(handle.runId, workflow.registry.find(name));
    return cells.map(({ nodeId, iteration }) => `${nodeId}#${iteration}`);
  };
  const row = async (name: "made" | "judged" | "done" | "decided", nodeId: string) => {
    const table = workflow.registry.find(name);
    const cells = (await engine.store.outputs(handle.runId, table)).find((other) => other.nodeId === nodeId)?.cells;
    return cells && decodeRow(table, cells);
  };
  const finished = (): string[] =>
    engine.trace().flatMap((line) => (line.startsWith("node.finished ") ? [line.slice("node.finished ".length)] : []));
  /** A person decides all that is open. */
  const answer = async (verdict: "approve" | "deny"): Promise<void> => {
    for (const { runId, nodeId, iteration } of await engine.store.approvals({ only: "open" }))
      await decideApproval(engine.store, { runId, nodeId, iteration, decision: { verdict }, by: "ann", atMs: 1 });
  };
  const resumed = async () => (await engine.resume(workflow, handle.runId)).result;
  return { ...engine, handle, rows, row, finished, answer, resumed };
}

export async function runToEnd(build: () => ReactElement) {
  const ran = await run(build);
  const result = await ran.handle.result;
  return { ...ran, result };
}

/** A branch that leaves only its name. */
export const note = (id: string) =>
  h(Task<typeof outputs.done>, { key: id, id, output: outputs.done, children: { text: id } });

export const finishedIn = async (ran: Awaited<ReturnType<typeof runToEnd>>): Promise<string[]> => {
  expect(ran.result).toMatchObject({ status: "finished" });
  return ran.finished();
};
