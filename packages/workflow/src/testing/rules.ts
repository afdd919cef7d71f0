/** What the rule tests share: a few outputs, the elements typed for them, and the smallest bodies there are. */
import type { GenerateArgs } from "@smooth/engine/task";
import { z } from "zod";
import { approvalDecisionSchema, approvalSelectionSchema, createSmithers } from "../create-smithers.ts";

export const {
  Workflow,
  Task,
  Sequence,
  Parallel,
  Loop,
  Approval,
  Timer,
  ContinueAsNew,
  Subflow,
  Sandbox,
  Worktree,
  Aspects,
  MergeQueue,
  Saga,
  TryCatchFinally,
  WaitForEvent,
  smithers,
  outputs,
  useCtx,
} = createSmithers({
  n: z.object({ n: z.number() }),
  text: z.object({ text: z.string() }),
  decision: approvalDecisionSchema,
  choice: approvalSelectionSchema,
});

export const one = () => ({ n: 1 });
export const never = () => new Promise<{ n: number }>(() => {});

/** An agent that gives these answers in turn, the last one for ever; an Error is thrown. */
export function agent(...answers: readonly unknown[]) {
  const asked: GenerateArgs[] = [];
  const generate = async (args: GenerateArgs): Promise<unknown> => {
    asked.push(args);
    const answer = asked.length > answers.length ? answers.at(-1) : answers[asked.length - 1];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { asked, generate };
}
