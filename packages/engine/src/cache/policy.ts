/** What makes two executions of a task the same one.
 *  C1. The key holds: the reach of the scope, the node (or the policy's `key`) and its iteration, the signature of the output's
 *      schema, `version`, the agents, and what the result depends on.
 *  C2. What the result depends on is what `by` says; without it the run's input, the prompt or the function's text, and the
 *      rows of `deps`. A wrong hit is worse than a miss. */
import { SmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import type { TaskLeaf } from "../graph/plan.ts";
import { taggedJson } from "../outputs/table.ts";
import type { WorkflowContext } from "../render/ctx.ts";
import type { AgentLike } from "../task/body.ts";
import { sha256 } from "./sha256.ts";

export interface CachePolicy {
  /** Asked when the task is about to start: what its result depends on, as JSON. */
  readonly by: ((ctx: WorkflowContext) => unknown) | null;
  readonly version: string | null;
  /** Takes the place of the node's id, so that several nodes may share an entry. */
  readonly key: string | null;
  /** Entries that are older are passed over; null: never. */
  readonly ttlMs: number | null;
  readonly scope: "run" | "workflow" | "global";
}

export interface CacheSubject {
  readonly runId: string;
  readonly workflow: string;
  readonly ctx: WorkflowContext;
  readonly deps: Readonly<Record<string, unknown>>;
  /** The resolved prompt of an agent task. */
  readonly prompt: string | null;
}

/** Throws INVALID_INPUT when `by` throws or answers what JSON cannot hold. */
export function cacheKey(leaf: TaskLeaf, policy: CachePolicy, subject: CacheSubject): string {
  const { scope, version, key } = policy;
  const reach = { run: subject.runId, workflow: subject.workflow, global: null }[scope];
  const parts = {
    scope,
    reach,
    node: key === null ? { id: leaf.nodeId } : { key },
    iteration: leaf.iteration,
    schema: z.toJSONSchema(leaf.output.schema, { unrepresentable: "any" }),
    columns: leaf.output.columns.map(({ key: name, kind }) => [name, kind]),
    version,
    agents: leaf.body.mode === "agent" ? leaf.body.agents.map(agentName) : null,
    dependsOn: dependsOn(leaf, policy, subject),
  };
  return sha256(canonical(parts));
}

/** C2 */
function dependsOn(leaf: TaskLeaf, { by }: CachePolicy, { ctx, deps, prompt }: CacheSubject): unknown {
  const { body } = leaf;
  if (!by) return { input: ctx.input, deps, text: prompt ?? (body.mode === "compute" ? String(body.fn) : null) };
  try {
    return { by: canonical(by(ctx)) };
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new SmoothError("INVALID_INPUT", `cache.by of task ${leaf.id} gave no JSON: ${said}`, { cause });
  }
}

/** An agent without an id is known by its class and model. */
function agentName(agent: AgentLike): string {
  const { id, model } = agent as { readonly id?: unknown; readonly model?: unknown };
  if (typeof id === "string") return id;
  const named = typeof model === "string" ? model : (model as { readonly modelId?: unknown } | undefined)?.modelId;
  return `${agent.constructor.name} ${typeof named === "string" ? named : ""}`;
}

/** JSON with sorted keys: equal values have equal texts, and what plain JSON would make alike (two sets, NaN and null) has different ones. */
const canonical = (value: unknown): string =>
  JSON.stringify(JSON.parse(taggedJson(value)), (_key, inner: unknown) =>
    typeof inner !== "object" || inner === null || Array.isArray(inner)
      ? inner
      : Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  );
