/** A workflow rendered inside another one's frame: its tree stands there, its reads see the same rows, its input is its own. */
import type { ReactElement } from "react";
import { SmoothError } from "@smooth/protocol/errors";
import { parseInput } from "../run/input.ts";
import { React } from "./react.ts";
import { FrameScope } from "./scope.ts";
import { frameElement, type WorkflowDefinition } from "./workflow.ts";

/** True below an inline subflow: there a <Workflow> is a sequence of the frame, not its root. */
export const Inlined = React.createContext(false);

export interface InlineChild {
  readonly element: ReactElement;
  /** The latest row of a node of it, or of `output`; read when asked. */
  valueOf(outputFrom: string | undefined): unknown;
}

export function useInlineChild(workflow: WorkflowDefinition, input: unknown): InlineChild {
  const source = React.useContext(FrameScope);
  if (!source) throw new SmoothError("WORKFLOW_RENDER_FAILED", "a subflow works only inside a <Workflow>");
  const { registry, rows } = source;
  const child = { ...source, input: parseInput(workflow.inputSchema, input) };
  return {
    element: React.createElement(Inlined, { value: true }, frameElement(workflow, child)),
    valueOf(outputFrom) {
      if (outputFrom === undefined) return rows.all("output").at(-1);
      return registry.tables.flatMap(({ name }) => rows.latestOf(name, outputFrom) ?? []).at(-1);
    },
  };
}
