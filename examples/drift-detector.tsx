/** @jsxImportSource smithers-orchestrator */
/** Compares an API with what it was, and raises an alarm when it has drifted. */
import { createSmithers, DriftDetector, Task } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  state: z.object({ endpoints: z.array(z.string()) }),
  comparison: z.object({ drifted: z.boolean(), missing: z.array(z.string()) }),
  output: z.object({ alarm: z.string() }),
});

const capture = scriptedAgent({ answers: [{ endpoints: ["/users"] }] });
const compare = scriptedAgent({
  answers: ({ prompt }) => ({ drifted: prompt.includes("/orders"), missing: ["/orders"] }),
});

export default smithers(() => (
  <Workflow name="drift-detector">
    <DriftDetector
      captureAgent={capture}
      compareAgent={compare}
      captureOutput={outputs.state}
      compareOutput={outputs.comparison}
      baseline={{ endpoints: ["/users", "/orders"] }}
      alert={
        <Task id="alarm" output={outputs.output}>
          {{ alarm: "the API lost /orders" }}
        </Task>
      }
    />
  </Workflow>
));
