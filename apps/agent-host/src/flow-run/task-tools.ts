import { realpathSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Gate } from "@smooth/cast/access/gate";
import { SmoothError } from "@smooth/protocol/errors";
import { accessOf } from "@smooth/tools/access";
import { tools as builtIn } from "@smooth/tools/built-in";
import { bindTools, type TaskPlace, type ToolOptions } from "@smooth/tools/task/scope";
import { type Access, pathInRoot, type Workspace } from "@smooth/tools/workspace";
import { openNodeWorkspace } from "@smooth/tools/workspace/node";
import type { Vm } from "@smooth/vm/driver";
import { orAborted } from "../pearl-run/sandboxes.ts";
import { type FlowRules, refusalOf } from "./flow-rules.ts";
import { SandboxCopy } from "./sandbox-copy.ts";

/** The built-in tools as the tasks of a workflow file have them on a host (docs/decisions/010).
 *  X1. Every call is judged as an operator's: Wonk allows, denies, or asks a person.
 *  X2. Files are read and written here, in the task's folder; nothing of what a model wrote is executed by that.
 *  X3. Commands run in a VM and nowhere else; without one they are refused.
 *  X4. The rules hold for where a path leads, whatever links it passes through. */

interface FlowTools extends Pick<ToolOptions, "rootDir" | "maxOutputBytes" | "toolTimeoutMs" | "redact"> {
  readonly gate: Gate;
  readonly rules: FlowRules;
  readonly acquire: (signal: AbortSignal) => Promise<Vm>;
}

export function flowTools({ gate, rules, acquire, ...options }: FlowTools): ReturnType<typeof bindTools> {
  return bindTools({
    ...options,
    open: (place) => openFlowWorkspace(place, { rules, acquire }),
    async judge({ tool, args }, { rootDir, signal }) {
      if (!Object.hasOwn(builtIn, tool)) return; // a tool of the workflow's author is the author's code
      for (const request of accessOf({ name: tool, args: JSON.stringify(args) ?? "" }, realpathSync(rootDir))) {
        const answer = await orAborted(gate.settle(request), signal);
        if (answer.kind === "refuse") throw new SmoothError("POLICY_DENIED", `${answer.message} (rule ${answer.rule})`);
      }
    },
  });
}

function openFlowWorkspace({ rootDir, signal }: TaskPlace, { rules, acquire }: Pick<FlowTools, "rules" | "acquire">) {
  const files = openNodeWorkspace(rootDir, { env: {}, marker: "none" }); // starts no process
  const { root } = files;
  const copy = new SandboxCopy({ root, rules, acquire, signal });
  return {
    root,
    read: async (path, maxBytes) => (await refused(root, path, rules.read)) ?? files.read(path, maxBytes),
    write: async (path, bytes) => (await refused(root, path, rules.write)) ?? files.write(path, bytes),
    list: (path) => files.list(path),
    run: (command) => copy.run(command), // X3
    [Symbol.asyncDispose]: () => copy[Symbol.asyncDispose](),
  } satisfies Workspace;
}

/** X4. What a person was asked about is the path as it was said; where it leads elsewhere nobody was asked. */
async function refused(root: string, path: string, judge: FlowRules["read"]): Promise<Access<never> | null> {
  const inner = pathInRoot(root, path);
  if (inner === null) return null; // the workspace refuses it by name
  const said = join(root, inner);
  const real = await realOf(said);
  const decision = judge(real);
  if (decision.kind === "ask" && real === said) return null;
  const reason = refusalOf(decision);
  return reason === null ? null : { kind: "refused", reason: "failed", message: `${path}: ${reason}` };
}

/** Of a file that is not there yet: by its nearest folder that is. */
async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    return path === dirname(path) ? path : join(await realOf(dirname(path)), basename(path));
  }
}
