/** @jsxImportSource smithers-orchestrator */
/** A boss plans, two workers work at once, and what the review is not content with is handed out again. */
import { createSmithers, Supervisor } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  plan: z.object({
    tasks: z.array(z.object({ id: z.string(), workerType: z.string(), instructions: z.string() })),
  }),
  work: z.object({ text: z.string() }),
  review: z.object({ allDone: z.boolean(), retriable: z.array(z.string()) }),
  output: z.object({ summary: z.string() }),
});

const boss = scriptedAgent({
  answers: ({ nodeId, iteration }) => {
    if (nodeId.endsWith("-plan"))
      return {
        tasks: [
          { id: "login", workerType: "coder", instructions: "Write the login form." },
          { id: "login-tests", workerType: "tester", instructions: "Test the login form." },
        ],
      };
    if (nodeId.startsWith("supervisor-review"))
      return { allDone: iteration === 1, retriable: iteration === 0 ? ["login-tests"] : [] };
    return { summary: "login with tests" };
  },
});
const worker = scriptedAgent({ answers: ({ prompt }) => ({ text: `did: ${prompt.split("\n")[0]}` }) });

export default smithers(() => (
  <Workflow name="supervisor">
    <Supervisor
      boss={boss}
      workers={{ coder: worker, tester: worker }}
      planOutput={outputs.plan}
      workerOutput={outputs.work}
      reviewOutput={outputs.review}
      finalOutput={outputs.output}
    >
      Build the login with tests.
    </Supervisor>
  </Workflow>
));
