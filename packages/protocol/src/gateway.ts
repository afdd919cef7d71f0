import { z } from "zod";
import { Ask, AskDecision } from "./asks.ts";
import { FLOW_METHODS, FlowSettings } from "./gateway-flows.ts";
import { method } from "./gateway-method.ts";
import { AskId, AtMs, PearlId, RunId } from "./ids.ts";
import { Dependency, NewPearl, Pearl, PearlChange, PearlComment, PearlStatus } from "./pearls.ts";
import { IsolationLevel } from "./policy.ts";
import { RunEvent, RunStatus } from "./run-events.ts";

/** The whole gateway surface of a host. HTTP, WebSocket, the client, CLI help, OpenAPI and docs/rpc read this table.
 *  G1. Every method names its scope; there is no method without one. */

export const SCOPES = [
  "run:read",
  "run:write",
  "ask:decide",
  "pearl:read",
  "pearl:write",
  "host:read",
  "host:admin",
] as const;
export type Scope = (typeof SCOPES)[number];

/** What a person may do on a host. Each role contains the one before. Who may steer work may also write it down as pearls;
 *  but which folders of the machine are worked on is its owner's word (`mayUseRepo`). */
export const ROLE_SCOPES = {
  viewer: ["run:read", "pearl:read"],
  steerer: ["run:read", "pearl:read", "run:write", "pearl:write"],
  approver: ["run:read", "pearl:read", "run:write", "pearl:write", "ask:decide"],
  owner: SCOPES,
} as const satisfies Record<string, readonly Scope[]>;
export const Role = z.enum(["viewer", "steerer", "approver", "owner"]);
export type Role = z.infer<typeof Role>;

/** An operator reads the whole repository of its pearl: only an owner brings in one that no pearl of the host names yet. */
export const mayUseRepo = (role: Role, isKnown: boolean): boolean => role === "owner" || isKnown;

export const RunSummary = z.object({
  runId: RunId,
  title: z.string(),
  workflow: z.string(),
  pearlId: PearlId.nullable(),
  status: RunStatus,
  reason: z.string().nullable(),
  demo: z.boolean(),
  pendingAsks: z.int(),
  costUsd: z.number().nullable(),
  startedAtMs: AtMs,
  updatedAtMs: AtMs,
  lastSeq: z.int().nonnegative(),
});
export type RunSummary = z.infer<typeof RunSummary>;

/** Where the sandbox image is on its way to usable. */
export const SandboxState = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("preparing"), phase: z.string(), percent: z.number().min(0).max(100) }),
  z.object({ kind: z.literal("ready"), driver: z.string(), level: IsolationLevel }),
  z.object({ kind: z.literal("unavailable"), reasons: z.array(z.string()), fixes: z.array(z.string()) }),
]);
export type SandboxState = z.infer<typeof SandboxState>;

export const TunnelState = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("off") }),
  z.object({ kind: z.literal("dialling"), slug: z.string(), attempt: z.int() }),
  z.object({ kind: z.literal("serving"), slug: z.string(), url: z.url(), sinceMs: AtMs, viewers: z.int() }),
  z.object({ kind: z.literal("refused"), slug: z.string(), reason: z.string() }),
]);
export type TunnelState = z.infer<typeof TunnelState>;

export const HostStatus = z.object({
  name: z.string(),
  version: z.string(),
  demo: z.boolean(),
  startedAtMs: AtMs,
  sandbox: SandboxState,
  tunnel: TunnelState,
  /** Whether the dashboard answers: the host works without it. */
  dashboard: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("unpaired") }),
    z.object({ kind: z.literal("connected"), url: z.string(), org: z.string() }),
    z.object({ kind: z.literal("unreachable"), url: z.string(), sinceMs: AtMs }),
  ]),
  runsActive: z.int(),
  capacity: z.int(),
});
export type HostStatus = z.infer<typeof HostStatus>;

const runRef = z.strictObject({ runId: RunId });
const pearlRef = z.strictObject({ pearlId: PearlId });
const ok = z.object({ ok: z.literal(true) });
export const PearlDetail = z.object({
  pearl: Pearl,
  comments: z.array(PearlComment),
  history: z.array(PearlChange),
  dependencies: z.array(Dependency),
  blockedBy: z.array(PearlId),
  runs: z.array(RunSummary),
});
export type PearlDetail = z.infer<typeof PearlDetail>;

export const GATEWAY = {
  launchRun: method({
    scope: "run:write",
    about: "Start a run: an operator on a pearl; or, only for the owner at this machine, a workflow file.",
    input: z
      .strictObject({
        pearlId: PearlId.optional(),
        workflow: z.string().max(4_096).optional(),
        input: z.record(z.string(), z.unknown()).default({}),
        settings: FlowSettings.default({}),
        runId: RunId.optional(),
      })
      .refine(
        (value) => (value.pearlId === undefined) !== (value.workflow === undefined),
        "give pearlId or workflow, not both",
      ),
    output: z.object({ runId: RunId }),
    errors: ["PEARL_NOT_FOUND", "SANDBOX_UNAVAILABLE", "CONFLICT"],
  }),
  resumeRun: method({
    scope: "run:write",
    about: "Continue a run that is not finished and that no live process owns.",
    input: z.strictObject({
      runId: RunId,
      /** Go on although the workflow's files have changed; only the owner at this machine may agree to that. */
      acceptWorkflowChange: z.boolean().default(false),
    }),
    output: z.object({ runId: RunId, status: RunStatus }),
    errors: ["RUN_NOT_FOUND", "RUN_NOT_RESUMABLE", "RESUME_METADATA_MISMATCH"],
  }),
  cancelRun: method({
    scope: "run:write",
    about: "Stop a run; its processes are gone within 5 s.",
    input: runRef,
    output: ok,
    errors: ["RUN_NOT_FOUND", "CONFLICT"],
  }),
  pauseRun: method({
    scope: "run:write",
    about: "No new tool call or model request until unpauseRun.",
    input: runRef,
    output: ok,
    errors: ["RUN_NOT_FOUND", "CONFLICT"],
  }),
  unpauseRun: method({
    scope: "run:write",
    about: "Let a paused operator continue.",
    input: runRef,
    output: ok,
    errors: ["RUN_NOT_FOUND", "CONFLICT"],
  }),
  steerRun: method({
    scope: "run:write",
    about: "Put a person's words into the operator's next model request.",
    input: z.strictObject({ runId: RunId, text: z.string().trim().min(1).max(20_000) }),
    output: ok,
    errors: ["RUN_NOT_FOUND", "CONFLICT"],
  }),
  getRun: method({
    scope: "run:read",
    about: "One run's summary.",
    input: runRef,
    output: RunSummary,
    errors: ["RUN_NOT_FOUND"],
  }),
  listRuns: method({
    scope: "run:read",
    about: "Runs, newest first.",
    input: z.strictObject({
      status: RunStatus.optional(),
      pearlId: PearlId.optional(),
      limit: z.int().min(1).max(200).default(50),
    }),
    output: z.object({ runs: z.array(RunSummary) }),
    errors: [],
  }),
  streamRunEvents: method({
    scope: "run:read",
    stream: true,
    about: "Every event after `afterSeq`, then live; no gap, no duplicate.",
    input: z.strictObject({ runId: RunId, afterSeq: z.int().nonnegative().default(0) }),
    output: RunEvent,
    errors: ["RUN_NOT_FOUND"],
  }),
  listAsks: method({
    scope: "run:read",
    about: "What waits for a human, oldest first.",
    input: z.strictObject({ status: z.enum(["pending", "all"]).default("pending"), runId: RunId.optional() }),
    output: z.object({ asks: z.array(Ask) }),
    errors: [],
  }),
  decideAsk: method({
    scope: "ask:decide",
    about: "Approve or deny one ask, at the version you saw.",
    input: z.strictObject({ askId: AskId, version: z.int().positive(), decision: AskDecision }),
    output: z.object({ ask: Ask }),
    errors: ["ASK_NOT_FOUND", "ALREADY_DECIDED", "ASK_VOID"],
  }),
  ...FLOW_METHODS,
  createPearl: method({
    scope: "pearl:write",
    about: "Create a work item on a repository of this host.",
    input: NewPearl,
    output: z.object({ pearl: Pearl }),
    errors: ["INVALID_INPUT"],
  }),
  listPearls: method({
    scope: "pearl:read",
    about: "Pearls by priority, then age. `ready` = open with no unclosed blocker.",
    input: z.strictObject({
      status: PearlStatus.optional(),
      ready: z.boolean().default(false),
      limit: z.int().min(1).max(500).default(100),
    }),
    output: z.object({ pearls: z.array(Pearl) }),
    errors: [],
  }),
  getPearl: method({
    scope: "pearl:read",
    about: "A pearl with comments, history, dependencies and runs.",
    input: pearlRef,
    output: PearlDetail,
    errors: ["PEARL_NOT_FOUND"],
  }),
  closePearl: method({
    scope: "pearl:write",
    about: "Close a pearl.",
    input: z.strictObject({ pearlId: PearlId, reason: z.string().max(2_000).default("") }),
    output: z.object({ pearl: Pearl }),
    errors: ["PEARL_NOT_FOUND", "CONFLICT"],
  }),
  commentPearl: method({
    scope: "pearl:write",
    about: "Add a comment, kept byte for byte.",
    input: z.strictObject({ pearlId: PearlId, body: PearlComment.shape.body }),
    output: z.object({ comment: PearlComment }),
    errors: ["PEARL_NOT_FOUND"],
  }),
  addDependency: method({
    scope: "pearl:write",
    about: "Link two pearls; a cycle of blockers is refused by name.",
    input: Dependency,
    output: ok,
    errors: ["PEARL_NOT_FOUND", "PEARL_CYCLE"],
  }),
  hostStatus: method({
    scope: "host:read",
    about: "Health of this host: sandbox, tunnel, dashboard, capacity.",
    input: z.strictObject({}),
    output: HostStatus,
    errors: [],
  }),
  whoAmI: method({
    scope: "run:read",
    about: "Who the token says you are on this host.",
    input: z.strictObject({}),
    output: z.object({ name: z.string(), role: Role, via: z.enum(["local", "tunnel"]) }),
    errors: [],
  }),
  startTunnel: method({
    scope: "host:admin",
    about: "Dial the rendezvous and serve the live session at a slug.",
    input: z.strictObject({ slug: z.string().optional() }),
    output: TunnelState,
    errors: ["CONFLICT", "HOST_OFFLINE"],
  }),
  stopTunnel: method({
    scope: "host:admin",
    about: "Close the tunnel; viewers lose the page at once.",
    input: z.strictObject({}),
    output: TunnelState,
    errors: [],
  }),
  createSessionLink: method({
    scope: "host:admin",
    about: "A link that signs one person in to the live session: secret in the fragment, single use, expires.",
    input: z.strictObject({
      role: Role.default("approver"),
      ttlMs: z.int().min(60_000).max(86_400_000).default(3_600_000),
    }),
    output: z.object({ url: z.string(), expiresAtMs: AtMs }),
    errors: [],
  }),
  shutdown: method({
    scope: "host:admin",
    about: "Stop the host cleanly; runs continue at the next start.",
    input: z.strictObject({}),
    output: ok,
    errors: [],
  }),
} as const;

export type MethodName = keyof typeof GATEWAY;
export type Input<M extends MethodName> = z.output<(typeof GATEWAY)[M]["input"]>;
/** What a caller writes: defaults may be left out. */
export type RawInput<M extends MethodName> = z.input<(typeof GATEWAY)[M]["input"]>;
export type Output<M extends MethodName> = z.output<(typeof GATEWAY)[M]["output"]>;
export type StreamName = { [M in MethodName]: M extends "streamRunEvents" ? M : never }[MethodName];
export type UnaryName = Exclude<MethodName, StreamName>;

/** Who calls: established once at the door, never from the body. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
  readonly via: "local" | "tunnel";
}

export type Handlers = { readonly [M in UnaryName]: (input: Input<M>, caller: Caller) => Promise<Output<M>> } & {
  readonly [M in StreamName]: (input: Input<M>, caller: Caller, signal: AbortSignal) => AsyncIterable<Output<M>>;
};
