/** @jsxImportSource smithers-orchestrator */
/** Tickets are sorted by one agent, and each goes to the agent of its category. */
import { ClassifyAndRoute, createSmithers, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({
    tickets: z.array(z.object({ id: z.string(), text: z.string() })).default([
      { id: "t1", text: "crash on save" },
      { id: "t2", text: "dark mode, please" },
    ]),
  }),
  classified: z.object({ classifications: z.array(z.object({ category: z.string(), itemId: z.string() })) }),
  handled: z.object({ by: z.string() }),
  output: z.object({ handled: z.number() }),
});

const classifier = scriptedAgent({
  answers: [
    {
      classifications: [
        { category: "bug", itemId: "t1" },
        { category: "wish", itemId: "t2" },
      ],
    },
  ],
});
const by = (name: string) => scriptedAgent({ answers: [{ by: name }] });

export default smithers((ctx) => (
  <Workflow name="classify-and-route">
    <ClassifyAndRoute
      items={ctx.input.tickets}
      categories={{ bug: by("engineer"), wish: { agent: by("product") } }}
      classifierAgent={classifier}
      classifierOutput={outputs.classified}
      routeOutput={outputs.handled}
    />
    <Task id="count" output={outputs.output}>
      {{ handled: ctx.outputs(outputs.handled).length }}
    </Task>
  </Workflow>
));
