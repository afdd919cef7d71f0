/** @jsxImportSource smithers-orchestrator */
/** Answers are scored after they are recorded: by the built-in scorers and by one of our own. Scoring never holds a task back. */
import { createSmithers, Task } from "smithers-orchestrator";
import { createScorer, schemaAdherenceScorer } from "smithers-orchestrator/scorers";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  output: z.object({ summary: z.string() }),
});

const short = createScorer({
  id: "short",
  name: "Short",
  description: "One for twenty characters or fewer.",
  score: async ({ output }) => ({ score: JSON.stringify(output).length <= 40 ? 1 : 0 }),
});
const writer = scriptedAgent({ answers: [{ summary: "It works offline." }] });

export default smithers(() => (
  <Workflow name="scorers">
    <Task
      id="summarize"
      output={outputs.output}
      agent={writer}
      scorers={{ short: { scorer: short }, schema: { scorer: schemaAdherenceScorer() } }}
    >
      Summarize the design.
    </Task>
  </Workflow>
));
