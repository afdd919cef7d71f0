/** Workflows for the supervisor's tests. Every body says that it ran, in a file that survives the process. */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { z } from "zod";
import { createSmithers } from "../create-smithers.ts";
import { h } from "../jsx-runtime.ts";

const { smithers, outputs, Workflow, Task } = createSmithers({ output: z.object({ n: z.number() }) });

export function supervisedWorkflows(bodyLog: string): Readonly<Record<string, WorkflowDefinition>> {
  const one = (name: string, body: () => Promise<{ n: number }>): WorkflowDefinition =>
    smithers(
      () =>
        h(
          Workflow,
          { name },
          h(Task<typeof outputs.output>, {
            id: "a",
            output: outputs.output,
            children: async ({ runId }) => {
              appendFileSync(bodyLog, `${runId}\n`);
              return body();
            },
          }),
        ),
      { name },
    );
  return {
    good: one("good", async () => ({ n: 1 })),
    slow: one("slow", async () => (await sleep(1_500), { n: 2 })),
    deadly: one("deadly", async () => process.kill(process.pid, "SIGKILL") && sleep(60_000, { n: 3 })),
  };
}
