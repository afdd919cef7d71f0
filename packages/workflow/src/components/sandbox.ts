import type { ReactElement, ReactNode } from "react";
import { HOST } from "@smooth/engine/elements";
import { React } from "@smooth/engine/react";
import type { SandboxRuntime } from "@smooth/engine/sandboxes";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { host, type NodeProps, type OutputTarget } from "./host.ts";
import type { TaskCache, TaskProps } from "./task.ts";

/** The sandbox whose inside is rendered: there its children are what counts. Null: outside of any. */
export const WithinSandbox = React.createContext<string | null>(null);

export interface SandboxVolumeMount {
  /** A file or folder of the host; relative to the folder the run works in. */
  readonly host: string;
  /** An absolute path in the sandbox. */
  readonly container: string;
  /** It is copied in, so nothing can be written through: only `true` is taken. */
  readonly readonly?: boolean;
}

export interface SandboxProps<O extends OutputTarget = OutputTarget>
  extends
    NodeProps<O>,
    Pick<TaskProps<O, Record<never, never>>, "timeoutMs" | "heartbeatTimeoutMs" | "retries" | "retryPolicy"> {
  /** Exported by the file that makes it. Its last row in `output` is the answer. Instead of children. */
  readonly workflow?: WorkflowDefinition;
  /** JSON; default `{}`. */
  readonly input?: unknown;
  /** Default: the strongest that the host has. None weaker than the host's minimum is used. */
  readonly runtime?: SandboxRuntime;
  /** Default false: no way out. True: the host's guarded one. */
  readonly allowNetwork?: boolean;
  /** Default true: a person agrees before changed files are written. */
  readonly reviewDiffs?: boolean;
  /** Write changed files at once. */
  readonly autoAcceptDiffs?: boolean;
  /** The only environment it has. */
  readonly env?: Readonly<Record<string, string>>;
  readonly volumes?: readonly SandboxVolumeMount[];
  /** "512m", "2g". */
  readonly memoryLimit?: string;
  /** "0.5", "2". */
  readonly cpuLimit?: string;
  /** Runs instead of the child workflow, without a shell, and writes a manifest to the path in `SMOOTH_BUNDLE`:
   *  `{ "status": "finished", "output": {…} }`. */
  readonly command?: string;
  readonly cache?: TaskCache;
  /** Tasks of this workflow that run in there. The last row in the sandbox's own `output` is the answer. */
  readonly children?: ReactNode;
}

/** A child workflow as one step, run where it can harm nothing. */
export function Sandbox<O extends OutputTarget>({ children, ...props }: SandboxProps<O>): ReactElement {
  const within = React.useContext(WithinSandbox);
  const hasChildren = React.Children.count(children) > 0;
  return host(
    HOST.sandbox,
    hasChildren ? { ...props, inline: true } : props,
    within === props.id ? children : undefined,
  );
}
