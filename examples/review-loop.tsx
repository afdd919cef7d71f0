/** @jsxImportSource smithers-orchestrator */
/** Write, review, repeat until the reviewer is content; then ask a person before publishing. */
import { Approval, approvalDecisionSchema, Branch, createSmithers, Loop, Sequence, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ topic: z.string().default("durable workflows") }),
  draft: z.object({ text: z.string() }),
  review: z.object({ approved: z.boolean(), feedback: z.string() }),
  publishApproval: approvalDecisionSchema,
  output: z.object({ published: z.string() }),
});

export default smithers((ctx) => {
  const draft = ctx.latest(outputs.draft, "write");
  const review = ctx.latest(outputs.review, "review");
  const decision = ctx.outputMaybe(outputs.publishApproval, { nodeId: "publish-approval" });
  return (
    <Workflow name="review-loop">
      <Loop id="improve" until={review?.approved ?? false} maxIterations={4}>
        <Sequence>
          <Task id="write" output={outputs.draft}>
            {() => ({ text: `${draft?.text ?? `On ${ctx.input.topic}.`} ${review?.feedback ?? ""}`.trim() })}
          </Task>
          <Task id="review" output={outputs.review} deps={{ write: outputs.draft }}>
            {(deps) => ({ approved: deps.write.text.includes("Example."), feedback: "Example." })}
          </Task>
        </Sequence>
      </Loop>
      <Approval
        id="publish-approval"
        output={outputs.publishApproval}
        onDeny="continue"
        request={{ title: `Publish “${ctx.input.topic}”?` }}
      />
      <Branch
        if={decision?.approved ?? false}
        then={
          <Task id="publish" output={outputs.output}>
            {() => ({ published: draft?.text ?? "" })}
          </Task>
        }
      />
    </Workflow>
  );
});
