/** @jsxImportSource smithers-orchestrator */
/** Opens a pull request, then waits for somebody outside to say that it was merged. */
import { createSmithers, Task, WaitForEvent } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  opened: z.object({ number: z.number() }),
  merged: z.object({ sha: z.string() }),
  output: z.object({ released: z.string() }),
});

export default smithers((ctx) => {
  const merged = ctx.outputMaybe(outputs.merged, "merge");
  return (
    <Workflow name="wait-for-event">
      <Task id="open" output={outputs.opened}>
        {{ number: 42 }}
      </Task>
      <WaitForEvent id="merge" event="pr-merged" output={outputs.merged} />
      <Task id="release" output={outputs.output}>
        {() => ({ released: merged?.sha ?? "" })}
      </Task>
    </Workflow>
  );
});
