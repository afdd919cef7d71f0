/* oxlint-disable oxc/no-barrel-file -- this package is the one door that authors know by its upstream name */
/** `smithers-orchestrator`, served by this workspace: workflows written for it run unchanged. */
export {
  approvalDecisionSchema,
  approvalRankingSchema,
  approvalSelectionSchema,
  createSmithers,
} from "@smooth/workflow/create-smithers";
export { Approval, Branch, Loop, Parallel, Ralph, Sequence, Task, Workflow } from "@smooth/workflow/components";
export { useWorkflowContext as useCtx } from "@smooth/engine/scope";
export { runWorkflow } from "@smooth/workflow/run-workflow";
export { SmoothError as SmithersErrorInstance } from "@smooth/protocol/errors";
export type {
  ApprovalProps,
  BranchProps,
  LoopProps,
  ParallelProps,
  SequenceProps,
  TaskProps,
  WorkflowProps,
} from "@smooth/workflow/components";
export type { AgentLike } from "@smooth/engine/task";
export type { RetryPolicy } from "@smooth/engine/retry";
export type { WorkflowContext as SmithersCtx } from "@smooth/engine/ctx";
export type { WorkflowDefinition as SmithersWorkflow } from "@smooth/engine/workflow";
