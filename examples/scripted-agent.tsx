/** @jsxImportSource smithers-orchestrator */
/** An agent answers offline: its first attempt fails, its second one does not match the schema at first and is corrected. */
import { createSmithers, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ topic: z.string().default("durable workflows") }),
  output: z.object({ title: z.string(), words: z.number() }),
});

const writer = scriptedAgent({
  id: "writer",
  failures: 1,
  usage: { inputTokens: 120, outputTokens: 30 },
  answers: ({ conversation }) =>
    conversation.length === 0 ? `Sure! {"title": "On steps", "words": "many"}` : { title: "On steps", words: 900 },
});

export default smithers((ctx) => (
  <Workflow name="scripted-agent">
    <Task id="write" output={outputs.output} agent={writer} retries={1} retryPolicy={{ initialDelayMs: 1 }}>
      {`Write a title for a text about ${ctx.input.topic}.`}
    </Task>
  </Workflow>
));
