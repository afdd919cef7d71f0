/** @jsxImportSource smithers-orchestrator */
/** A draft goes to two reviewers at once, and back to its writer with what they said, until the majority approves. */
import { createSmithers, ReviewLoop, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  draft: z.object({ text: z.string() }),
  review: z.object({ approved: z.boolean(), remark: z.string() }),
  output: z.object({ text: z.string() }),
});

const writer = scriptedAgent({
  answers: ({ prompt }) => ({ text: prompt.includes("Give an example") ? "Steps, with an example." : "Steps." }),
});
const reviewer = scriptedAgent({
  answers: ({ prompt }) => ({ approved: prompt.includes("with an example"), remark: "Give an example." }),
});

export default smithers((ctx) => {
  const draft = ctx.latest(outputs.draft, "review-loop-produce");
  return (
    <Workflow name="review-panel">
      <ReviewLoop
        producer={writer}
        reviewer={[reviewer, reviewer, reviewer]}
        produceOutput={outputs.draft}
        reviewOutput={outputs.review}
        agreement="majority"
      >
        Explain durable steps.
      </ReviewLoop>
      <Task id="publish" output={outputs.output}>
        {() => ({ text: draft?.text ?? "" })}
      </Task>
    </Workflow>
  );
});
