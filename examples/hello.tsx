/** @jsxImportSource smithers-orchestrator */
import { createSmithers, Sequence, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ name: z.string().default("world") }),
  greeting: z.object({ message: z.string() }),
  output: z.object({ characters: z.number() }),
});

export default smithers((ctx) => (
  <Workflow name="hello">
    <Sequence>
      <Task id="greet" output={outputs.greeting}>
        {{ message: `Hello, ${ctx.input.name}` }}
      </Task>
      <Task id="count" output={outputs.output} deps={{ greet: outputs.greeting }}>
        {(deps) => ({ characters: deps.greet.message.length })}
      </Task>
    </Sequence>
  </Workflow>
));
