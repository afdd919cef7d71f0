/** @jsxImportSource smithers-orchestrator */
/** Two attempts at the same change, each in a git worktree of its own; the repository's own files stay as they are. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createSmithers, Parallel, Task, Worktree } from "smithers-orchestrator";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  change: z.object({ branch: z.string() }),
  output: z.object({ branches: z.array(z.string()), untouched: z.boolean() }),
});

export default smithers((ctx) => (
  <Workflow name="worktree">
    <Parallel>
      {["small", "bold"].map((name) => (
        <Worktree key={name} id={`${name}-tree`} path={`.worktrees/${name}`} branch={`try/${name}`}>
          <Task id={name} output={outputs.change}>
            {({ worktree }) => {
              writeFileSync(join(worktree?.path ?? "", "CHANGE.md"), name);
              return { branch: worktree?.branch ?? "" };
            }}
          </Task>
        </Worktree>
      ))}
    </Parallel>
    <Task id="told" output={outputs.output}>
      {{
        branches: ctx
          .outputs(outputs.change)
          .map((row) => row.branch)
          .toSorted(),
        untouched: !existsSync("CHANGE.md"),
      }}
    </Task>
  </Workflow>
));
