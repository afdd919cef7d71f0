import type { z } from "zod";
import type { ErrorCode } from "./errors.ts";
import type { Scope } from "./gateway.ts";

/** One row of the gateway table. */

export interface Method<I extends z.ZodType, O extends z.ZodType> {
  readonly scope: Scope;
  /** A stream answers many times: SSE over HTTP, `event` messages over WebSocket. */
  readonly stream: boolean;
  readonly about: string;
  readonly input: I;
  readonly output: O;
  readonly errors: readonly ErrorCode[];
}
export const method = <I extends z.ZodType, O extends z.ZodType>(
  row: Omit<Method<I, O>, "stream"> & { readonly stream?: boolean },
): Method<I, O> => ({ stream: false, ...row });
