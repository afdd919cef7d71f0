/** @jsxImportSource smithers-orchestrator */
/** A crawl of many pages: each page is a run of its own, so that no run grows without end. */
import { ContinueAsNew, createSmithers, Task } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  input: z.object({
    __smithersContinuation: z.object({ payload: z.object({ page: z.number(), found: z.number() }) }).optional(),
  }),
  page: z.object({ found: z.number() }),
  output: z.object({ pages: z.number(), found: z.number() }),
});

export default smithers((ctx) => {
  const { page, found } = ctx.input.__smithersContinuation?.payload ?? { page: 1, found: 0 };
  const here = ctx.outputMaybe(outputs.page, "fetch")?.found ?? 0;
  return (
    <Workflow name="continue-as-new">
      <Task id="fetch" output={outputs.page}>
        {{ found: page * 10 }}
      </Task>
      {page < 3 ? (
        <ContinueAsNew state={{ page: page + 1, found: found + here }} />
      ) : (
        <Task id="total" output={outputs.output}>
          {{ pages: page, found: found + here }}
        </Task>
      )}
    </Workflow>
  );
});
