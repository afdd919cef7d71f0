/** @jsxImportSource smithers-orchestrator */
/** Outline, draft, edit: each stage is given what the one before it made. */
import { ContentPipeline, createSmithers } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  piece: z.object({ text: z.string() }),
  output: z.object({ text: z.string(), words: z.number() }),
});

const outliner = scriptedAgent({ answers: [{ text: "1. Why 2. How" }] });
const drafter = scriptedAgent({
  answers: ({ prompt }) => ({ text: prompt.includes("1. Why") ? "Why and how." : "?" }),
});
const editor = scriptedAgent({
  answers: ({ prompt }) => ({ text: prompt.includes("Why and how.") ? "Why, how." : "?", words: 2 }),
});

export default smithers(() => (
  <Workflow name="content-pipeline">
    <ContentPipeline
      stages={[
        { id: "outline", agent: outliner, output: outputs.piece },
        { id: "draft", agent: drafter, output: outputs.piece },
        { id: "edit", agent: editor, output: outputs.output },
      ]}
    >
      Write a post about durable workflows.
    </ContentPipeline>
  </Workflow>
));
