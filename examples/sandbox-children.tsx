/** @jsxImportSource smithers-orchestrator */
/** Tasks in a sandbox that stand in the workflow itself: they read what came before, have their own environment, and no network. */
import { lookup } from "node:dns/promises";
import process from "node:process";
import { createSmithers, Sandbox, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  plan: z.object({ name: z.string() }),
  looked: z.object({ greeting: z.string(), network: z.boolean() }),
  output: z.object({ greeting: z.string(), network: z.boolean() }),
});

export default smithers((ctx) => (
  <Workflow name="sandbox-children">
    <Task id="plan" output={outputs.plan}>
      {{ name: "Ann" }}
    </Task>
    <Sandbox id="box" output={outputs.looked} runtime="bubblewrap" env={{ GREETING: "Hello" }} autoAcceptDiffs>
      <Task id="look" output={outputs.looked}>
        {async () => ({
          greeting: `${process.env["GREETING"]}, ${ctx.output(outputs.plan, "plan").name}`,
          network: await lookup("example.com").then(
            () => true,
            () => false,
          ),
        })}
      </Task>
    </Sandbox>
    <Task id="tell" output={outputs.output} deps={{ box: outputs.looked }}>
      {({ box }) => box}
    </Task>
  </Workflow>
));
