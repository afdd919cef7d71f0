/** @jsxImportSource smithers-orchestrator */
/** A small model tries first; unsure answers go to a bigger one, and then to a person. */
import { approvalDecisionSchema, createSmithers, EscalationChain, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({ ticket: z.string().default("I was charged twice.") }),
  answer: z.object({ text: z.string(), confidence: z.number() }),
  human: approvalDecisionSchema,
  output: z.object({ refunded: z.boolean() }),
});

const small = scriptedAgent({ answers: [new Error("overloaded")] });
const big = scriptedAgent({ answers: [{ text: "Refund one charge.", confidence: 0.6 }] });
const unsure = (answer: Readonly<Record<string, unknown>>) => Number(answer["confidence"]) < 0.8;

export default smithers((ctx) => {
  const decision = ctx.outputMaybe(outputs.human, "escalation-human");
  return (
    <Workflow name="escalation">
      <EscalationChain
        levels={[
          { agent: small, output: outputs.answer, escalateIf: unsure },
          { agent: big, output: outputs.answer, escalateIf: unsure },
        ]}
        humanFallback
        humanRequest={{ title: "Refund the customer?" }}
        escalationOutput={outputs.human}
      >
        {ctx.input.ticket}
      </EscalationChain>
      <Task id="refund" output={outputs.output}>
        {() => ({ refunded: decision?.approved ?? false })}
      </Task>
    </Workflow>
  );
});
