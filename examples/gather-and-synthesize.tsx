/** @jsxImportSource smithers-orchestrator */
/** Three sources are read at once, then one report is made of them. */
import { createSmithers, GatherAndSynthesize } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  found: z.object({ facts: z.array(z.string()) }),
  output: z.object({ report: z.string() }),
});

const reader = (fact: string) => ({
  agent: scriptedAgent({ answers: [{ facts: [fact] }] }),
  prompt: `Look for ${fact}.`,
});
const writer = scriptedAgent({
  answers: ({ prompt }) => ({
    report: ["logs", "metrics", "code"].filter((source) => prompt.includes(`${source}!`)).join("+"),
  }),
});

export default smithers(() => (
  <Workflow name="gather-and-synthesize">
    <GatherAndSynthesize
      sources={{ logs: reader("logs!"), metrics: reader("metrics!"), code: reader("code!") }}
      synthesizer={writer}
      gatherOutput={outputs.found}
      synthesisOutput={outputs.output}
      maxConcurrency={2}
    />
  </Workflow>
));
