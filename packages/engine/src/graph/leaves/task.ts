/** Reads a Task element into a leaf of the plan. */
import { SmoothError } from "@smooth/protocol/errors";
import { lazily } from "@smooth/protocol/lazily";
import { z } from "zod";
import type { CachePolicy } from "../../cache/policy.ts";
import { promptText } from "../../render/markdown.ts";
import type { HostElement } from "../../render/renderer.ts";
import { DEFAULT_RETRY, type RetryPolicy } from "../../schedule/retry.ts";
import type { AgentLike, ComputeFn } from "../../task/body.ts";
import { engineOf } from "../../run/waits/hijack.ts";
import type { TaskBody, TaskLeaf } from "../plan.ts";
import {
  aBoolean,
  aDuration,
  aRecord,
  atLeast,
  badProp,
  elementName,
  oneOf,
  onlyKnown,
  optional,
  strings,
} from "../props.ts";
import { readMemory, readScorers } from "./aftermath-props.ts";
import { aliases, COMMON_PROPS, edgesOf, readCommon, type DraftLeaf, type LeafScope } from "./common.ts";

const TASK = [
  ...COMMON_PROPS,
  "agent",
  "fallbackAgent",
  "deps",
  "timeoutMs",
  "heartbeatTimeoutMs",
  "retries",
  "noRetry",
  "retryPolicy",
  "scorers",
  "memory",
  "cache",
  "allowTools",
  "needsApproval",
  "hijack",
  "onHijackExit",
  "async",
  "body",
];

export function readTask(element: HostElement, scope: LeafScope): DraftLeaf {
  onlyKnown(element, TASK);
  const needs = aliases(element);
  const deps = readDeps(element, needs, scope);
  const body = readBody(element);
  const { needsApproval, async } = readGate(element);
  const { hijack, onHijackExit } = readHijack(element, body);
  const leaf: TaskLeaf = {
    ...readCommon(element, scope),
    type: "task",
    body,
    scorers: readScorers(element),
    memory: readMemory(element, body.mode),
    retry: readRetry(element),
    timeoutMs: optional(element, "timeoutMs", aDuration) ?? null,
    heartbeatTimeoutMs: optional(element, "heartbeatTimeoutMs", aDuration) ?? (body.mode === "agent" ? 600_000 : null),
    deps,
    cache: readCache(element),
    needsApproval,
    async,
    hijack,
    onHijackExit,
    allowTools: optional(element, "allowTools", strings) ?? null,
  };
  const edges = edgesOf(element, needs);
  return { leaf, edges: deps.length === 0 ? edges : [...edges, ...deps.map((dep) => dep.key)] };
}

const NO_DEPS: TaskLeaf["deps"] = [];

function readDeps(
  element: HostElement,
  needs: Readonly<Record<string, string>>,
  { registry }: LeafScope,
): TaskLeaf["deps"] {
  const given = optional(element, "deps", aRecord);
  if (!given) return NO_DEPS;
  return Object.entries(given).map(([name, ref]) => {
    const id = needs[name] ?? name;
    return { name, key: id, output: registry.find(ref, () => `${elementName(element)} prop \`deps.${name}\``) };
  });
}

const RETRIES = atLeast(0);

export function readRetry(element: HostElement, absent: RetryPolicy = DEFAULT_RETRY): RetryPolicy {
  const policy = readPolicy(element);
  const given = optional(element, "retries", RETRIES);
  const retries = optional(element, "noRetry", aBoolean) === true ? 0 : given;
  if (!policy && retries === undefined) return absent;
  // An explicit policy means its delays; jitter is then only what it asks for.
  return {
    ...absent,
    ...(policy ? { jitter: false } : {}),
    ...policy,
    retries: retries ?? absent.retries,
  };
}

const amount = (): z.ZodOptional<z.ZodNumber> => z.number().nonnegative().optional();
const Policy = lazily(() =>
  z.strictObject({
    backoff: z.enum(["fixed", "linear", "exponential"]).optional(),
    initialDelayMs: amount(),
    maxDelayMs: amount(),
    multiplier: amount(),
    jitter: z.boolean().optional(),
  }),
);

/** A delay that is no number would be a wake time that the log cannot hold. */
function readPolicy(element: HostElement): Partial<RetryPolicy> | null {
  const given = element.props["retryPolicy"];
  if (given === undefined || given === null) return null;
  const parsed = Policy().safeParse(given);
  if (!parsed.success)
    throw badProp(element, "retryPolicy", "{ backoff?, initialDelayMs?, maxDelayMs?, multiplier?, jitter? }");
  return Object.fromEntries(Object.entries(parsed.data).filter(([, value]) => value !== undefined));
}

const Cache = lazily(() =>
  z.strictObject({
    by: z.custom<NonNullable<CachePolicy["by"]>>((value) => typeof value === "function").optional(),
    version: z.string().optional(),
    key: z.string().min(1).optional(),
    ttlMs: z.number().positive().optional(),
    scope: z.enum(["run", "workflow", "global"]).optional(),
  }),
);

export function readCache(element: HostElement): CachePolicy | null {
  const given = element.props["cache"];
  if (given === undefined || given === null) return null;
  const parsed = Cache().safeParse(given);
  if (!parsed.success)
    throw badProp(element, "cache", "{ by?, version?, key?, ttlMs?, scope?: run | workflow | global }");
  const { by = null, version = null, key = null, ttlMs = null, scope = "workflow" } = parsed.data;
  return { by, version, key, ttlMs, scope };
}

/** `async` lets what comes after go on while a person is asked; without that it says nothing, and is refused. */
function readGate(element: HostElement): Pick<TaskLeaf, "needsApproval" | "async"> {
  const needsApproval = optional(element, "needsApproval", aBoolean) ?? false;
  const async = optional(element, "async", aBoolean) ?? false;
  if (async && !needsApproval) throw badProp(element, "async", "set together with needsApproval");
  return { needsApproval, async };
}

const HIJACK_EXIT = oneOf("complete", "reopen");

/** Before its first attempt a task is taken over to be completed; out of the middle of its work, to be helped. */
function readHijack(element: HostElement, body: TaskBody): Pick<TaskLeaf, "hijack" | "onHijackExit"> {
  const hijack = optional(element, "hijack", aBoolean) ?? false;
  if (hijack && engineOf({ body }) === null) {
    const nodeId = String(element.props["id"]);
    const why = "none of its agents names a hijackEngine or cliEngine";
    throw new SmoothError("TASK_HIJACK_UNSUPPORTED", `<Task id="${nodeId}"> has \`hijack\`, and ${why}`, {
      details: { nodeId },
    });
  }
  const onHijackExit = optional(element, "onHijackExit", HIJACK_EXIT);
  return { hijack, onHijackExit: onHijackExit ?? (hijack ? "complete" : "reopen") };
}

function readBody(element: HostElement): Exclude<TaskBody, { mode: "subflow" | "sandbox" }> {
  const body = element.props["body"];
  const agents = [...readAgents(element, "agent"), ...readAgents(element, "fallbackAgent")];
  if (agents.length > 0) {
    if (typeof body === "function") return { mode: "agent", agents, prompt: body as ComputeFn };
    return { mode: "agent", agents, prompt: typeof body === "string" ? body : promptText(element.children) };
  }
  if (element.props["agent"] !== undefined) throw badProp(element, "agent", AGENT);
  if (typeof body === "function") return { mode: "compute", fn: body as ComputeFn };
  if (typeof body === "object" && body !== null && !("$$typeof" in body)) return { mode: "static", value: body };
  throw new SmoothError(
    "INVALID_INPUT",
    `${elementName(element)} has no agent and its child is ${saidOf(body)}; give it an agent, a function or an object`,
    {
      details: { nodeId: String(element.props["id"]) },
    },
  );
}

const NO_AGENTS: readonly AgentLike[] = [];

/** A chain may have gaps, as `[claude, cheap && haiku]`; what stands in it and is no agent would only be missed when it is needed. */
function readAgents(element: HostElement, name: string): readonly AgentLike[] {
  if (element.props[name] === undefined) return NO_AGENTS;
  const given = [element.props[name]].flat().filter(Boolean);
  if (given.every(isAgent)) return given;
  const stranger = given.find((member) => !isAgent(member)); // the others may hold keys
  throw badProp({ ...element, props: { ...element.props, [name]: stranger } }, name, AGENT);
}

const AGENT = "an object with generate(), or an array of them";

const saidOf = (body: unknown): string =>
  body === undefined ? "missing" : typeof body === "object" ? "an element or null" : "text";

const isAgent = (value: unknown): value is AgentLike =>
  typeof value === "object" && value !== null && typeof (value as { generate?: unknown }).generate === "function";
