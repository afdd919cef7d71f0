/** The Gateway's methods, scopes and errors, in one table; HTTP and WebSocket read it.
 *  G1. A method is answered only to a caller who holds its scope, and only when its parameters fit.
 *  G2. What starts a run, at once or by the clock, also asks for what launchRun asks for. */
import { z } from "zod";

export const Scope = z.enum([
  "run:read",
  "run:write",
  "run:admin",
  "approval:submit",
  "signal:submit",
  "cron:read",
  "cron:write",
  "observability:read",
]);
export type Scope = z.infer<typeof Scope>;

/** What a scope holds beside itself. */
const IMPLIED: readonly (readonly [grant: string, holds: readonly Scope[]])[] = [
  ["run:write", ["run:read"]],
  ["run:admin", ["run:write", "run:read"]],
  ["cron:write", ["cron:read"]],
];

/** Grants of older tokens, each holding those before it. */
const READ = ["run:read", "cron:read", "observability:read"] as const;
const EXECUTE = [...READ, "run:write", "signal:submit", "cron:write"] as const;
const RANKED: typeof IMPLIED = [
  ["read", READ],
  ["execute", EXECUTE],
  ["approve", [...EXECUTE, "approval:submit"]],
  ["admin", Scope.options],
];
const HOLDS: ReadonlyMap<string, readonly Scope[]> = new Map([...IMPLIED, ...RANKED]);

/** G1. `names`: all that the method goes by; a grant of one method counts under any of them. */
export const mayCall = (grants: readonly string[], { scope, startsRuns }: Method, names: readonly string[]): boolean =>
  holds(grants, scope, names) && (!startsRuns || holds(grants, "run:write", ["launchRun", "runs.create"])); // G2

const holds = (grants: readonly string[], scope: Scope, names: readonly string[]): boolean =>
  grants.some((grant) => {
    if (grant === "*" || grant === scope || names.includes(grant)) return true;
    if (grant.endsWith(".*")) return names.some((name) => name.startsWith(grant.slice(0, -1)));
    return HOLDS.get(grant)?.includes(scope) === true;
  });

const runId = z.string().min(1).max(200);
const frameNo = z.int().nonnegative();
const iteration = z.int().nonnegative().default(0);
const input = z.record(z.string(), z.json()).default({});
const workflow = z.string().min(1);
const note = z.string().max(10_000).optional();
const following = z.strictObject({ runId, afterSeq: z.int().min(-1).default(-1) });

const method = <P extends z.ZodType>(scope: Scope, params: P, startsRuns = false) => ({ scope, params, startsRuns });

export const METHODS = {
  launchRun: method(
    "run:write",
    z.strictObject({
      workflow,
      input,
      options: z
        .strictObject({ runId: runId.optional(), idempotencyKey: z.string().min(1).max(200).optional() })
        .default({}),
    }),
  ),
  resumeRun: method(
    "run:write",
    z.strictObject({ runId, options: z.strictObject({ force: z.boolean().default(false) }).prefault({}) }),
  ),
  cancelRun: method("run:write", z.strictObject({ runId })),
  rewindRun: method("run:admin", z.strictObject({ runId, frameNo, confirm: z.literal(true) })),
  submitApproval: method(
    "approval:submit",
    z.strictObject({
      runId,
      nodeId: z.string().min(1),
      iteration,
      decision: z.strictObject({
        approved: z.boolean(),
        note,
        selected: z.string().optional(),
        ranked: z.array(z.string()).optional(),
      }),
    }),
  ),
  submitSignal: method(
    "signal:submit",
    z.strictObject({
      runId,
      correlationKey: z.string().min(1),
      signalName: z.string().min(1).optional(),
      payload: z.json().default({}),
    }),
  ),
  getRun: method("run:read", z.strictObject({ runId })),
  listRuns: method(
    "run:read",
    z.strictObject({
      filter: z
        .strictObject({ status: z.string().optional(), limit: z.int().min(1).max(500).default(50) })
        .prefault({}),
    }),
  ),
  getNodeOutput: method("run:read", z.strictObject({ runId, nodeId: z.string().min(1), iteration })),
  getNodeDiff: method("run:read", z.strictObject({ runId, nodeId: z.string().min(1), iteration })),
  cronList: method(
    "cron:read",
    z.strictObject({ filter: z.strictObject({ workflow: workflow.optional() }).default({}) }),
  ),
  cronCreate: method(
    "cron:write",
    z.strictObject({
      workflow,
      pattern: z.string().min(1),
      cronId: z.string().min(1).max(200).optional(),
      enabled: z.boolean().default(true),
    }),
    true,
  ),
  cronDelete: method("cron:write", z.strictObject({ cronId: z.string().min(1) })),
  cronRun: method(
    "cron:write",
    z.strictObject({ cronId: z.string().min(1).optional(), workflow: workflow.optional(), input }),
    true,
  ),
  "runs.rerun": method("run:write", z.strictObject({ runId, input: input.optional() })),
  "frames.list": method(
    "run:read",
    z.strictObject({ runId, limit: z.int().min(1).max(100).default(50), afterFrameNo: frameNo.optional() }),
  ),
  "frames.get": method("run:read", z.strictObject({ runId, frameNo: frameNo.optional() })),
  "approvals.list": method("run:read", z.strictObject({ runId: runId.optional() })),
  streamRunEvents: method("run:read", following),
  streamDevTools: method("observability:read", following),
} as const;

export type MethodName = keyof typeof METHODS;
export type Params<M extends MethodName> = z.output<(typeof METHODS)[M]["params"]>;
type Method = (typeof METHODS)[MethodName];

/** Older names of the same methods. */
const ALIASES = new Map<string, MethodName>(
  Object.entries({
    "runs.create": "launchRun",
    "runs.get": "getRun",
    "runs.list": "listRuns",
    "runs.cancel": "cancelRun",
    "approvals.decide": "submitApproval",
    "signals.send": "submitSignal",
    "cron.list": "cronList",
    "cron.add": "cronCreate",
    "cron.remove": "cronDelete",
    "cron.trigger": "cronRun",
    jumpToFrame: "rewindRun",
    "devtools.jumpToFrame": "rewindRun",
    "devtools.getNodeOutput": "getNodeOutput",
    "devtools.getNodeDiff": "getNodeDiff",
  } as const),
);

/** Documented names that nothing answers to here, and what does instead. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ["hijackRun", "a session that was taken could not be given back by a method; the engine's endHijack can"],
  ["runs.diff", "compare two runs with `smithers diff <run>[:frame] <run>[:frame]`"],
  ["attempts.list", "attempts are in streamRunEvents"],
  ["attempts.get", "attempts are in streamRunEvents"],
  ["getDevToolsSnapshot", "streamDevTools begins with one; a frame's tree is in frames.get"],
]);
export const whyThereIsNo = (called: string): string =>
  `there is no method ${called}${REFUSED.has(called) ? `: ${REFUSED.get(called)}` : ""}`;

/** The method, and every name it goes by; null: there is none. */
export function methodCalled(called: string): { readonly name: MethodName; readonly names: readonly string[] } | null {
  const found = Object.hasOwn(METHODS, called) ? (called as MethodName) : ALIASES.get(called);
  if (found === undefined) return null;
  const older = [...ALIASES].flatMap(([alias, name]) => (name === found ? [alias] : []));
  return { name: found, names: [found, ...older] };
}

export const HTTP_STATUS = {
  InvalidRequest: 400,
  InvalidInput: 400,
  Unauthorized: 401,
  Forbidden: 403,
  RunNotFound: 404,
  NodeNotFound: 404,
  FrameOutOfRange: 400,
  Busy: 409,
  RateLimited: 429,
  PayloadTooLarge: 413,
  VcsError: 500,
  RewindFailed: 500,
  Internal: 500,
} as const;
export type GatewayCode = keyof typeof HTTP_STATUS;

/** The engine's codes by the Gateway's. */
export const CODES: Readonly<Record<string, GatewayCode>> = {
  INVALID_INPUT: "InvalidInput",
  NOT_FOUND: "InvalidRequest",
  POLICY_DENIED: "Forbidden",
  RUN_NOT_FOUND: "RunNotFound",
  NODE_NOT_FOUND: "NodeNotFound",
  ASK_NOT_FOUND: "NodeNotFound",
  SNAPSHOT_NOT_FOUND: "FrameOutOfRange",
  BUSY: "Busy",
  CONFLICT: "Busy",
  ALREADY_DECIDED: "Busy",
  ASK_VOID: "Busy",
  RUN_OWNER_ALIVE: "Busy",
  RUN_NOT_RESUMABLE: "Busy",
  RATE_LIMITED: "RateLimited",
  PAYLOAD_TOO_LARGE: "PayloadTooLarge",
  VCS_FAILED: "VcsError",
  REWIND_FAILED: "RewindFailed",
};

export interface RpcError {
  readonly code: GatewayCode;
  readonly message: string;
  readonly details?: unknown;
}
export type RpcReply =
  | { readonly type: "res"; readonly id: string; readonly ok: true; readonly payload: unknown }
  | { readonly type: "res"; readonly id: string; readonly ok: false; readonly error: RpcError };

export const RequestFrame = z.object({
  type: z.literal("req").default("req"),
  id: z.string().min(1).max(200),
  method: z.string().min(1),
  params: z.unknown().optional(),
});
export type RequestFrame = z.output<typeof RequestFrame>;

/** The first request on a socket. */
export const ConnectParams = z.object({
  minProtocol: z.int(),
  maxProtocol: z.int(),
  client: z.object({ name: z.string(), version: z.string() }),
  auth: z.object({ token: z.string() }).optional(),
  subscribe: z.array(z.string()).optional(),
});
