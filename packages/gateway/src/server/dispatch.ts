import { SmoothError } from "@smooth/protocol/errors";
import {
  GATEWAY,
  ROLE_SCOPES,
  type Caller,
  type Handlers,
  type MethodName,
  type Scope,
} from "@smooth/protocol/gateway";
import type { z } from "zod";

/** The one door behind every transport: name → scope → input → handler.
 *  D1. No handler runs before the caller's role has the method's scope and the input has its shape. */

export interface Call {
  readonly method: string;
  readonly input: unknown;
  readonly caller: Caller;
}

export const isStream = (method: string): boolean => isMethod(method) && GATEWAY[method].stream;

export async function dispatch(handlers: Handlers, call: Call): Promise<unknown> {
  const { name, input } = admit(call, false);
  const handler = handlers[name] as (input: unknown, caller: Caller) => Promise<unknown>;
  return handler(input, call.caller);
}

export function subscribe(handlers: Handlers, call: Call, signal: AbortSignal): AsyncIterable<unknown> {
  const { name, input } = admit(call, true);
  const handler = handlers[name] as (input: unknown, caller: Caller, signal: AbortSignal) => AsyncIterable<unknown>;
  return handler(input, call.caller, signal);
}

/** D1 */
function admit({ method, input, caller }: Call, stream: boolean): { name: MethodName; input: unknown } {
  if (!isMethod(method)) throw new SmoothError("METHOD_NOT_FOUND", `no method ${method}; see /v1/openapi.json`);
  const row = GATEWAY[method];
  const scopes: readonly Scope[] = ROLE_SCOPES[caller.role];
  if (!scopes.includes(row.scope)) {
    throw new SmoothError("POLICY_DENIED", `${method} needs ${row.scope}; ${caller.name} is ${caller.role} here`, {
      details: { scope: row.scope, role: caller.role },
    });
  }
  if (row.stream !== stream) {
    const how = row.stream ? "answers as a stream" : "answers once";
    throw new SmoothError("METHOD_NOT_ALLOWED", `${method} ${how}`, { details: { stream: row.stream } });
  }
  const parsed = row.input.safeParse(input);
  if (parsed.success) return { name: method, input: parsed.data };
  throw invalidInput(method, parsed.error);
}

const isMethod = (method: string): method is MethodName => Object.hasOwn(GATEWAY, method);

function invalidInput(method: string, error: z.ZodError): SmoothError {
  const issues = error.issues.slice(0, 10).map(({ path, message }) => ({ path: path.join("."), message }));
  const first = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))[0];
  return new SmoothError("INVALID_INPUT", `${method}: ${first}`, { details: { issues } });
}
