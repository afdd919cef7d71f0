/** @jsxImportSource smithers-orchestrator */
/** A task that asks before its first attempt, while what does not depend on it goes on. */
import { createSmithers, Parallel, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  step: z.object({ note: z.string() }),
  output: z.object({ notes: z.array(z.string()) }),
});

export default smithers((ctx) => (
  <Workflow name="needs-approval">
    <Parallel>
      <Task id="deploy" output={outputs.step} needsApproval label="Deploy to production">
        {{ note: "deployed" }}
      </Task>
      <Task id="docs" output={outputs.step}>
        {{ note: "documented" }}
      </Task>
    </Parallel>
    <Task id="told" output={outputs.output}>
      {{ notes: ctx.outputs(outputs.step).map((row) => row.note) }}
    </Task>
  </Workflow>
));
