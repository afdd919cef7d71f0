/** @jsxImportSource @smooth/workflow */
/** Tasks that stand below a sandbox: they read what is recorded around them, and of the workflow only they run in there. */
import process from "node:process";
import { z } from "zod";
import { createSmithers } from "../../create-smithers.ts";

const { Workflow, Task, Loop, Sandbox, Approval, Timer, Sequence, smithers, outputs } = createSmithers({
  input: z.object({ n: z.number().default(1) }),
  pid: z.object({ pid: z.number(), at: z.date() }),
  sum: z.object({ sum: z.number(), pid: z.number(), at: z.date() }),
  decision: z.object({ approved: z.boolean() }).loose(),
  text: z.object({ text: z.string() }),
});

/** A sandbox in a loop, between tasks outside. */
export const inline = smithers((ctx) => (
  <Workflow name="inline">
    <Task id="outside" output={outputs.pid}>
      {() => ({ pid: process.pid, at: new Date(1_000) })}
    </Task>
    <Loop id="loop" until={(ctx.latest(outputs.sum)?.sum ?? 0) >= 12} maxIterations={3}>
      <Sandbox id="box" output={outputs.sum}>
        <Task id="first" output={outputs.pid}>
          {() => ({ pid: process.pid, at: new Date(2_000) })}
        </Task>
        {ctx.outputMaybe(outputs.pid, "first") ? (
          <Task id="second" output={outputs.sum}>
            {{
              sum: ctx.input.n + (ctx.latest(outputs.sum)?.sum ?? 0),
              pid: ctx.output(outputs.pid, "first").pid,
              at: ctx.output(outputs.pid, "outside").at,
            }}
          </Task>
        ) : null}
      </Sandbox>
    </Loop>
  </Workflow>
));

/** A person who is waited for in a sandbox cannot come. */
export const asking = smithers(() => (
  <Workflow name="asking">
    <Sandbox id="box" output={outputs.text}>
      <Approval id="ask" output={outputs.decision} request={{ title: "Go?" }} />
    </Sandbox>
  </Workflow>
));

/** Time that passes inside is sat out there. */
export const napping = smithers(() => (
  <Workflow name="napping">
    <Sandbox id="box" output={outputs.text}>
      <Sequence>
        <Timer id="nap" duration="2500ms" />
        <Task id="awake" output={outputs.text}>
          {{ text: "awake" }}
        </Task>
      </Sequence>
    </Sandbox>
  </Workflow>
));
