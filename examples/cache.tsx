/** @jsxImportSource smithers-orchestrator */
/** An expensive step is kept by what it depends on: the second analysis of the same file is a row, not a call. */
import { createSmithers, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  analysis: z.object({ lines: z.number() }),
  output: z.object({ calls: z.number() }),
});

let calls = 0;

export default smithers(() => {
  const analyze = (id: string) => (
    <Task id={id} output={outputs.analysis} cache={{ key: "analyze", by: () => ({ file: "a.ts" }), version: "1" }}>
      {() => {
        calls += 1;
        return { lines: 120 };
      }}
    </Task>
  );
  return (
    <Workflow name="cache">
      {analyze("first")}
      {analyze("second")}
      <Task id="told" output={outputs.output}>
        {() => ({ calls })}
      </Task>
    </Workflow>
  );
});
