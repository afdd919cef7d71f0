/** @jsxImportSource smithers-orchestrator */
/** Branches are built at the same time, and merged one at a time. */
import { createSmithers, MergeQueue, Parallel, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  built: z.object({ branch: z.string() }),
  merged: z.object({ alone: z.boolean() }),
  output: z.object({ merged: z.number(), alwaysAlone: z.boolean() }),
});

const branches = ["login", "search", "export"];
let merging = 0;

export default smithers((ctx) => (
  <Workflow name="merge-queue">
    <Parallel>
      {branches.map((branch) => (
        <Task key={branch} id={`build-${branch}`} output={outputs.built}>
          {{ branch }}
        </Task>
      ))}
    </Parallel>
    <MergeQueue>
      {branches.map((branch) => (
        <Task key={branch} id={`merge-${branch}`} output={outputs.merged}>
          {async () => {
            merging += 1;
            const alone = merging === 1;
            await Promise.resolve();
            merging -= 1;
            return { alone };
          }}
        </Task>
      ))}
    </MergeQueue>
    <Task id="told" output={outputs.output}>
      {{
        merged: ctx.outputs(outputs.merged).length,
        alwaysAlone: ctx.outputs(outputs.merged).every((row) => row.alone),
      }}
    </Task>
  </Workflow>
));
