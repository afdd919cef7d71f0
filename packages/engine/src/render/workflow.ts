/** A workflow as a value: what `smithers(build)` makes and a run executes. */
import type { ReactElement } from "react";
import type { z } from "zod";
import type { AlertRule } from "../alerts/policy.ts";
import type { OutputRegistry } from "../outputs/registry.ts";
import type { WorkflowSource } from "../run/metadata.ts";
import { React } from "./react.ts";
import { frameContext, type FrameSource, type WorkflowContext } from "./ctx.ts";
import { FrameScope } from "./scope.ts";

export interface WorkflowDefinition {
  readonly name: string;
  readonly registry: OutputRegistry;
  readonly inputSchema: z.ZodType | null;
  /** The files it was loaded from; absent when it was made in this process. */
  readonly source?: WorkflowSource;
  /** What people are told about while it runs. */
  readonly alerts?: readonly AlertRule[];
  /** Where its entry lies, for those who watch it. */
  readonly file?: string;
  /** The URL of the file whose code made it, as far as the stack says. */
  readonly madeIn?: string;
  /** Only what stands below the sandbox of this id counts: set where the children of a <Sandbox> are run. */
  readonly within?: string;
  // Bivariant on purpose: a workflow with typed schemas is a workflow.
  build(ctx: WorkflowContext): ReactElement;
}

export const isWorkflow = (value: unknown): value is WorkflowDefinition =>
  typeof value === "object" && value !== null && typeof (value as { build?: unknown }).build === "function";

/** The element one frame renders. `build` runs inside a component, so hooks work in it. */
export const frameElement = (workflow: WorkflowDefinition, source: FrameSource): ReactElement =>
  React.createElement(FrameScope, { value: source }, React.createElement(Root, { workflow, source }));

const Root = ({
  workflow,
  source,
}: {
  readonly workflow: WorkflowDefinition;
  readonly source: FrameSource;
}): ReactElement => workflow.build(frameContext(source));
