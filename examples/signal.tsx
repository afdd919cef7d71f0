/** @jsxImportSource smithers-orchestrator */
/** Waits for a payment to be confirmed; what depends on it is mounted with the payload. */
import { createSmithers, Signal, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  paid: z.object({ amount: z.number() }),
  output: z.object({ receipt: z.string() }),
});

export default smithers(() => (
  <Workflow name="signal">
    <Signal id="payment" schema={outputs.paid}>
      {(payment) => (
        <Task id="receipt" output={outputs.output}>
          {{ receipt: `${payment.amount} €` }}
        </Task>
      )}
    </Signal>
  </Workflow>
));
