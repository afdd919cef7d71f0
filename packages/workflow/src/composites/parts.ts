/** What the composite components are made of. They only compose elements and read recorded rows, so all that holds for tasks, loops
 *  and approvals holds for them: a composite survives a crash because its tasks do.
 *  K1. A decision of a composite (stop, escalate, count votes) is computed from recorded rows, never taken from a model's word about them.
 *  K2. What a model named never breaks the frame: an id made of its words is an id, and its own. */
import type { ReactElement, ReactNode } from "react";
import { useWorkflowContext } from "@smooth/engine/scope";
import type { AgentLike } from "@smooth/engine/task";
import { SmoothError } from "@smooth/protocol/errors";
import type { OutputTarget } from "../components/host.ts";
import { host } from "../components/host.ts";
import { Parallel, type ParallelProps } from "../components/parallel.ts";
import { Sequence } from "../components/sequence.ts";
import { Task, type TaskProps } from "../components/task.ts";

export type { OutputTarget };

/** A recorded row, of a schema that only the author knows. */
export type LooseRow = Readonly<Record<string, unknown>>;

export interface Rows {
  /** At the iteration the node's loops are at, or at the given one. */
  at(output: OutputTarget, nodeId: string, iteration?: number): LooseRow | undefined;
  latest(output: OutputTarget, nodeId: string): LooseRow | undefined;
  /** How many iterations of a node are recorded. */
  count(output: OutputTarget, nodeId: string): number;
}

export function useRows(): Rows {
  const ctx = useWorkflowContext();
  return {
    at: (output, nodeId, iteration) =>
      ctx.outputMaybe(output as never, iteration === undefined ? nodeId : { nodeId, iteration }),
    latest: (output, nodeId) => ctx.latest(output as never, nodeId),
    count: (output, nodeId) => ctx.iterationCount(output as never, nodeId),
  };
}

export type AnyTask = TaskProps<OutputTarget, Readonly<Record<string, OutputTarget>>>;
export const task = (props: AnyTask): ReactElement => host(Task, { key: props.id, ...props });
export const sequence = (...children: ReactNode[]): ReactElement => host(Sequence, null, ...children);
export const parallel = (props: ParallelProps, ...children: ReactNode[]): ReactElement =>
  host(Parallel, props, ...children);

/** K2. The second of a name gets a number. */
export function nodeIds(names: readonly string[]): readonly string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    const plain = name.replaceAll(/::|@@/g, "-");
    let id = plain;
    for (let nth = 2; taken.has(id); nth += 1) id = `${plain}-${nth}`;
    taken.add(id);
    return id;
  });
}

/** One value or several, as a list. */
export const list = <T>(given: T | readonly T[]): readonly T[] => (Array.isArray(given) ? given : [given as T]);

/** The author's prompt, and what the composite adds to it. Text stays text, so that it reaches the agent byte for byte. */
export function prompt(written: ReactNode, ...added: readonly (string | false | undefined)[]): ReactNode {
  const more = added.filter((part) => typeof part === "string").join("");
  if (written === undefined || written === null) return more.trimStart();
  if (typeof written === "string") return written + more;
  return [written, more];
}

/** A row, as a prompt tells it. Nothing when it is not there yet. */
export const told = (label: string, value: unknown): string | undefined =>
  value === undefined ? undefined : `\n\n${label}:\n${JSON.stringify(value, null, 2)}`;

/** All props of a composite by name: one that is not listed does not compile. */
type PropNames<P> = { readonly [N in keyof Required<P>]: true };

/** Throws PROP_UNSUPPORTED for the first prop that is set and not known: a composite is no element, so nobody else looks at its props. */
export function knownProps<P extends object>(component: string, known: PropNames<P>): (props: P) => void {
  return (props) => {
    const prop = Object.entries(props).find(([name, value]) => value !== undefined && !Object.hasOwn(known, name))?.[0];
    if (prop === undefined) return;
    throw new SmoothError("PROP_UNSUPPORTED", `<${component}> has no prop \`${prop}\`; remove it`, {
      details: { element: component, prop },
    });
  };
}

export type { AgentLike };
