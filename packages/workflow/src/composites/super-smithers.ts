import type { ReactElement } from "react";
import { SmoothError } from "@smooth/protocol/errors";
import { knownProps, prompt, sequence, task, told, useRows, type AgentLike, type OutputTarget } from "./parts.ts";

export interface SuperSmithersProps {
  /** Markdown, or an element that renders to it: what to change, and how. */
  readonly strategy: string | ReactElement;
  /** Does every stage, with its own tools. */
  readonly agent: AgentLike;
  /** Default `super-smithers`. Tasks: `{id}-read`, `{id}-propose`, `{id}-apply`, `{id}-report`. */
  readonly id?: string;
  /** Globs, told to the agent. */
  readonly targetFiles?: readonly string[];
  /** Where every stage records. */
  readonly reportOutput?: OutputTarget;
  /** Propose, but do not apply. */
  readonly dryRun?: boolean;
  readonly skipIf?: boolean;
}

const STAGES = {
  read: "Read the files and say what matters for the strategy. Change nothing.",
  propose: "Propose the changes. Change nothing yet.",
  apply: "Apply the proposed changes.",
  report: "Report what was done and what is left.",
} as const;

const onlyKnown = knownProps<SuperSmithersProps>("SuperSmithers", {
  strategy: true,
  agent: true,
  id: true,
  targetFiles: true,
  reportOutput: true,
  dryRun: true,
  skipIf: true,
});

/** Reads source, proposes changes by a strategy, applies them, reports. Running workflows see them when they are run hot. */
export function SuperSmithers(props: SuperSmithersProps): ReactElement | null {
  onlyKnown(props);
  const { id = "super-smithers", reportOutput, dryRun = false, targetFiles } = props;
  const rows = useRows();
  if (props.skipIf) return null;
  if (reportOutput === undefined)
    throw new SmoothError(
      "INVALID_INPUT",
      `<SuperSmithers id="${id}"> needs \`reportOutput\`: its stages record there`,
    );
  const stages = (["read", "propose", "apply", "report"] as const).filter((stage) => !(dryRun && stage === "apply"));
  return sequence(
    ...stages.map((stage, at) => {
      const earlier = stages.slice(0, at).map((name) => [name, rows.at(reportOutput, `${id}-${name}`)] as const);
      return task({
        id: `${id}-${stage}`,
        output: reportOutput,
        agent: props.agent,
        children: prompt(
          props.strategy,
          targetFiles && `\n\nFiles: ${targetFiles.join(", ")}`,
          `\n\n${STAGES[stage]}`,
          at > 0 && told("So far", Object.fromEntries(earlier)),
        ),
      });
    }),
  );
}
