/** @jsxImportSource smithers-orchestrator */
/** What a task found out is remembered, and put before the prompts of later runs. */
import { createSmithers, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  finding: z.object({ text: z.string() }),
  output: z.object({ recalled: z.boolean() }),
});

const finder = scriptedAgent({ answers: [{ text: "The login test is flaky on Mondays." }] });
const fixer = scriptedAgent({ answers: ({ prompt }) => ({ recalled: prompt.includes("flaky on Mondays") }) });

export default smithers(() => (
  <Workflow name="memory">
    <Task id="find" output={outputs.finding} agent={finder} memory={{ remember: { key: "login-test" } }}>
      What is wrong with the login test?
    </Task>
    <Task id="fix" output={outputs.output} agent={fixer} memory={{ recall: { query: "login test flaky", topK: 3 } }}>
      Fix the login test.
    </Task>
  </Workflow>
));
