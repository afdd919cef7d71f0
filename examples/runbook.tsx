/** @jsxImportSource smithers-orchestrator */
/** A migration by the book: safe steps run, the critical one asks, and a step that fails stops the rest. */
import { approvalDecisionSchema, createSmithers, Runbook, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  step: z.object({ command: z.string(), output: z.string() }),
  decision: approvalDecisionSchema,
  output: z.object({ said: z.array(z.string()) }),
});

export default smithers((ctx) => (
  <Workflow name="runbook">
    <Runbook
      steps={[
        { id: "backup", command: "echo backed up", risk: "safe" },
        { id: "migrate", command: "echo migrated", risk: "critical" },
        { id: "smoke-test", command: "echo healthy", risk: "safe" },
      ]}
      stepOutput={outputs.step}
      approvalOutput={outputs.decision}
    />
    <Task id="told" output={outputs.output}>
      {{ said: ctx.outputs(outputs.step).map((row) => row.output.trim()) }}
    </Task>
  </Workflow>
));
