/** @jsxImportSource smithers-orchestrator */
/** Warns, waits, acts. The wait is a row: a restart neither loses nor resets it. */
import { createSmithers, Task, Timer } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  warned: z.object({ atMs: z.number() }),
  output: z.object({ waited: z.boolean() }),
});

export default smithers((ctx) => {
  const warned = ctx.outputMaybe(outputs.warned, "warn");
  return (
    <Workflow name="timer">
      <Task id="warn" output={outputs.warned}>
        {() => ({ atMs: Date.now() })}
      </Task>
      <Timer id="grace" duration="40ms" />
      <Task id="delete" output={outputs.output}>
        {() => ({ waited: Date.now() - (warned?.atMs ?? 0) >= 40 })}
      </Task>
    </Workflow>
  );
});
