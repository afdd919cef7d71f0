/** @jsxImportSource smithers-orchestrator */
/** Two agents argue for two rounds, a third decides. */
import { createSmithers, Debate } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ topic: z.string().default("Should we move to a monorepo?") }),
  argument: z.object({ text: z.string() }),
  output: z.object({ verdict: z.enum(["for", "against"]) }),
});

const speaker = (side: string) => scriptedAgent({ answers: ({ iteration }) => ({ text: `${side} ${iteration + 1}` }) });
const judge = scriptedAgent({
  answers: ({ prompt }) => ({ verdict: prompt.includes("against 2") ? "for" : "against" }),
});

export default smithers((ctx) => (
  <Workflow name="debate">
    <Debate
      proposer={speaker("for")}
      opponent={speaker("against")}
      judge={judge}
      argumentOutput={outputs.argument}
      verdictOutput={outputs.output}
      topic={ctx.input.topic}
    />
  </Workflow>
));
