/** @jsxImportSource smithers-orchestrator */
/** A release that asks a person only when it is risky; when they say no, what depends on it is skipped. */
import { ApprovalGate, approvalDecisionSchema, createSmithers, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ changedFiles: z.number().default(40) }),
  risk: z.object({ score: z.number() }),
  release: approvalDecisionSchema,
  output: z.object({ released: z.boolean() }),
});

export default smithers((ctx) => {
  const risk = ctx.outputMaybe(outputs.risk, "risk");
  return (
    <Workflow name="release-gate">
      <Task id="risk" output={outputs.risk}>
        {() => ({ score: ctx.input.changedFiles / 50 })}
      </Task>
      {risk && (
        <ApprovalGate
          id="release"
          output={outputs.release}
          when={risk.score > 0.5}
          onDeny="skip"
          request={{ title: `Release with risk ${risk.score}?` }}
        />
      )}
      {risk && (
        <Task id="publish" output={outputs.output} dependsOn={["release"]}>
          {{ released: true }}
        </Task>
      )}
    </Workflow>
  );
});
