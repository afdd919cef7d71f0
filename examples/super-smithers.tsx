/** @jsxImportSource smithers-orchestrator */
/** Source is read, changes are proposed by a strategy, and, because this is a dry run, only reported. */
import { createSmithers, SuperSmithers } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  output: z.object({ stage: z.string() }),
});

const engineer = scriptedAgent({
  answers: ({ nodeId }) => ({ stage: nodeId.replace("super-smithers-", "") }),
});

export default smithers(() => (
  <Workflow name="super-smithers">
    <SuperSmithers
      strategy="# Smaller functions\n\nSplit what does two things."
      agent={engineer}
      targetFiles={["src/**/*.ts"]}
      reportOutput={outputs.output}
      dryRun
    />
  </Workflow>
));
