/** @jsxImportSource smithers-orchestrator */
/** A deployment fails, is rolled back with the reason at hand, and the lock is freed in any case. */
import { createSmithers, Sequence, Task, TryCatchFinally } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  step: z.object({ note: z.string() }),
  output: z.object({ note: z.string() }),
});

export default smithers(() => (
  <Workflow name="try-catch-finally">
    <TryCatchFinally
      id="deployment"
      try={
        <Sequence>
          <Task id="lock" output={outputs.step}>
            {{ note: "locked" }}
          </Task>
          <Task id="deploy" output={outputs.step} noRetry>
            {() => {
              throw new Error("health check failed");
            }}
          </Task>
        </Sequence>
      }
      catch={(error) => (
        <Task id="roll-back" output={outputs.output}>
          {{ note: `rolled back: ${error.message}` }}
        </Task>
      )}
      finally={
        <Task id="unlock" output={outputs.step}>
          {{ note: "unlocked" }}
        </Task>
      }
    />
  </Workflow>
));
