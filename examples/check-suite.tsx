/** @jsxImportSource smithers-orchestrator */
/** Real commands beside an agent's check; the verdict is counted from what they did. */
import { CheckSuite, createSmithers, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  verdict: z.object({ passed: z.boolean(), summary: z.string() }),
  output: z.object({ ship: z.boolean(), why: z.string() }),
});

const reviewer = scriptedAgent({ answers: [{ passed: true, summary: "reads well" }] });

export default smithers((ctx) => {
  const verdict = ctx.outputMaybe(outputs.verdict, "checksuite-verdict");
  return (
    <Workflow name="check-suite">
      <CheckSuite
        checks={{
          arithmetic: { command: "test $((6 * 7)) -eq 42" },
          spelling: { command: "echo 'teh' | grep -q the" },
          review: { agent: reviewer, label: "Is it readable?" },
        }}
        verdictOutput={outputs.verdict}
        strategy="majority"
      />
      <Task id="ship" output={outputs.output}>
        {() => ({ ship: verdict?.passed ?? false, why: verdict?.summary ?? "" })}
      </Task>
    </Workflow>
  );
});
