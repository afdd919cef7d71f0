/** @jsxImportSource smithers-orchestrator */
/** A prompt is improved until a function of the candidate says it is good enough. */
import { createSmithers, Optimizer, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  candidate: z.object({ prompt: z.string() }),
  evaluation: z.object({ score: z.number() }),
  output: z.object({ prompt: z.string(), score: z.number() }),
});

const writer = scriptedAgent({
  answers: ({ prompt }) => ({
    prompt: prompt.includes("do better") ? "Summarize the contract. Name parties, dates, duties." : "Summarize.",
  }),
});

export default smithers((ctx) => {
  const best = ctx.latest(outputs.candidate, "optimizer-generate");
  const score = ctx.latest(outputs.evaluation, "optimizer-evaluate")?.score ?? 0;
  return (
    <Workflow name="optimizer">
      <Optimizer
        generator={writer}
        evaluator={(candidate) => ({ score: Math.min(1, String(candidate["prompt"]).length / 50) })}
        generateOutput={outputs.candidate}
        evaluateOutput={outputs.evaluation}
        targetScore={0.9}
      >
        Write a prompt that summarizes legal documents.
      </Optimizer>
      <Task id="best" output={outputs.output}>
        {() => ({ prompt: best?.prompt ?? "", score })}
      </Task>
    </Workflow>
  );
});
