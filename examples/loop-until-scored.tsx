/** @jsxImportSource smithers-orchestrator */
/** A body of one's own, repeated until the task that scores it is content. */
import { createSmithers, LoopUntilScored, Sequence, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  tuned: z.object({ batch: z.number() }),
  score: z.object({ score: z.number() }),
  output: z.object({ batch: z.number() }),
});

export default smithers((ctx) => {
  const tuned = ctx.latest(outputs.tuned, "tune")?.batch ?? 0;
  return (
    <Workflow name="loop-until-scored">
      <LoopUntilScored scoredBy="measure" scoreOutput={outputs.score} threshold={0.8} maxIterations={6}>
        <Sequence>
          <Task id="tune" output={outputs.tuned}>
            {() => ({ batch: tuned + 8 })}
          </Task>
          <Task id="measure" output={outputs.score} deps={{ tune: outputs.tuned }}>
            {({ tune }) => ({ score: tune.batch / 32 })}
          </Task>
        </Sequence>
      </LoopUntilScored>
      <Task id="told" output={outputs.output}>
        {() => ({ batch: tuned })}
      </Task>
    </Workflow>
  );
});
