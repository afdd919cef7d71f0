/** What one frame asks for: groups and leaves in source order. Plain data, made by `extract`, read by the schedule. */
import type { TaskMemoryConfig } from "../memory/recall.ts";
import type { CachePolicy } from "../cache/policy.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { OutputTable } from "../outputs/table.ts";
import type { WorkflowDefinition } from "../render/workflow.ts";
import type { AgentLike, ComputeFn } from "../task/body.ts";
import type { SandboxSpec } from "../task/sandboxes.ts";
import type { Aspects } from "../schedule/budget.ts";
import type { RetryPolicy } from "../schedule/retry.ts";
import type { ScorersMap } from "../scorers/scorer.ts";
import type { LoopChain, NodeRef } from "./identity.ts";

export type PlanNode = PlanGroup | PlanLoop | PlanScope | PlanContinue | PlanLeaf;

export interface PlanGroup {
  readonly kind: "sequence" | "parallel";
  /** Only for `parallel`: how many of its leaves may run at once. */
  readonly cap: number;
  /** Set on the steps of a saga: what `scope.failed` calls a step that is done. */
  readonly stepId?: string;
  readonly children: readonly PlanNode[];
}

/** Where the run ends and its successor begins, once it is reached. */
export interface PlanContinue {
  readonly kind: "continue";
  readonly state: unknown;
}

/** A try or a saga: where a failure below it stops. */
export interface PlanScope {
  readonly kind: "scope";
  readonly type: "try" | "saga";
  readonly id: string;
  /** `id::iteration`, scoped like a node: each pass of a loop has its own. */
  readonly scopeId: string;
  readonly within: ScopePart | null;
  readonly handler: ScopeHandler;
  readonly body: PlanGroup;
  /** What the frame shows of it: a catch is rendered once there is something to catch. */
  readonly catch: PlanGroup | null;
  readonly finally: PlanGroup | null;
}

/** `codes` null: any. `rethrows`: the handler runs, then the failure goes on outward. */
export type ScopeHandler =
  | { readonly kind: "none" }
  | { readonly kind: "catch"; readonly codes: readonly string[] | null; readonly rethrows: boolean };

export type ScopePartName = "body" | "catch" | "finally";

/** Where something stands: a part of the innermost scope around it, and that scope's own place. */
export interface ScopePart {
  readonly scopeId: string;
  readonly part: ScopePartName;
  readonly handler: ScopeHandler;
  readonly hasFinally: boolean;
  readonly outer: ScopePart | null;
}

export interface PlanLoop {
  readonly kind: "loop";
  /** Scoped id: the loop's own id and the iterations of the loops around it. */
  readonly loopId: string;
  readonly iteration: number;
  readonly until: boolean;
  readonly maxIterations: number;
  readonly onMaxReached: "return-last" | "fail";
  /** Continue as new after so many iterations; Infinity: never. */
  readonly continueEvery: number;
  /** The loops around it, outermost first. */
  readonly around: readonly { readonly loopId: string; readonly iteration: number }[];
  readonly within: ScopePart | null;
  readonly body: PlanGroup;
}

/** A folder with its own checkout, made when it is first needed. */
export interface WorktreeSpec {
  readonly id: string;
  readonly path: string;
  readonly branch: string | null;
  readonly baseBranch: string;
}

export interface LeafBase extends NodeRef {
  readonly kind: "leaf";
  /** `nodeId::iteration` */
  readonly key: string;
  readonly id: string;
  readonly chain: LoopChain;
  /** Who is told when it fails; null: the run. */
  readonly within: ScopePart | null;
  readonly worktree: WorktreeSpec | null;
  /** What it may spend. */
  readonly aspects: Aspects | null;
  /** State keys this leaf waits for; resolved at extraction. */
  readonly after: readonly string[];
  readonly skipIf: boolean;
  readonly continueOnFail: boolean;
  readonly label: string;
  readonly meta: Readonly<Record<string, JsonValue>>;
  /** An async wait does not hold back what comes after it. */
  readonly async: boolean;
}

export interface TaskLeaf extends LeafBase {
  readonly type: "task";
  readonly output: OutputTable;
  readonly body: TaskBody;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number | null;
  readonly heartbeatTimeoutMs: number | null;
  readonly scorers: ScorersMap;
  readonly memory: TaskMemoryConfig | null;
  readonly cache: CachePolicy | null;
  /** A person must agree before the first attempt. */
  readonly needsApproval: boolean;
  /** A person takes the agent's session over before the first attempt. */
  readonly hijack: boolean;
  /** What becomes of the task when a person gives its session back. */
  readonly onHijackExit: "complete" | "reopen";
  /** null: every tool its agent has. */
  readonly allowTools: readonly string[] | null;
  /** Alias → the node whose row is handed to a function child, with the table to read it from. */
  readonly deps: readonly { readonly name: string; readonly key: string; readonly output: OutputTable }[];
}

export type TaskBody =
  /** A run of its own. `outputFrom`: whose row it answers with; null: the one in `output`. */
  | {
      readonly mode: "subflow";
      readonly workflow: WorkflowDefinition;
      readonly input: JsonValue;
      readonly outputFrom: string | null;
    }
  /** A child workflow in a sandbox (run/sandbox.ts). */
  | { readonly mode: "sandbox"; readonly spec: SandboxSpec }
  | { readonly mode: "static"; readonly value: unknown }
  | { readonly mode: "compute"; readonly fn: ComputeFn }
  | {
      readonly mode: "agent";
      readonly agents: readonly AgentLike[];
      readonly prompt: string | ComputeFn;
    };

export interface ApprovalLeaf extends LeafBase {
  readonly type: "approval";
  readonly output: OutputTable;
  readonly mode: "approve" | "select" | "rank";
  readonly request: ApprovalRequest;
  readonly onDeny: "fail" | "continue" | "skip";
  readonly timeoutMs: number | null;
  /** How often, and how long after, it is asked again when the time is over. */
  readonly retry: RetryPolicy;
  /** Nobody is asked once this many people's approvals stand in a row; null: somebody always is. */
  readonly auto: { readonly after: number; readonly audit: boolean } | null;
}

/** Fires once and records no row. */
export interface TimerLeaf extends LeafBase {
  readonly type: "timer";
  readonly when: { readonly kind: "after" | "at" | "every"; readonly ms: number };
}

/** A person answers with JSON that is the row. */
export interface HumanLeaf extends LeafBase {
  readonly type: "human";
  readonly output: OutputTable;
  readonly prompt: string;
  /** Of the answer, for those who give it. */
  readonly schema: JsonValue;
  readonly maxAttempts: number;
  readonly timeoutMs: number | null;
}

/** Takes one signal of this name and correlation; its payload is the row. */
export interface SignalLeaf extends LeafBase {
  readonly type: "signal";
  readonly output: OutputTable;
  readonly event: string;
  readonly correlationId: string | null;
  /** Of the payload, for those who send it. */
  readonly schema: JsonValue;
  readonly timeoutMs: number | null;
  readonly onTimeout: OnTimeout;
}

/** `skip` skips what depends on it too; `continue` goes on without a row. */
export type OnTimeout = "fail" | "skip" | "continue";

/** A leaf that runs no body: it is a row until somebody or something settles it. */
export type WaitLeaf = ApprovalLeaf | HumanLeaf | SignalLeaf | TimerLeaf;

export type PlanLeaf = TaskLeaf | WaitLeaf;

export interface ApprovalOption {
  readonly key: string;
  readonly label: string;
  readonly summary?: string | undefined;
  readonly metadata?: Readonly<Record<string, JsonValue>> | undefined;
}

export interface ApprovalRequest {
  readonly title: string;
  readonly summary?: string | undefined;
  readonly metadata?: Readonly<Record<string, JsonValue>> | undefined;
  readonly options?: readonly ApprovalOption[] | undefined;
  readonly allowedUsers?: readonly string[] | undefined;
  readonly allowedScopes?: readonly string[] | undefined;
  /** Of mode `answer`: the node that waits for it, and the JSON Schema of what is wanted. */
  readonly answer?: { readonly nodeId: string; readonly schema: JsonValue } | undefined;
}

export interface Plan {
  readonly name: string;
  readonly root: PlanGroup;
  readonly leaves: ReadonlyMap<string, PlanLeaf>;
  /** Where each local id stands now: the loops around it. */
  readonly chains: ReadonlyMap<string, LoopChain>;
  /** Which scope a component's handle turned out to be. */
  readonly handles: ReadonlyMap<object, string>;
  readonly warnings: readonly string[];
}

/** What a node is made of, in source order. */
export function membersOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case "leaf":
    case "continue":
      return [];
    case "loop":
      return [node.body];
    case "scope":
      return [node.body, node.catch, node.finally].filter((part) => part !== null);
    case "sequence":
    case "parallel":
      return node.children;
  }
}

export const leavesBelow = (node: PlanNode): readonly PlanLeaf[] =>
  node.kind === "leaf" ? [node] : membersOf(node).flatMap(leavesBelow);
