/** @jsxImportSource smithers-orchestrator */
/** One workflow as a step of another: as a run of its own, and inline. */
import { createSmithers, Subflow, Task } from "smithers-orchestrator";
import { z } from "zod";

const child = createSmithers({
  input: z.object({ text: z.string() }),
  output: z.object({ words: z.number() }),
});
const countWords = child.smithers((ctx) => (
  <child.Workflow name="count-words">
    <Task id="count" output={child.outputs.output}>
      {() => ({ words: ctx.input.text.split(" ").length })}
    </Task>
  </child.Workflow>
));

const { Workflow, smithers, outputs } = createSmithers({
  counted: z.object({ words: z.number() }),
  output: z.object({ total: z.number() }),
});

export default smithers((ctx) => (
  <Workflow name="subflow">
    <Subflow id="first" workflow={countWords} input={{ text: "a run of its own" }} output={outputs.counted} />
    <Subflow id="second" workflow={countWords} input={{ text: "and another" }} output={outputs.counted} />
    <Task id="total" output={outputs.output}>
      {{ total: ctx.outputs(outputs.counted).reduce((sum, row) => sum + row.words, 0) }}
    </Task>
  </Workflow>
));
