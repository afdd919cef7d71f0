import type { ReactElement, ReactNode } from "react";
import { z } from "zod";
import { withSchema } from "@smooth/engine/element-text";
import { HOST } from "@smooth/engine/elements";
import type { MemoryNamespace } from "@smooth/engine/memory";
import type { TaskMemoryConfig } from "@smooth/engine/memory/recall";
import type { WorkflowContext } from "@smooth/engine/ctx";
import { React } from "@smooth/engine/react";
import type { RetryPolicy } from "@smooth/engine/retry";
import { FrameScope } from "@smooth/engine/scope";
import type { ScorersMap } from "@smooth/engine/scorers";
import type { AgentLike, TaskContext } from "@smooth/engine/task";
import { host, type NodeProps, type OutputTarget } from "./host.ts";

type OutputValue<O> = O extends z.ZodObject ? z.input<O> : Readonly<Record<string, unknown>>;
/** Upstream rows by name: refs from `outputs`, or their names. */
export type DepsSpec = Readonly<Record<string, OutputTarget>>;
export type InferDeps<D> = {
  readonly [K in keyof D]: D[K] extends z.ZodObject ? z.output<D[K]> : Readonly<Record<string, unknown>>;
};

/** A function child: the task's context, and the rows of its `deps` by name. It answers the row; with an agent, the prompt. */
type ComputeBody<O, D> = (
  context: TaskContext & InferDeps<D>,
) => OutputValue<O> | Promise<OutputValue<O>> | string | ReactElement;

interface AttemptProps {
  readonly timeoutMs?: number;
  readonly heartbeatTimeoutMs?: number;
  readonly retries?: number;
  readonly noRetry?: boolean;
  readonly retryPolicy?: Partial<Omit<RetryPolicy, "retries">>;
}

export interface TaskCache {
  /** What the result depends on, as JSON; asked when the task is about to start. */
  // Bivariant on purpose: the caller's ctx is typed by its own schemas.
  by?(ctx: WorkflowContext): unknown;
  readonly version?: string;
  /** Instead of the node's id, so that several nodes may share an entry. */
  readonly key?: string;
  readonly ttlMs?: number;
  /** Who finds the row again; default `workflow`. */
  readonly scope?: "run" | "workflow" | "global";
}

export type TaskProps<O extends OutputTarget = OutputTarget, D extends DepsSpec = Record<never, never>> = NodeProps<O> &
  AttemptProps & {
    /** An array is a fallback chain. */
    readonly agent?: AgentLike | readonly AgentLike[];
    readonly fallbackAgent?: AgentLike;
    /** Run after the result is recorded; they never hold a task back nor fail it. */
    readonly scorers?: ScorersMap;
    /** What the task recalls from earlier runs and remembers for later ones. */
    readonly memory?: TaskMemoryConfig<MemoryNamespace | string>;
    /** Upstream rows handed to a function child. */
    readonly deps?: D;
    /** Names of the tools the task may call; an empty list: none. */
    readonly allowTools?: readonly string[];
    /** Ask a person before the first attempt; denied, the task fails. */
    readonly needsApproval?: boolean;
    /** With `needsApproval`: what comes after does not wait for the answer, nor for the task. */
    readonly async?: boolean;
    /** Hand the agent's session to a person before the first attempt. */
    readonly hijack?: boolean;
    /** When the person gives it back: their answer is the row, or the task goes on in the session. Default `complete` with `hijack`,
     *  `reopen` for a session that was taken over out of its work. */
    readonly onHijackExit?: "complete" | "reopen";
    /** Keep the row for later executions. Failed tasks, and tasks whose agent called a tool with side effects, are never kept. */
    readonly cache?: TaskCache;
    readonly children?: ReactNode | OutputValue<NoInfer<O>> | ComputeBody<NoInfer<O>, D>;
  };

/** With `agent`: its children are the prompt. Without: a function is computed, an object is the value. */
export function Task<O extends OutputTarget, D extends DepsSpec = Record<never, never>>({
  children,
  ...props
}: TaskProps<O, D>): ReactElement {
  const frame = React.useContext(FrameScope);
  if (
    (props.agent ?? props.fallbackAgent) !== undefined &&
    typeof children !== "function" &&
    typeof children !== "string"
  ) {
    const schema = props.outputSchema ?? frame?.registry.find(props.output).schema ?? z.object();
    return host(HOST.task, props, withSchema(children as ReactNode, schema));
  }
  return host(HOST.task, { ...props, body: children });
}
