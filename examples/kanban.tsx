/** @jsxImportSource smithers-orchestrator */
/** Tickets go through columns; the board ends when all of them are in the last one. */
import { createSmithers, Kanban } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  triage: z.object({ size: z.enum(["s", "m"]) }),
  work: z.object({ branch: z.string() }),
  output: z.object({ total: z.number(), completed: z.number() }),
});

const tickets = [{ id: "login" }, { id: "search" }, { id: "export" }];
const triager = scriptedAgent({ answers: [{ size: "s" }] });
const coder = scriptedAgent({ answers: ({ nodeId }) => ({ branch: `work/${nodeId.split("@@")[0]}` }) });

export default smithers((ctx) => (
  <Workflow name="kanban">
    <Kanban
      columns={[
        { name: "triage", agent: triager, output: outputs.triage },
        { name: "work", agent: coder, output: outputs.work, task: { retries: 1 } },
      ]}
      useTickets={() => tickets}
      maxConcurrency={2}
      until={ctx.outputs(outputs.work).length >= tickets.length}
      onComplete={outputs.output}
    />
  </Workflow>
));
