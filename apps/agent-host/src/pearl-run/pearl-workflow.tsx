/** @jsxImportSource @smooth/workflow */
import { approvalDecisionSchema, createSmithers } from "@smooth/workflow/create-smithers";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { DiffRow, EvidenceRow, MergeRow, type PearlWork, Prepared, TurnRow, VerdictRow } from "./work.ts";

/** A pearl's run is a workflow like any other: the operator works until the governor stops it, a person reviews the diff,
 *  and only an approved diff is merged. */

const { Workflow, Sequence, Loop, Task, Branch, Approval, smithers, outputs } = createSmithers({
  prepared: Prepared,
  turn: TurnRow,
  evidence: EvidenceRow,
  verdict: VerdictRow,
  diff: DiffRow,
  decision: approvalDecisionSchema,
  merge: MergeRow,
});

const MAX_TURNS = 5;

/** Where the outputs of any pearl's run are found again. */
export const pearlRegistry = smithers(() => <Workflow name="pearl" />).registry;

export function pearlWorkflow(work: PearlWork): WorkflowDefinition {
  return smithers(
    (ctx) => {
      const prepared = ctx.outputMaybe(outputs.prepared, "prepare");
      const verdict = ctx.latest(outputs.verdict, "judge");
      const diff = ctx.outputMaybe(outputs.diff, "diff");
      const approved = ctx.outputMaybe(outputs.decision, "merge")?.approved ?? false;
      const evidence = ctx.outputs(outputs.evidence);
      return (
        <Workflow name="pearl">
          <Task id="prepare" output={outputs.prepared} label="Look at the repository" noRetry>
            {({ iteration, signal }) => work.prepare({ iteration, signal })}
          </Task>
          {prepared && (
            <Loop id="governor" until={verdict?.stop != null} maxIterations={MAX_TURNS} onMaxReached="return-last">
              <Sequence>
                <Task id="turn" output={outputs.turn} label="Operator works" retries={2}>
                  {({ iteration, signal }) =>
                    work.turn({ iteration, signal, prepared, feedback: evidence.at(-1) ?? null })
                  }
                </Task>
                <Task id="verify" output={outputs.evidence} label="Governor verifies" retries={2}>
                  {({ iteration, signal }) => work.verify({ iteration, signal, prepared })}
                </Task>
                <Task id="judge" output={outputs.verdict} label="Governor decides" noRetry>
                  {() => work.judge(evidence)}
                </Task>
              </Sequence>
            </Loop>
          )}
          {prepared && verdict && (
            <Task id="diff" output={outputs.diff} label="Collect the diff" retries={2}>
              {({ iteration, signal }) => work.diff({ iteration, signal, prepared, verdict })}
            </Task>
          )}
          {prepared && diff && diff.files > 0 && (
            <Sequence>
              <Approval
                id="merge"
                output={outputs.decision}
                label="Review the diff"
                request={{ title: "Merge the diff?" }}
                onDeny="continue"
              />
              <Branch
                if={approved}
                then={
                  <Task id="apply" output={outputs.merge} label="Merge" noRetry>
                    {({ iteration, signal }) => work.merge({ iteration, signal, prepared, diff })}
                  </Task>
                }
              />
            </Sequence>
          )}
        </Workflow>
      );
    },
    { name: "pearl" },
  );
}
