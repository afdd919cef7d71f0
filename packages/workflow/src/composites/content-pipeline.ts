import type { ReactElement, ReactNode } from "react";
import { knownProps, prompt, sequence, task, told, useRows, type AgentLike, type OutputTarget } from "./parts.ts";

export interface ContentPipelineStage {
  readonly id: string;
  readonly agent: AgentLike;
  readonly output: OutputTarget;
  readonly label?: string;
}

export interface ContentPipelineProps {
  /** Put before the ids of the stages as `{id}-`; absent: they are used as they are. */
  readonly id?: string;
  readonly stages: readonly ContentPipelineStage[];
  readonly skipIf?: boolean;
  /** What the first stage is asked. */
  readonly children: ReactNode;
}

const onlyKnown = knownProps<ContentPipelineProps>("ContentPipeline", {
  id: true,
  stages: true,
  skipIf: true,
  children: true,
});

/** Stages in order, each given what the one before it recorded. */
export function ContentPipeline(props: ContentPipelineProps): ReactElement | null {
  onlyKnown(props);
  const { id, stages, skipIf, children } = props;
  const rows = useRows();
  if (skipIf) return null;
  const idOf = (stage: ContentPipelineStage): string => (id === undefined ? stage.id : `${id}-${stage.id}`);
  return sequence(
    ...stages.map((stage, at) => {
      const before = stages[at - 1];
      const name = stage.label ?? stage.id;
      const given = before && rows.at(before.output, idOf(before));
      return task({
        id: idOf(stage),
        label: name,
        output: stage.output,
        agent: stage.agent,
        ...(before && { needs: { before: idOf(before) } }),
        children: before
          ? prompt(children, `\n\nYour stage: ${name}.`, told(`What ${before.label ?? before.id} made of it`, given))
          : prompt(children),
      });
    }),
  );
}
