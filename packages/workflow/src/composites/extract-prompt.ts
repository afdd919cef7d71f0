import type { ReactElement, ReactNode } from "react";
import { LoopUntilScored } from "./loop-until-scored.ts";
import { reached } from "./optimizer.ts";
import { host } from "../components/host.ts";
import {
  knownProps,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type LooseRow,
  type OutputTarget,
} from "./parts.ts";
import type { PromptCache } from "./prompt-cache.ts";

export interface ExtractPromptProps {
  /** Default `extract-prompt`. Tasks: `{id}-recall`, `{id}-draft`, `{id}-critique`, `{id}-keep`. */
  readonly id?: string;
  /** What the prompt is kept under: lower case words with dashes. */
  readonly slug: string;
  readonly drafter: AgentLike;
  /** Asks what a reader would still have to guess, and scores from 0 to 1. */
  readonly critic: AgentLike;
  /** With `prompt: string`. */
  readonly draftOutput: OutputTarget;
  /** With `score: number`. */
  readonly critiqueOutput: OutputTarget;
  /** Records `{ slug, found, prompt, score }`: first what was kept before, then what is kept now. */
  readonly promptOutput: OutputTarget;
  readonly cache: PromptCache;
  /** How sure the critic must be: `high` 1.0, `low` (default) 0.7. */
  readonly stakes?: "high" | "low";
  /** Default 5. A prompt that never reaches the threshold is not kept. */
  readonly maxIterations?: number;
  readonly skipIf?: boolean;
  /** What the prompt is for. */
  readonly children: ReactNode;
}

const THRESHOLDS = { high: 1, low: 0.7 } as const;
const SCAFFOLD =
  "\n\nWrite the prompt in four parts: Role, Context, Task, Format. Answer open questions before you write.";

const onlyKnown = knownProps<ExtractPromptProps>("ExtractPrompt", {
  id: true,
  slug: true,
  drafter: true,
  critic: true,
  draftOutput: true,
  critiqueOutput: true,
  promptOutput: true,
  cache: true,
  stakes: true,
  maxIterations: true,
  skipIf: true,
  children: true,
});

/** A prompt drafted against a critic until it leaves nothing to guess, then kept; one that was kept before is used at once. */
export function ExtractPrompt(props: ExtractPromptProps): ReactElement | null {
  onlyKnown(props);
  const { id = "extract-prompt", slug, cache, draftOutput, critiqueOutput, promptOutput, stakes = "low" } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const recalled = rows.at(promptOutput, `${id}-recall`);
  const draft = rows.latest(draftOutput, `${id}-draft`);
  const critique = rows.latest(critiqueOutput, `${id}-critique`);
  const threshold = THRESHOLDS[stakes];
  const recall = task({
    id: `${id}-recall`,
    output: promptOutput,
    children: async () => {
      const kept = await cache.read(slug);
      return { slug, found: kept !== null, prompt: kept ?? "", score: kept === null ? 0 : 1 };
    },
  });
  const drafting = host(
    LoopUntilScored,
    { id, scoredBy: `${id}-critique`, scoreOutput: critiqueOutput, threshold, maxIterations: props.maxIterations ?? 5 },
    sequence(
      task({
        id: `${id}-draft`,
        output: draftOutput,
        agent: props.drafter,
        children: prompt(props.children, SCAFFOLD, told("Your last draft", draft), told("Its critique", critique)),
      }),
      task({
        id: `${id}-critique`,
        output: critiqueOutput,
        agent: props.critic,
        children: prompt("What would a reader of this prompt have to guess? Score it.", told("The prompt", draft)),
      }),
    ),
  );
  const keep = (good: LooseRow): ReactElement =>
    task({
      id: `${id}-keep`,
      output: promptOutput,
      children: async () => {
        await cache.write(slug, String(good["prompt"]));
        return { slug, found: true, prompt: String(good["prompt"]), score: Number(critique?.["score"]) };
      },
    });
  if (recalled?.["found"] === true) return recall;
  const accepted = draft && reached(critique, threshold);
  return sequence(recall, recalled ? drafting : null, accepted ? keep(draft) : null);
}
