/** @jsxImportSource smithers-orchestrator */
/** A prompt is drafted until a critic has nothing left to guess, and kept for the next time. */
import { createSmithers, ExtractPrompt, MemoryPromptCache } from "smithers-orchestrator";
import { scriptedAgent } from "smithers-orchestrator/scripted";
import { z } from "zod";

const { Workflow, smithers, outputs } = createSmithers({
  draft: z.object({ prompt: z.string() }),
  critique: z.object({ score: z.number(), questions: z.array(z.string()) }),
  output: z.object({ slug: z.string(), found: z.boolean(), prompt: z.string(), score: z.number() }),
});

const drafter = scriptedAgent({
  answers: ({ iteration }) => ({ prompt: `Triage tickets, version ${iteration + 1}.` }),
});
const critic = scriptedAgent({
  answers: ({ iteration }) =>
    iteration === 0 ? { score: 0.4, questions: ["Which tickets?"] } : { score: 0.9, questions: [] },
});
const cache = new MemoryPromptCache();

export default smithers(() => (
  <Workflow name="extract-prompt">
    <ExtractPrompt
      slug="triage"
      drafter={drafter}
      critic={critic}
      draftOutput={outputs.draft}
      critiqueOutput={outputs.critique}
      promptOutput={outputs.output}
      cache={cache}
    >
      A prompt that triages support tickets.
    </ExtractPrompt>
  </Workflow>
));
