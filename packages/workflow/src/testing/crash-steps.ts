/** What the crash workflows share: their outputs, and bodies that say that they ran in a file that survives the process. */
import { appendFileSync } from "node:fs";
import type { TaskContext } from "@smooth/engine/task";
import { z } from "zod";
import { Task } from "../components/task.ts";
import {
  approvalDecisionSchema,
  approvalRankingSchema,
  approvalSelectionSchema,
  createSmithers,
} from "../create-smithers.ts";
import { h } from "../jsx-runtime.ts";

export const { smithers, outputs } = createSmithers({
  value: z.object({ n: z.number() }),
  decision: approvalDecisionSchema,
  choice: approvalSelectionSchema,
  order: approvalRankingSchema,
});

export function crashSteps(bodyLog: string) {
  const ran = ({ runId, nodeId, iteration, attempt, idempotencyKey }: TaskContext): void =>
    appendFileSync(
      bodyLog,
      `${JSON.stringify({ key: `${runId} ${nodeId}::${iteration}`, attempt, idempotencyKey })}\n`,
    );
  const step = (id: string, n: number, props: object = {}) =>
    h(Task<typeof outputs.value>, {
      key: id,
      id,
      output: outputs.value,
      ...props,
      children: async (context: TaskContext) => {
        ran(context);
        await Promise.resolve();
        return { n };
      },
    });
  const failing = (id: string) =>
    h(Task<typeof outputs.value>, {
      id,
      output: outputs.value,
      noRetry: true,
      children: (context: TaskContext) => {
        ran(context);
        throw new Error(`${id} broke`);
      },
    });
  return { ran, step, failing };
}
