import type { ReactElement, ReactNode } from "react";
import {
  knownProps,
  parallel,
  prompt,
  sequence,
  task,
  told,
  useRows,
  type AgentLike,
  type OutputTarget,
} from "./parts.ts";

export interface SourceDef {
  readonly agent: AgentLike;
  readonly prompt: string;
  /** Default `gatherOutput`. */
  readonly output?: OutputTarget;
  /** Wins over `prompt`. */
  readonly children?: ReactNode;
}

export interface GatherAndSynthesizeProps {
  /** Default `gather-and-synthesize`. Tasks: `{id}-{source}` and `{id}-synthesize`. */
  readonly id?: string;
  readonly sources: Readonly<Record<string, SourceDef>>;
  readonly synthesizer: AgentLike;
  readonly gatherOutput: OutputTarget;
  readonly synthesisOutput: OutputTarget;
  /** Instead of the recorded rows. */
  readonly gatheredResults?: Readonly<Record<string, unknown>> | null;
  readonly maxConcurrency?: number;
  readonly synthesisPrompt?: string;
  readonly skipIf?: boolean;
  /** Wins over `synthesisPrompt`. */
  readonly children?: ReactNode;
}

const onlyKnown = knownProps<GatherAndSynthesizeProps>("GatherAndSynthesize", {
  id: true,
  sources: true,
  synthesizer: true,
  gatherOutput: true,
  synthesisOutput: true,
  gatheredResults: true,
  maxConcurrency: true,
  synthesisPrompt: true,
  skipIf: true,
  children: true,
});

/** All sources at once; then one agent makes one thing of what they found. */
export function GatherAndSynthesize(props: GatherAndSynthesizeProps): ReactElement | null {
  onlyKnown(props);
  const { id = "gather-and-synthesize", sources, gatherOutput } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  const names = Object.keys(sources);
  const outputOf = (name: string): OutputTarget => sources[name]?.output ?? gatherOutput;
  const gather = Object.entries(sources).map(([name, source]) =>
    task({
      id: `${id}-${name}`,
      label: name,
      output: outputOf(name),
      agent: source.agent,
      children: prompt(source.children ?? source.prompt),
    }),
  );
  const gathered =
    props.gatheredResults ?? Object.fromEntries(names.map((name) => [name, rows.at(outputOf(name), `${id}-${name}`)]));
  const asked = props.children ?? props.synthesisPrompt ?? "Make one result of what the sources found.";
  const synthesize = task({
    id: `${id}-synthesize`,
    output: props.synthesisOutput,
    agent: props.synthesizer,
    needs: Object.fromEntries(names.map((name) => [name, `${id}-${name}`])),
    children: prompt(asked, told("What the sources found", gathered)),
  });
  const { maxConcurrency } = props;
  return sequence(parallel({ ...(maxConcurrency !== undefined && { maxConcurrency }) }, ...gather), synthesize);
}
