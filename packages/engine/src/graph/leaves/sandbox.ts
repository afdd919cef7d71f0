/** Reads a Sandbox element into a leaf of the plan: a task whose body is a child workflow in a sandbox of its own.
 *  What no sandbox here can do is refused by name, with a way out. */
import { SmoothError } from "@smooth/protocol/errors";
import { lazily } from "@smooth/protocol/lazily";
import { z } from "zod";
import type { JsonValue } from "../../outputs/json.ts";
import type { HostElement } from "../../render/renderer.ts";
import { isWorkflow } from "../../render/workflow.ts";
import { SANDBOX_RUNTIMES, type SandboxChild, type SandboxRuntime, type SandboxSpec } from "../../task/sandboxes.ts";
import { argvOf } from "../argv.ts";
import type { TaskLeaf } from "../plan.ts";
import { aBoolean, aDuration, aString, badProp, elementName, oneOf, onlyKnown, optional } from "../props.ts";
import { aliases, COMMON_PROPS, edgesOf, readCommon, type DraftLeaf, type LeafScope } from "./common.ts";
import { readCache, readRetry } from "./task.ts";

const SANDBOX = [
  ...COMMON_PROPS,
  "workflow",
  "inline",
  "input",
  "runtime",
  "allowNetwork",
  "reviewDiffs",
  "autoAcceptDiffs",
  "env",
  "volumes",
  "memoryLimit",
  "cpuLimit",
  "command",
  "timeoutMs",
  "heartbeatTimeoutMs",
  "retries",
  "retryPolicy",
  "cache",
];

/** Documented upstream, and not to be had here. */
const WAY_OUT: Readonly<Record<string, string>> = {
  image:
    "every sandbox starts from this host's own image; bring files by `volumes`, or install what is needed with `command`",
  ports: "nothing reaches into a sandbox; let the child workflow do the talking and answer with its output",
  workspace: "there are no remote workspaces; remove it, and every attempt begins with a fresh copy of the folder",
};

const SILENCE_MS = 600_000;

export function readSandbox(element: HostElement, scope: LeafScope): DraftLeaf {
  for (const [prop, way] of Object.entries(WAY_OUT))
    if (element.props[prop] !== undefined) throw unsupported(element, prop, way);
  onlyKnown(element, SANDBOX);
  const retry = readRetry(element);
  const leaf: TaskLeaf = {
    ...readCommon(element, scope),
    type: "task",
    needsApproval: false,
    body: { mode: "sandbox", spec: readSpec(element) },
    scorers: {},
    memory: null,
    // Its own tasks try again already: a whole sandbox is only repeated when that is asked for.
    retry: element.props["retries"] === undefined ? { ...retry, retries: 0 } : retry,
    timeoutMs: optional(element, "timeoutMs", aDuration) ?? null,
    heartbeatTimeoutMs: optional(element, "heartbeatTimeoutMs", aDuration) ?? SILENCE_MS,
    deps: [],
    cache: readCache(element),
    allowTools: null,
    hijack: false,
    onHijackExit: "reopen",
  };
  return { leaf, edges: edgesOf(element, aliases(element)) };
}

function readSpec(element: HostElement): SandboxSpec {
  const reviewDiffs = optional(element, "reviewDiffs", aBoolean) ?? true;
  const autoAcceptDiffs = optional(element, "autoAcceptDiffs", aBoolean) ?? false;
  return {
    child: readChild(element),
    runtime: readRuntime(element),
    allowNetwork: optional(element, "allowNetwork", aBoolean) ?? false,
    env: readEnv(element),
    memoryMb: readMemory(element),
    cpus: readCpus(element),
    command: readCommand(element),
    volumes: readVolumes(element),
    review: reviewDiffs && !autoAcceptDiffs,
  };
}

function readChild(element: HostElement): SandboxChild | null {
  const { workflow, inline, input, command } = element.props;
  if (workflow === undefined) {
    if (inline !== true && command !== undefined && input === undefined) return null;
    if (inline !== true) throw badProp(element, "workflow", "a workflow, or absent with the tasks as children");
    if (input !== undefined) throw badProp(element, "input", "absent: children read the ctx they stand in");
    return { kind: "children" };
  }
  if (!isWorkflow(workflow)) throw badProp(element, "workflow", "a workflow, as smithers(…) makes it");
  if (inline === true) throw badProp(element, "workflow", "absent where there are children: one of them runs");
  return { kind: "workflow", workflow, input: (input ?? {}) as JsonValue };
}

function readRuntime(element: HostElement): SandboxRuntime | null {
  const given = element.props["runtime"];
  if (given === "codeplane")
    throw unsupported(
      element,
      "runtime",
      "codeplane is a remote service that nothing here talks to; use microvm or bubblewrap",
    );
  return optional(element, "runtime", oneOf(...SANDBOX_RUNTIMES)) ?? null;
}

const Env = lazily(() => z.record(z.string().regex(/^[A-Za-z_]\w*$/), z.string()).optional());

function readEnv(element: HostElement): Readonly<Record<string, string>> {
  const env = Env().safeParse(element.props["env"]);
  if (!env.success) throw badProp(element, "env", "texts by name");
  return env.data ?? {};
}

const UNITS = { k: 1 / 1024, m: 1, g: 1024 } as const;
const LEAST_MB = 64;

function readMemory(element: HostElement): number | null {
  const given = optional(element, "memoryLimit", aString);
  if (given === undefined) return null;
  const [, amount, unit = "m"] = /^(\d+(?:\.\d+)?)([kmg])b?$/i.exec(given) ?? [];
  const mb = Math.floor(Number(amount) * UNITS[unit.toLowerCase() as keyof typeof UNITS]);
  if (!(mb >= LEAST_MB)) throw badProp(element, "memoryLimit", `a size of at least ${LEAST_MB}m, as "512m" or "2g"`);
  return mb;
}

function readCpus(element: HostElement): number | null {
  const given = optional(element, "cpuLimit", aString);
  if (given === undefined) return null;
  const cpus = /^\d+(\.\d+)?$/.test(given) ? Number(given) : NaN;
  if (!(cpus >= 0.1)) throw badProp(element, "cpuLimit", 'a number of CPUs of at least 0.1, as "0.5" or "2"');
  return cpus;
}

function readCommand(element: HostElement): readonly string[] | null {
  const given = optional(element, "command", aString);
  if (given === undefined) return null;
  const read = argvOf(given);
  if ("problem" in read) throw badProp(element, "command", `a program and its arguments (${read.problem})`);
  return read.argv;
}

const Volumes = lazily(() =>
  z
    .array(
      z.strictObject({
        host: z.string().min(1),
        container: z.string().startsWith("/"),
        readonly: z.boolean().optional(),
      }),
    )
    .optional(),
);

function readVolumes(element: HostElement): SandboxSpec["volumes"] {
  const volumes = Volumes().safeParse(element.props["volumes"]);
  if (!volumes.success) throw badProp(element, "volumes", "[{ host, container: an absolute path, readonly: true }]");
  for (const volume of volumes.data ?? [])
    if (volume.readonly !== true)
      throw unsupported(
        element,
        "volumes",
        `${volume.container} would be written through to the host; say readonly: true, and let changes come out by the folder it works in`,
      );
  return (volumes.data ?? []).map(({ host, container }) => ({ host, container }));
}

const unsupported = (element: HostElement, prop: string, way: string): SmoothError =>
  new SmoothError(
    "PROP_UNSUPPORTED",
    `${elementName(element)} has prop \`${prop}\`, which this engine does not implement: ${way}`,
    {
      details: { element: "Sandbox", prop },
    },
  );
