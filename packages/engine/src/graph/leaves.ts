/** Reads a Task or an Approval element into a leaf of the plan. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import type { JsonValue } from "../outputs/json.ts";
import type { OutputRegistry } from "../outputs/registry.ts";
import type { HostElement, HostNode } from "../render/renderer.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "../schedule/retry.ts";
import type { AgentLike, ComputeFn } from "../task/body.ts";
import { resolveRef, stateKey, type LoopChain, type LoopIterations } from "./identity.ts";
import type { ApprovalLeaf, PlanLeaf, TaskBody, TaskLeaf } from "./plan.ts";
import {
  aBoolean,
  aDuration,
  aNumber,
  aRecord,
  aString,
  badProp,
  componentName,
  oneOf,
  onlyKnown,
  optional,
  strings,
} from "./props.ts";

export interface LeafScope {
  readonly registry: OutputRegistry;
  readonly chain: LoopChain;
  readonly loops: LoopIterations;
}

const COMMON = ["id", "output", "outputSchema", "dependsOn", "needs", "skipIf", "continueOnFail", "label", "meta"];
const TASK = [
  ...COMMON,
  "agent",
  "fallbackAgent",
  "deps",
  "timeoutMs",
  "heartbeatTimeoutMs",
  "retries",
  "noRetry",
  "retryPolicy",
  "body",
];
const APPROVAL = [...COMMON, "mode", "options", "request", "onDeny", "allowedUsers", "allowedScopes", "async"];

/** Edges are still local ids here; `extract` resolves them when the whole frame is known. */
export type DraftLeaf = PlanLeaf & { readonly edges: readonly string[] };

export function readTask(element: HostElement, scope: LeafScope): DraftLeaf {
  onlyKnown(element, TASK);
  const needs = aliases(element);
  const deps = Object.entries(optional(element, "deps", aRecord) ?? {}).map(([name, ref]) => {
    const id = needs[name] ?? name;
    return { name, key: id, output: scope.registry.find(ref) };
  });
  const leaf: TaskLeaf = {
    ...common(element, scope),
    type: "task",
    body: readBody(element),
    retry: readRetry(element),
    timeoutMs: optional(element, "timeoutMs", aDuration) ?? null,
    heartbeatTimeoutMs: optional(element, "heartbeatTimeoutMs", aDuration) ?? (element.props["agent"] ? 600_000 : null),
    deps,
  };
  return { ...leaf, edges: [...edgesOf(element, needs), ...deps.map((dep) => dep.key)] };
}

export function readApproval(element: HostElement, scope: LeafScope): DraftLeaf {
  onlyKnown(element, APPROVAL);
  const request = Request.safeParse(element.props["request"]);
  if (!request.success) throw badProp(element, "request", "{ title, summary?, metadata? }");
  const mode = optional(element, "mode", oneOf("approve", "select", "rank")) ?? "approve";
  const options = Options.safeParse(element.props["options"]);
  if (!options.success || (mode !== "approve" && !options.data?.length))
    throw badProp(element, "options", "[{ key, label }, …] for select and rank");
  const leaf: ApprovalLeaf = {
    ...common(element, scope),
    type: "approval",
    mode,
    request: {
      ...request.data,
      options: options.data,
      allowedUsers: optional(element, "allowedUsers", strings),
      allowedScopes: optional(element, "allowedScopes", strings),
    },
    onDeny: optional(element, "onDeny", oneOf("fail", "continue", "skip")) ?? "fail",
    async: optional(element, "async", aBoolean) ?? false,
  };
  return { ...leaf, edges: edgesOf(element, aliases(element)) };
}

const Metadata = z.record(z.string(), z.json()).optional();
const Request = z.object({ title: z.string(), summary: z.string().optional(), metadata: Metadata });
const Options = z
  .array(z.object({ key: z.string(), label: z.string(), summary: z.string().optional(), metadata: Metadata }))
  .optional();

function common(element: HostElement, { registry, chain, loops }: LeafScope) {
  const id = optional(element, "id", aString);
  if (id === undefined) throw badProp(element, "id", "a non-empty string");
  if (/@@|::/.test(id)) throw badProp(element, "id", "free of @@ and ::");
  const output = registry.find(element.props["output"]);
  const own = element.props["outputSchema"];
  const ref = resolveRef(id, chain, loops);
  return {
    ...ref,
    kind: "leaf" as const,
    key: stateKey(ref),
    id,
    chain,
    output: own instanceof z.ZodObject ? { ...output, schema: own } : output,
    after: [],
    skipIf: optional(element, "skipIf", aBoolean) ?? false,
    continueOnFail: optional(element, "continueOnFail", aBoolean) ?? false,
    label: optional(element, "label", aString) ?? id,
    meta: (optional(element, "meta", aRecord) ?? {}) as Readonly<Record<string, JsonValue>>,
    async: false,
  };
}

const aliases = (element: HostElement): Readonly<Record<string, string>> =>
  (optional(element, "needs", aRecord) ?? {}) as Readonly<Record<string, string>>;

const edgesOf = (element: HostElement, needs: Readonly<Record<string, string>>): readonly string[] => [
  ...(optional(element, "dependsOn", strings) ?? []),
  ...Object.values(needs),
];

function readRetry(element: HostElement): RetryPolicy {
  const policy = optional(element, "retryPolicy", aRecord);
  const retries = element.props["noRetry"] === true ? 0 : optional(element, "retries", aNumber);
  const given = Object.fromEntries(
    Object.entries(policy ?? {}).filter(([, value]) => value !== undefined),
  ) as Partial<RetryPolicy>;
  // An explicit policy means its delays; jitter is then only what it asks for.
  return {
    ...DEFAULT_RETRY,
    ...(policy ? { jitter: false } : {}),
    ...given,
    retries: retries ?? DEFAULT_RETRY.retries,
  };
}

function readBody(element: HostElement): TaskBody {
  const body = element.props["body"];
  const agents = [element.props["agent"], element.props["fallbackAgent"]].flat().filter(isAgent);
  if (agents.length > 0) {
    if (typeof body === "function") return { mode: "agent", agents, prompt: body as ComputeFn };
    return { mode: "agent", agents, prompt: typeof body === "string" ? body : textOf(element.children) };
  }
  if (element.props["agent"] !== undefined)
    throw badProp(element, "agent", "an object with generate(), or an array of them");
  if (typeof body === "function") return { mode: "compute", fn: body as ComputeFn };
  if (typeof body === "object" && body !== null) return { mode: "static", value: body };
  const id = String(element.props["id"]);
  throw new SmoothError(
    "INVALID_INPUT",
    `<${componentName(element.tag)} id="${id}"> has no agent and its child is ${body === undefined ? "missing" : "text"}; give it an agent, a function or an object`,
    {
      details: { nodeId: id },
    },
  );
}

const isAgent = (value: unknown): value is AgentLike =>
  typeof value === "object" && value !== null && typeof (value as { generate?: unknown }).generate === "function";

/** A prompt written as elements: their text, in order. */
function textOf(nodes: readonly HostNode[]): string {
  return nodes.map((node) => (node.kind === "text" ? node.text : textOf(node.children))).join("");
}
