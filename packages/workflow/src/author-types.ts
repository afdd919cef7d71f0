/** The names under which the documented API speaks of types that live elsewhere in this workspace. */
import type { z } from "zod";
import type { RetryPolicy as EngineRetryPolicy } from "@smooth/engine/retry";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { ApprovalProps } from "./components/approval.ts";
import type { OutputTarget } from "./components/host.ts";
import type { LoopProps } from "./components/loop.ts";
import type { SandboxProps } from "./components/sandbox.ts";
import type { approvalDecisionSchema, approvalRankingSchema, approvalSelectionSchema } from "./create-smithers.ts";

export type ApprovalDecision = z.output<typeof approvalDecisionSchema>;
export type ApprovalSelection = z.output<typeof approvalSelectionSchema>;
export type ApprovalRanking = z.output<typeof approvalRankingSchema>;

/** The row type behind a ref from `outputs`. */
export type InferOutputEntry<T> = T extends z.ZodType ? z.output<T> : never;

/** Of a task, as its author writes it: what is left out has its default. */
export type RetryPolicy = Partial<Omit<EngineRetryPolicy, "retries">>;

/** `Schemas`: what its `createSmithers` was given; a workflow of any is a workflow. */
export type SmithersWorkflow<_Schemas = unknown> = WorkflowDefinition;
export type ApprovalMode = NonNullable<ApprovalProps<OutputTarget>["mode"]>;
export type RalphProps = LoopProps;
export type SandboxRuntime = NonNullable<SandboxProps<OutputTarget>["runtime"]>;
