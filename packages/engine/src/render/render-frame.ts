/** One frame of a workflow without running it: its tree and its tasks, for people and tests. Nothing is executed, nothing is written. */
import type { z } from "zod";
import type { CachePolicy } from "../cache/policy.ts";
import { componentName } from "../graph/props.ts";
import type { ApprovalOption, Plan, PlanLeaf, PlanNode } from "../graph/plan.ts";
import type { TaskMemoryConfig } from "../memory/recall.ts";
import type { JsonValue } from "../outputs/json.ts";
import type { OutputRegistry } from "../outputs/registry.ts";
import { OutputRows } from "../outputs/rows.ts";
import { Frames } from "../run/frames.ts";
import { parseInput } from "../run/input.ts";
import type { RetryPolicy } from "../schedule/retry.ts";
import type { ScorersMap } from "../scorers/scorer.ts";
import type { AgentLike, ComputeFn } from "../task/body.ts";
import type { HostNode } from "./renderer.ts";
import type { WorkflowDefinition } from "./workflow.ts";

export interface RenderFrameInput {
  readonly runId?: string;
  /** Of every loop in the tree. */
  readonly iteration?: number;
  readonly input?: JsonValue;
  readonly auth?: JsonValue;
  /** Rows that are there already, by output: `{ analyze: [{ nodeId: "analyze", iteration: 0, summary: "…" }] }`. */
  readonly outputs?: Readonly<Record<string, readonly SimulatedRow[]>>;
}

export interface SimulatedRow {
  readonly nodeId: string;
  readonly iteration?: number;
  readonly [column: string]: unknown;
}

export interface XmlElement {
  readonly kind: "element";
  readonly tag: string;
  readonly props: Readonly<Record<string, string>>;
  readonly children: readonly XmlNode[];
}
export interface XmlText {
  readonly kind: "text";
  readonly text: string;
}
export type XmlNode = XmlElement | XmlText;

export interface TaskDescriptor {
  readonly nodeId: string;
  /** Its place among the tasks of the frame. */
  readonly ordinal: number;
  readonly iteration: number;
  readonly type: PlanLeaf["type"];
  /** The innermost loop around it. */
  readonly ralphId?: string;
  /** State keys, `nodeId::iteration`. */
  readonly dependsOn: readonly string[];
  /** Name in `deps` → state key. */
  readonly needs?: Readonly<Record<string, string>>;
  readonly outputTableName: string | null;
  readonly outputSchema?: z.ZodObject;
  /** The innermost Parallel, MergeQueue or loop body around it, by its place in the tree. */
  readonly parallelGroupId?: string;
  /** Absent: unbounded. */
  readonly parallelMaxConcurrency?: number;
  readonly worktreeId?: string;
  readonly worktreePath?: string;
  readonly worktreeBranch?: string;
  readonly worktreeBaseBranch?: string;
  readonly needsApproval: boolean;
  readonly waitAsync: boolean;
  readonly skipIf: boolean;
  readonly continueOnFail: boolean;
  readonly label: string;
  readonly meta: Readonly<Record<string, JsonValue>>;
  readonly approvalMode?: "approve" | "select" | "rank";
  readonly approvalOnDeny?: "fail" | "continue" | "skip";
  readonly approvalOptions?: readonly ApprovalOption[];
  readonly approvalAllowedUsers?: readonly string[];
  readonly approvalAllowedScopes?: readonly string[];
  readonly retries?: number;
  readonly retryPolicy?: RetryPolicy;
  readonly timeoutMs?: number | null;
  readonly heartbeatTimeoutMs?: number | null;
  readonly agent?: AgentLike | readonly AgentLike[];
  /** Unless a function builds it when the task starts. */
  readonly prompt?: string;
  readonly staticPayload?: unknown;
  readonly computeFn?: ComputeFn;
  readonly cachePolicy?: CachePolicy;
  readonly scorers?: ScorersMap;
  readonly memoryConfig?: TaskMemoryConfig;
}

export interface GraphSnapshot {
  readonly runId: string;
  readonly frameNo: number;
  readonly xml: XmlNode | null;
  readonly tasks: readonly TaskDescriptor[];
  readonly warnings: readonly string[];
}

/** Throws INVALID_INPUT, UNKNOWN_OUTPUT_SCHEMA, and what the workflow throws: WORKFLOW_RENDER_FAILED, DUPLICATE_ID, PROP_UNSUPPORTED. */
export function renderFrame(workflow: WorkflowDefinition, given: RenderFrameInput = {}): GraphSnapshot {
  const { runId = "preview", iteration = 0, input = {}, auth = null, outputs = {} } = given;
  const loops = new Map<string, number>();
  const rows = simulated(workflow.registry, outputs);
  const frames = new Frames({
    workflow,
    runId,
    auth,
    rows,
    loops,
    input: parseInput(workflow.inputSchema, input),
    scopes: new Map(),
  });
  try {
    const plan = atIteration(frames, { loops, iteration });
    const [root] = frames.nodes;
    return {
      runId,
      frameNo: 0,
      xml: root ? xmlOf(root, workflow.registry) : null,
      tasks: described(plan),
      warnings: plan.warnings,
    };
  } finally {
    frames.close();
  }
}

/** A loop shows the loops inside it only at its own iteration, so the frame is rendered until no new one appears. */
function atIteration(frames: Frames, { loops, iteration }: { loops: Map<string, number>; iteration: number }): Plan {
  for (;;) {
    const plan = frames.render();
    const fresh = loopsOf(plan.root).filter((loopId) => !loops.has(loopId));
    if (iteration === 0 || fresh.length === 0) return plan;
    for (const loopId of fresh) loops.set(loopId, iteration);
  }
}

function loopsOf(node: PlanNode): string[] {
  switch (node.kind) {
    case "leaf":
    case "continue":
      return [];
    case "loop":
      return [node.loopId, ...loopsOf(node.body)];
    case "scope":
      return [node.body, node.catch, node.finally].flatMap((part) => (part ? loopsOf(part) : []));
    case "sequence":
    case "parallel":
      return node.children.flatMap(loopsOf);
  }
}

function simulated(registry: OutputRegistry, outputs: NonNullable<RenderFrameInput["outputs"]>): OutputRows {
  const rows = new OutputRows();
  for (const [name, given] of Object.entries(outputs))
    for (const { nodeId, iteration = 0, runId: _, ...row } of given)
      rows.add(registry.find(name).name, { nodeId, iteration }, () => row);
  return rows;
}

function described({ root, leaves }: Plan): readonly TaskDescriptor[] {
  const groups = new Map(groupsOf(root, { path: "0", group: {} }));
  return [...leaves.values()].map((leaf, ordinal) => ({ ...descriptor(leaf, ordinal), ...groups.get(leaf.key) }));
}

type Group = Pick<TaskDescriptor, "parallelGroupId" | "parallelMaxConcurrency">;
interface Place {
  readonly path: string;
  readonly group: Group;
}

/** Of each leaf, by its key. */
function groupsOf(node: PlanNode, { path, group }: Place): readonly (readonly [key: string, group: Group])[] {
  const below = (child: PlanNode | null, at: number, own: Group) =>
    child === null ? [] : groupsOf(child, { path: `${path}.${at}`, group: own });
  switch (node.kind) {
    case "leaf":
      return [[node.key, group]];
    case "continue":
      return [];
    case "loop":
      return below(node.body, 0, group);
    case "scope":
      return [node.body, node.catch, node.finally].flatMap((part, at) => below(part, at, group));
    case "sequence":
      return node.children.flatMap((child, at) => below(child, at, group));
    case "parallel": {
      const cap = Number.isFinite(node.cap) ? { parallelMaxConcurrency: node.cap } : {};
      return node.children.flatMap((child, at) => below(child, at, { parallelGroupId: path, ...cap }));
    }
  }
}

function descriptor(leaf: PlanLeaf, ordinal: number): TaskDescriptor {
  const { nodeId, iteration, type, chain, after, async, skipIf, continueOnFail, label, meta } = leaf;
  const loop = chain.at(-1);
  return {
    nodeId,
    ordinal,
    iteration,
    type,
    ...(loop === undefined ? {} : { ralphId: loop }),
    dependsOn: after,
    outputTableName: "output" in leaf ? leaf.output.name : null,
    ...("output" in leaf ? { outputSchema: leaf.output.schema } : {}),
    needsApproval: type === "approval" || (type === "task" && leaf.needsApproval),
    waitAsync: async,
    skipIf,
    continueOnFail,
    label,
    meta,
    ...inWorktree(leaf),
    ...detail(leaf),
  };
}

const inWorktree = ({ worktree }: PlanLeaf): Partial<TaskDescriptor> =>
  worktree === null
    ? {}
    : {
        worktreeId: worktree.id,
        worktreePath: worktree.path,
        worktreeBaseBranch: worktree.baseBranch,
        ...(worktree.branch === null ? {} : { worktreeBranch: worktree.branch }),
      };

function detail(leaf: PlanLeaf): Partial<TaskDescriptor> {
  if (leaf.type === "approval") {
    const { options, allowedUsers, allowedScopes } = leaf.request;
    return {
      approvalMode: leaf.mode,
      approvalOnDeny: leaf.onDeny,
      ...(options && { approvalOptions: options }),
      ...(allowedUsers && { approvalAllowedUsers: allowedUsers }),
      ...(allowedScopes && { approvalAllowedScopes: allowedScopes }),
    };
  }
  if (leaf.type !== "task") return {};
  const { retry, timeoutMs, heartbeatTimeoutMs, scorers, memory, cache, deps } = leaf;
  return {
    ...(deps.length > 0 && { needs: Object.fromEntries(deps.map(({ name, key }) => [name, key])) }),
    retries: retry.retries,
    retryPolicy: retry,
    timeoutMs,
    heartbeatTimeoutMs,
    scorers,
    ...(memory ? { memoryConfig: memory } : {}),
    ...(cache ? { cachePolicy: cache } : {}),
    ...bodyDetail(leaf.body),
  };
}

function bodyDetail(body: Extract<PlanLeaf, { type: "task" }>["body"]): Partial<TaskDescriptor> {
  switch (body.mode) {
    case "static":
      return { staticPayload: body.value };
    case "compute":
      return { computeFn: body.fn };
    case "subflow":
    case "sandbox":
      return {};
    case "agent": {
      const [only, ...more] = body.agents;
      const agent = only && more.length === 0 ? only : body.agents;
      return { agent, ...(typeof body.prompt === "string" ? { prompt: body.prompt } : {}) };
    }
  }
}

function xmlOf(node: HostNode, registry: OutputRegistry): XmlNode {
  if (node.kind === "text") return { kind: "text", text: node.text };
  const props = Object.entries(node.props).flatMap(([name, value]) => {
    const text = name === "children" ? undefined : asText(name, value, registry);
    return text === undefined ? [] : [[name, text] as const];
  });
  const tag = node.tag.startsWith("smithers:") ? componentName(node.tag) : node.tag;
  return {
    kind: "element",
    tag,
    props: Object.fromEntries(props),
    children: node.children.map((child) => xmlOf(child, registry)),
  };
}

/** What can be read is shown; what cannot is named by its kind. */
function asText(name: string, value: unknown, registry: OutputRegistry): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") return value;
  if (name === "output") return registry.find(value).name;
  if (typeof value === "function") return "[function]";
  if (name === "agent" || name === "fallbackAgent")
    return [value]
      .flat()
      .map((agent) => String((agent as AgentLike).id ?? "[agent]"))
      .join(", ");
  try {
    return JSON.stringify(value);
  } catch {
    return `[${typeof value}]`;
  }
}
