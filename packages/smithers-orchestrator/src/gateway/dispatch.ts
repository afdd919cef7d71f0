import { toSmoothError } from "@smooth/protocol/errors";
import { z } from "zod";
import type { Caller } from "./auth.ts";
import {
  CODES,
  mayCall,
  METHODS,
  methodCalled,
  whyThereIsNo,
  type GatewayCode,
  type MethodName,
  type RequestFrame,
  type RpcError,
  type RpcReply,
} from "./contract.ts";
import type { Handlers } from "./handlers.ts";

/** What a request comes to before anything is done: the method and its parameters, or why not. */
export type Admitted =
  | { readonly kind: "call"; readonly method: MethodName; readonly params: unknown }
  | { readonly kind: "refused"; readonly error: RpcError };

/** G1. */
export function admit({ method, params = {} }: RequestFrame, caller: Caller): Admitted {
  const called = methodCalled(method);
  if (!called) return refused("InvalidRequest", whyThereIsNo(method));
  const { scope, startsRuns, params: schema } = METHODS[called.name];
  if (!mayCall(caller.scopes, METHODS[called.name], called.names))
    return refused("Forbidden", `${method} needs the scope ${scope}${startsRuns ? " and run:write" : ""}`);
  const parsed = schema.safeParse(params);
  if (!parsed.success) return refused("InvalidRequest", z.prettifyError(parsed.error));
  return { kind: "call", method: called.name, params: parsed.data };
}

const refused = (code: GatewayCode, message: string): Admitted => ({ kind: "refused", error: { code, message } });

/** Answers anything but a stream. Never rejects. */
export async function answer(handlers: Handlers, request: RequestFrame, caller: Caller): Promise<RpcReply> {
  const admitted = admit(request, caller);
  if (admitted.kind === "refused") return failed(request.id, admitted.error);
  const { method, params } = admitted;
  if (!isHandled(handlers, method))
    return failed(request.id, { code: "InvalidRequest", message: `${method} is a stream; call it over a WebSocket` });
  try {
    const handler = handlers[method] as (params: unknown, caller: Caller) => Promise<object>;
    return { type: "res", id: request.id, ok: true, payload: await handler(params, caller) };
  } catch (thrown) {
    return failed(request.id, errorOf(thrown));
  }
}

export const failed = (id: string, error: RpcError): RpcReply => ({ type: "res", id, ok: false, error });

const isHandled = (handlers: Handlers, method: MethodName): method is keyof Handlers => Object.hasOwn(handlers, method);

/** Of our own failures nothing is told. */
export function errorOf(thrown: unknown): RpcError {
  const { code, message, details } = toSmoothError(thrown);
  const named = CODES[code] ?? "Internal";
  return named === "Internal" ? { code: named, message: "the gateway failed" } : { code: named, message, details };
}
