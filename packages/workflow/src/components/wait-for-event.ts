import type { ReactElement } from "react";
import type { z } from "zod";
import { HOST } from "@smooth/engine/elements";
import { host, type OutputTarget, type PlaceProps } from "./host.ts";

export interface SignalWaitProps extends PlaceProps {
  /** Only a signal with the very same correlation is taken. */
  readonly correlationId?: string;
  readonly timeoutMs?: number;
  /** `skip` also skips what depends on it; `continue` goes on without a row. Default fail. */
  readonly onTimeout?: "fail" | "skip" | "continue";
  /** What comes after does not wait for the signal; what depends on it does. */
  readonly async?: boolean;
}

export interface WaitForEventProps<O extends OutputTarget> extends SignalWaitProps {
  /** The signal's name. */
  readonly event: string;
  readonly output: O;
  readonly outputSchema?: z.ZodObject;
}

/** Waits for a signal, as a row; its payload is the output. A signal that comes first is kept for it. */
export const WaitForEvent = <O extends OutputTarget>(props: WaitForEventProps<O>): ReactElement =>
  host(HOST.waitForEvent, props);
