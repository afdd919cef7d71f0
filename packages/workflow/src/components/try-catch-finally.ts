import type { ReactElement } from "react";
import type { ErrorInfo } from "@smooth/engine/events";
import { HOST } from "@smooth/engine/elements";
import { useFailureScope } from "@smooth/engine/scope";
import { host } from "./host.ts";

/** What a catch is given. */
export interface CaughtError {
  readonly code: string;
  readonly message: string;
  /** The message, under the name that workflows for Smithers use. */
  readonly summary: string;
  /** Which node failed; absent when it was not a node (a loop that used up its iterations). */
  readonly nodeId?: string | undefined;
}

export interface TryCatchFinallyProps {
  /** Named after its place in the tree when absent, with a warning. */
  readonly id?: string;
  readonly try: ReactElement;
  /** Rendered once something was caught. */
  readonly catch?: ReactElement | ((error: CaughtError) => ReactElement | null);
  /** Only these codes are caught; others go on outward, after `finally`. */
  readonly catchErrors?: readonly string[];
  /** After success, after a catch, after a failing catch; not when the run is cancelled. */
  readonly finally?: ReactElement;
  readonly skipIf?: boolean;
}

/** A failure in `try` stops what runs in `try`, and nothing else. */
export function TryCatchFinally(props: TryCatchFinallyProps): ReactElement | null {
  const { try: body, catch: caught, finally: last, skipIf, ...rest } = props;
  const { handle, failed } = useFailureScope();
  if (skipIf) return null;
  const shown = failed && (typeof caught === "function" ? caught(caughtError(failed.error)) : caught);
  return host(
    HOST.tryCatchFinally,
    { ...rest, handle, catches: caught !== undefined },
    host(HOST.body, null, body),
    shown ? host(HOST.catch, null, shown) : null,
    last ? host(HOST.finally, null, last) : null,
  );
}

const caughtError = ({ code, message, nodeId }: ErrorInfo): CaughtError => ({
  code,
  message,
  summary: message,
  nodeId,
});
