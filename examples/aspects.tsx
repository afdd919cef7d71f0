/** @jsxImportSource smithers-orchestrator */
/** A token budget over three answers: the third one would cross it, so what remains is skipped. */
import { Aspects, createSmithers, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  answer: z.object({ text: z.string() }),
  output: z.object({ answered: z.number() }),
});

const writer = scriptedAgent({ answers: [{ text: "done" }], usage: { inputTokens: 400, outputTokens: 100 } });

export default smithers((ctx) => (
  <Workflow name="aspects">
    <Aspects tokenBudget={{ max: 900, onExceeded: "skip-remaining" }}>
      {["one", "two", "three"].map((id) => (
        <Task key={id} id={id} output={outputs.answer} agent={writer}>
          Write a section.
        </Task>
      ))}
    </Aspects>
    <Task id="told" output={outputs.output}>
      {{ answered: ctx.outputs(outputs.answer).length }}
    </Task>
  </Workflow>
));
