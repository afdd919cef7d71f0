/** @jsxImportSource smithers-orchestrator */
/** Looks at a deployment until it is ready, with durable waits in between. */
import { createSmithers, Poller, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  check: z.object({ satisfied: z.boolean(), progress: z.number() }),
  output: z.object({ looks: z.number() }),
});

export default smithers((ctx) => {
  const looks = ctx.iterationCount(outputs.check, "deploy-check");
  return (
    <Workflow name="poller">
      <Poller
        id="deploy"
        check={() => ({ satisfied: looks >= 2, progress: looks * 50 })}
        checkOutput={outputs.check}
        backoff="linear"
        intervalMs={20}
        maxAttempts={5}
      />
      <Task id="ready" output={outputs.output}>
        {{ looks }}
      </Task>
    </Workflow>
  );
});
