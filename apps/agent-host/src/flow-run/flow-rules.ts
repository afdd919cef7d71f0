import { sep } from "node:path";
import { decide } from "@smooth/cast/wonk";
import type { Policy } from "@smooth/cast/wonk/policy";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { Decision } from "@smooth/protocol/policy";
import { ownFileRefusal } from "@smooth/workflow/own-files";

/** Which files the tools of a workflow's tasks may touch. Paths are absolute, links followed.
 *  F1. What this machine would run later is not written: version control's own folders and hooks, and the files this workflow is
 *      made of, which the next resume loads into the host.
 *  F2. The host's home, with its tokens and keys, is neither read nor written.
 *  F3. Beyond that Wonk's policy counts, as for an operator. */

export interface FlowRules {
  read(path: string): Decision;
  write(path: string): Decision;
}

interface Guarded {
  readonly policy: Policy;
  readonly hostHome: string;
  readonly workflow: Pick<WorkflowDefinition, "file" | "source">;
  /** Whether git runs what is at a path by itself. */
  readonly isHook: (path: string) => boolean;
}

export function flowRules({ policy, hostHome, workflow, isHook }: Guarded): FlowRules {
  const home = isBelow(hostHome);
  return {
    read: (path) => (home(path) ? HOME : decide(policy, { kind: "read", path })), // F2, F3
    write(path) {
      if (home(path)) return HOME;
      const own = ownFileRefusal(path, workflow);
      if (own !== null) return denied("flow.workflow", own); // F1
      if (fold(path).split(sep).some(isVcsFolder)) return denied("flow.vcs", `${path} belongs to version control`); // F1
      if (isHook(path)) return denied("flow.vcs", `${path} is run by git itself`); // F1
      return decide(policy, { kind: "write", path });
    },
  };
}

/** Null: it may be done. An ask that nobody has settled is a no. */
export function refusalOf(decision: Decision): string | null {
  if (decision.kind === "allow") return null;
  return decision.kind === "deny"
    ? `${decision.reason} (rule ${decision.rule})`
    : `a person has to agree (rule ${decision.rule}): use the write tool, which asks`;
}

const denied = (rule: string, reason: string): Decision => ({ kind: "deny", rule, reason });
const HOME = denied("flow.host-home", "it belongs to the host");

/** Protection ignores letter case, as some file systems do. */
const fold = (path: string): string => path.toLowerCase();
const isVcsFolder = (name: string): boolean => name === ".git" || name === ".jj";

function isBelow(folder: string): (path: string) => boolean {
  const top = fold(folder);
  return (path) => fold(path) === top || fold(path).startsWith(top + sep);
}
