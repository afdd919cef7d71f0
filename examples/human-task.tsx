/** @jsxImportSource smithers-orchestrator */
/** Asks a person for a review as JSON, and goes on with what they say. */
import { createSmithers, HumanTask, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  review: z.object({ approved: z.boolean(), severity: z.enum(["low", "high"]) }),
  output: z.object({ status: z.string() }),
});

export default smithers(() => (
  <Workflow name="human-task">
    <HumanTask id="review" output={outputs.review} prompt="Review the change. May it be merged?" maxAttempts={3} />
    <Task id="close" output={outputs.output} deps={{ review: outputs.review }}>
      {({ review }) => ({ status: `${review.approved ? "merged" : "sent back"}, ${review.severity} severity` })}
    </Task>
  </Workflow>
));
