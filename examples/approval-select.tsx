/** @jsxImportSource smithers-orchestrator */
/** A person picks one of several plans; what was picked is what runs. */
import { Approval, approvalSelectionSchema, createSmithers, DecisionTable, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  choice: approvalSelectionSchema,
  output: z.object({ done: z.string() }),
});

export default smithers((ctx) => {
  const choice = ctx.outputMaybe(outputs.choice, "plan");
  const done = (what: string) => (
    <Task id={`do-${what}`} output={outputs.output}>
      {{ done: what }}
    </Task>
  );
  return (
    <Workflow name="approval-select">
      <Approval
        id="plan"
        mode="select"
        output={outputs.choice}
        request={{ title: "How do we fix the slow page?", summary: "Both plans keep the public API." }}
        options={[
          { key: "cache", label: "Cache the query", summary: "an hour" },
          { key: "index", label: "Add an index", summary: "a migration" },
        ]}
      />
      <DecisionTable
        rules={[
          { when: choice?.selected === "cache", then: done("cache") },
          { when: choice?.selected === "index", then: done("index") },
        ]}
      />
    </Workflow>
  );
});
