/** @jsxImportSource smithers-orchestrator */
/** A booking in three steps; the third one fails, and what was booked is undone in reverse. */
import { createSmithers, Saga, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  step: z.object({ at: z.number() }),
  output: z.object({ undone: z.array(z.string()) }),
});

export default smithers((ctx) => {
  const undone = ["undo-hotel", "undo-flight"].filter((id) => ctx.outputMaybe(outputs.step, id));
  const step = (id: string, body: () => { at: number } = () => ({ at: 1 })) => (
    <Task id={id} output={outputs.step} noRetry>
      {body}
    </Task>
  );
  const noCars = () => {
    throw new Error("no cars left");
  };
  return (
    <Workflow name="saga">
      <Saga
        id="trip"
        steps={[
          { id: "flight-step", action: step("flight"), compensation: step("undo-flight") },
          { id: "hotel-step", action: step("hotel"), compensation: step("undo-hotel") },
          { id: "car-step", action: step("car", noCars), compensation: step("undo-car") },
        ]}
      />
      <Task id="told" output={outputs.output}>
        {{ undone }}
      </Task>
    </Workflow>
  );
});
