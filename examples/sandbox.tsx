/** @jsxImportSource smithers-orchestrator */
/** A child workflow in a sandbox: it changes files of a copy, and a person sees the patch before they are written here. */
import { readFileSync, writeFileSync } from "node:fs";
import { createSmithers, Sandbox, Task } from "smithers-orchestrator";
import { z } from "zod";

const child = createSmithers({
  input: z.object({ title: z.string() }),
  output: z.object({ file: z.string() }),
});

/** Exported, so that the sandbox can load it. */
export const draft = child.smithers(
  (ctx) => (
    <child.Workflow name="draft">
      <Task id="write" output={child.outputs.output}>
        {() => {
          writeFileSync("draft.md", `# ${ctx.input.title}\n`);
          return { file: "draft.md" };
        }}
      </Task>
    </child.Workflow>
  ),
  { name: "draft" },
);

const { Workflow, smithers, outputs } = createSmithers({
  drafted: z.object({ file: z.string() }),
  output: z.object({ text: z.string() }),
});

export default smithers(() => (
  <Workflow name="sandbox">
    <Sandbox
      id="box"
      workflow={draft}
      input={{ title: "On steps" }}
      output={outputs.drafted}
      runtime="bubblewrap"
      timeoutMs={60_000}
    />
    <Task id="read" output={outputs.output} deps={{ box: outputs.drafted }}>
      {({ box }) => ({ text: readFileSync(box.file, "utf8") })}
    </Task>
  </Workflow>
));
