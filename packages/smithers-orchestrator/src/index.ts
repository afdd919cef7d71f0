/* oxlint-disable oxc/no-barrel-file -- this package is the one door that authors know by its upstream name */
/** `smithers-orchestrator`, served by this workspace: workflows written for it run unchanged. */
export {
  approvalDecisionSchema,
  approvalRankingSchema,
  approvalSelectionSchema,
  createSmithers,
} from "@smooth/workflow/create-smithers";
export { Approval, type ApprovalProps } from "@smooth/workflow/components/approval";
export {
  Aspects,
  type AspectsProps,
  type CostBudgetConfig,
  type LatencySloConfig,
  type TokenBudgetConfig,
  type TrackingConfig,
} from "@smooth/workflow/components/aspects";
export { Branch, type BranchProps } from "@smooth/workflow/components/branch";
export { ContinueAsNew, continueAsNew, type ContinueAsNewProps } from "@smooth/workflow/components/continue-as-new";
export { HumanTask, type HumanTaskProps } from "@smooth/workflow/components/human-task";
export { Loop, Ralph, type LoopProps } from "@smooth/workflow/components/loop";
export { MergeQueue, type MergeQueueProps } from "@smooth/workflow/components/merge-queue";
export { Parallel, type ParallelProps } from "@smooth/workflow/components/parallel";
export { Saga, SagaStep, type SagaProps, type SagaStepDef, type SagaStepProps } from "@smooth/workflow/components/saga";
export { Sequence, type SequenceProps } from "@smooth/workflow/components/sequence";
export { Sandbox, type SandboxProps, type SandboxVolumeMount } from "@smooth/workflow/components/sandbox";
export { Subflow, type SubflowProps } from "@smooth/workflow/components/subflow";
export { Task, type TaskProps } from "@smooth/workflow/components/task";
export { Signal, type SignalProps } from "@smooth/workflow/components/signal";
export { Timer, type TimerProps } from "@smooth/workflow/components/timer";
export {
  TryCatchFinally,
  type CaughtError,
  type TryCatchFinallyProps,
} from "@smooth/workflow/components/try-catch-finally";
export { WaitForEvent, type WaitForEventProps } from "@smooth/workflow/components/wait-for-event";
export { Worktree, type WorktreeProps } from "@smooth/workflow/components/worktree";
export { Workflow, type WorkflowProps } from "@smooth/workflow/components/workflow";
export { useWorkflowContext as useCtx } from "@smooth/engine/scope";
export { AnthropicAgent, type AnthropicAgentOptions } from "@smooth/agents/anthropic-agent";
export { OpenAIAgent, type OpenAIAgentOptions } from "@smooth/agents/openai-agent";
export { bash, edit, grep, read, tools, write } from "@smooth/tools/task/built-in";
export { defineTool, type TaskTool, type TaskToolDefinition } from "@smooth/tools/task/define-tool";
export {
  getJjPointer,
  isJjRepo,
  revertToJjPointer,
  runJj,
  workspaceAdd,
  workspaceClose,
  workspaceList,
  type JjRevertResult,
  type RunJjOptions,
  type RunJjResult,
  type WorkspaceAddOptions,
  type WorkspaceInfo,
  type WorkspaceResult,
} from "@smooth/vcs/jj";
export { revertToAttempt, type RevertToAttemptOptions } from "@smooth/workflow/revert-to-attempt";
export { runWorkflow } from "@smooth/workflow/run-workflow";
export { loadWorkflow } from "@smooth/workflow/load-workflow";
export { markdownComponents, renderMdx } from "@smooth/workflow/render-mdx";
export { zodSchemaToJsonExample } from "@smooth/workflow/json-example";
export { renderFrame } from "@smooth/engine/render-frame";
export {
  ERROR_REFERENCE_URL,
  errorToJson,
  getSmithersErrorDefinition,
  getSmithersErrorDocsUrl,
  isKnownSmithersErrorCode,
  isSmithersError,
  knownSmithersErrorCodes,
  SmithersErrorInstance,
  type KnownSmithersErrorCode,
  type SmithersError,
  type SmithersErrorCode,
} from "./errors.ts";
export {
  aggregateScores,
  createScorer,
  faithfulnessScorer,
  latencyScorer,
  llmJudge,
  relevancyScorer,
  schemaAdherenceScorer,
  scoresOfRun,
  toxicityScorer,
  type AggregateOptions,
  type AggregateScore,
  type CreateScorerConfig,
  type LlmJudgeConfig,
  type SamplingConfig,
  type Scorer,
  type ScorerBinding,
  type ScorerContext,
  type ScoreResult,
  type ScorerFn,
  type ScorerInput,
  type ScoreRow,
  type ScorersMap,
} from "./scorers.ts";
export {
  createMemoryStore,
  namespaceToString,
  parseNamespace,
  Summarizer,
  TokenLimiter,
  TtlGarbageCollector,
  type MemoryFact,
  type MemoryMessage,
  type MemoryNamespace,
  type MemoryNamespaceKind,
  type MemoryProcessor,
  type MemoryStore,
  type MemoryThread,
  type TaskMemoryConfig,
} from "./memory.ts";
export {
  createOpenApiTool,
  createOpenApiTools,
  listOperations,
  type OpenApiAuth,
  type OpenApiSpec,
  type OpenApiToolsOptions,
} from "./openapi.ts";
export { Gateway, type GatewayAuthConfig, type GatewayOptions, type GatewayTokenGrant } from "./gateway.ts";
export type { ServeOptions } from "./serve.ts";
export { startServer, type ServerOptions } from "./server.ts";
export { mdxPlugin } from "./mdx-plugin.ts";
export type { AgentLike } from "@smooth/engine/task";
export type { OutputAccessor, OutputKey, RunAuthContext, WorkflowContext as SmithersCtx } from "@smooth/engine/ctx";
export type { ErrorInfo, RunStatus } from "@smooth/engine/events";
export type {
  GraphSnapshot,
  RenderFrameInput,
  TaskDescriptor,
  XmlElement,
  XmlNode,
  XmlText,
} from "@smooth/engine/render-frame";
export type { ApprovalOption, ApprovalRequest } from "@smooth/engine/plan";
export type { RunWorkflowOptions as RunOptions, RunWorkflowResult as RunResult } from "@smooth/workflow/run-workflow";
export type {
  SmithersAlertLabels,
  SmithersAlertPolicy,
  SmithersAlertPolicyDefaults,
  SmithersAlertPolicyRule,
  SmithersAlertReaction,
  SmithersAlertSeverity,
} from "@smooth/engine/alerts";
export type { Alert, DeliverAlert } from "@smooth/engine/alerts/deliver";
export type { HotReloadOptions } from "@smooth/workflow/hot-reload";
export type {
  Smithers as CreateSmithersApi,
  WorkflowOptions as SmithersWorkflowOptions,
} from "@smooth/workflow/create-smithers";
export type { AutoApprove as ApprovalAutoApprove } from "@smooth/workflow/components/approval";
export type { DepsSpec, InferDeps, TaskCache as CachePolicy } from "@smooth/workflow/components/task";
export type { OutputTarget } from "@smooth/workflow/components/host";
export type {
  ApprovalDecision,
  ApprovalMode,
  ApprovalRanking,
  ApprovalSelection,
  InferOutputEntry,
  RalphProps,
  RetryPolicy,
  SandboxRuntime,
  SmithersWorkflow,
} from "@smooth/workflow/author-types";
export type { SmithersEvent } from "@smooth/workflow/smithers-events";
export { ApprovalGate, type ApprovalGateProps } from "@smooth/workflow/composites/approval-gate";
export { CheckSuite, type CheckConfig, type CheckSuiteProps } from "@smooth/workflow/composites/check-suite";
export {
  ClassifyAndRoute,
  type CategoryConfig,
  type ClassifyAndRouteProps,
} from "@smooth/workflow/composites/classify-and-route";
export {
  ContentPipeline,
  type ContentPipelineStage,
  type ContentPipelineProps,
} from "@smooth/workflow/composites/content-pipeline";
export { Debate, type DebateProps } from "@smooth/workflow/composites/debate";
export { DecisionTable, type DecisionRule, type DecisionTableProps } from "@smooth/workflow/composites/decision-table";
export { DriftDetector, type DriftDetectorProps } from "@smooth/workflow/composites/drift-detector";
export {
  EscalationChain,
  type EscalationLevel,
  type EscalationChainProps,
} from "@smooth/workflow/composites/escalation-chain";
export {
  GatherAndSynthesize,
  type SourceDef,
  type GatherAndSynthesizeProps,
} from "@smooth/workflow/composites/gather-and-synthesize";
export { Kanban, type ColumnDef, type KanbanProps } from "@smooth/workflow/composites/kanban";
export { LoopUntilScored, type LoopUntilScoredProps } from "@smooth/workflow/composites/loop-until-scored";
export { Optimizer, type OptimizerProps } from "@smooth/workflow/composites/optimizer";
export { Panel, type PanelistConfig, type PanelProps } from "@smooth/workflow/composites/panel";
export { Poller, type PollerProps } from "@smooth/workflow/composites/poller";
export { ReviewLoop, type ReviewLoopProps } from "@smooth/workflow/composites/review-loop";
export { ScanFixVerify, type ScanFixVerifyProps } from "@smooth/workflow/composites/scan-fix-verify";
export { Supervisor, type SupervisorProps } from "@smooth/workflow/composites/supervisor";
export { ExtractPrompt, type ExtractPromptProps } from "@smooth/workflow/composites/extract-prompt";
export { MarkdownPromptCache } from "@smooth/workflow/composites/markdown-prompt-cache";
export { MemoryPromptCache, SqlitePromptCache, type PromptCache } from "@smooth/workflow/composites/prompt-cache";
export { SuperSmithers, type SuperSmithersProps } from "@smooth/workflow/composites/super-smithers";
export { Runbook, type RunbookProps, type RunbookStep } from "@smooth/workflow/composites/runbook";
