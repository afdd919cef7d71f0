import type { ReactElement, ReactNode } from "react";
import type { z } from "zod";
import { HOST } from "@smooth/engine/elements";
import { useWorkflowContext } from "@smooth/engine/scope";
import { host } from "./host.ts";
import { WaitForEvent, type SignalWaitProps } from "./wait-for-event.ts";

export interface SignalProps<S extends z.ZodObject> extends SignalWaitProps {
  /** The payload's type, and the output it is recorded in. */
  readonly schema: S;
  /** Mounted once the payload is there. */
  readonly children?: (data: z.output<S>) => ReactNode;
}

/** A WaitForEvent for the signal that is called like the node. */
export function Signal<S extends z.ZodObject>({ schema, children, ...props }: SignalProps<S>): ReactElement {
  const ctx = useWorkflowContext();
  const wait = WaitForEvent({ ...props, event: props.id, output: schema });
  if (!children) return wait;
  const data = ctx.outputMaybe(schema, { nodeId: props.id });
  return host(HOST.sequence, null, wait, data === undefined ? null : children(data as z.output<S>));
}
