/** @jsxImportSource smithers-orchestrator */
/** Three specialists vote on a change; the votes are counted, and a moderator is asked only when they do not decide. */
import { createSmithers, Panel } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  review: z.object({ approved: z.boolean(), remark: z.string() }),
  output: z.object({ decision: z.string(), agree: z.number(), summary: z.string() }),
});

const specialist = (approved: boolean) => scriptedAgent({ answers: [{ approved, remark: "read it" }] });

export default smithers(() => (
  <Workflow name="panel">
    <Panel
      panelists={[
        { agent: specialist(true), role: "security" },
        { agent: specialist(true), role: "quality" },
        { agent: specialist(false), role: "architecture" },
      ]}
      moderator={specialist(false)}
      panelistOutput={outputs.review}
      moderatorOutput={outputs.output}
      strategy="vote"
    >
      Review the changes in src/auth.
    </Panel>
  </Workflow>
));
