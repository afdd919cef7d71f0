/** A workflow with one task, for tests that care about what happens around it. */
import type { TaskContext } from "@smooth/engine/task";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { h } from "../jsx-runtime.ts";
import { outputs, smithers, Task, Workflow } from "./rules.ts";

export const oneTask = (body: (context: TaskContext) => Promise<{ n: number }>): WorkflowDefinition =>
  smithers(() =>
    h(Workflow, { name: "one" }, h(Task<typeof outputs.n>, { id: "a", output: outputs.n, children: body })),
  );
