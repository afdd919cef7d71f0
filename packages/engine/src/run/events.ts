/** What happened in a run, in order: the append-only truth. Everything else is folded from it or written in the same transaction.
 *  E1. `seq` starts at 1 and has no gap within a run. */
import { SmoothError } from "@smooth/protocol/errors";
import { lazily } from "@smooth/protocol/lazily";
import { z } from "zod";
import { ALERT_CONDITIONS, AlertReaction } from "../alerts/policy.ts";
import { WorkflowSource } from "./metadata.ts";
import { SANDBOX_RUNTIMES } from "../task/sandboxes.ts";
import { TokenUsage } from "../task/usage.ts";
import type { JsonValue } from "../outputs/json.ts";

export const RunStatus = z.enum([
  "running",
  "paused",
  "waiting-approval",
  "waiting-event",
  "waiting-timer",
  "waiting-quota",
  "finished",
  "continued",
  "failed",
  "cancelled",
]);
export type RunStatus = z.infer<typeof RunStatus>;

/** Such a run is never taken up again. */
export const OVER: ReadonlySet<RunStatus> = new Set(["finished", "failed", "cancelled", "continued"]);

/** An error as data: what rows, events and results carry. */
export const ErrorInfo = z.object({ code: z.string(), message: z.string(), nodeId: z.string().optional() });
export type ErrorInfo = z.infer<typeof ErrorInfo>;

/** What a node waits for. `dueMs`: when time settles it; null: never. */
const waitOn = () =>
  z.discriminatedUnion("kind", [
    /** `again`: how many times it is asked again when the time is over; then it is denied. */
    z.object({ kind: z.literal("approval"), dueMs: z.number().nullable(), again: z.int() }),
    z.object({
      kind: z.literal("signal"),
      name: z.string(),
      correlationId: z.string().nullable(),
      dueMs: z.number().nullable(),
      /** JSON Schema of the payload. */
      schema: z.custom<JsonValue>(),
    }),
    /** `ask`: the node id of the question's row; `round`: how often it was asked before. */
    z.object({
      kind: z.literal("human"),
      ask: z.string(),
      round: z.int(),
      dueMs: z.number().nullable(),
    }),
    z.object({ kind: z.literal("timer"), dueMs: z.number() }),
    /** A person works in the session of the task's agent. `session`: what the agent last reported of it; `schema` of the output. */
    z.object({
      kind: z.literal("hijack"),
      dueMs: z.null(),
      engine: z.string(),
      onExit: z.enum(["complete", "reopen"]),
      session: z.custom<JsonValue>(),
      schema: z.custom<JsonValue>(),
    }),
    /** The provider of a task's agent takes no more until then. */
    z.object({ kind: z.literal("quota"), dueMs: z.number(), reason: z.string() }),
    /** A subflow that waits itself; `status` is that run's. */
    z.object({
      kind: z.literal("run"),
      runId: z.string(),
      status: z.enum(["waiting-approval", "waiting-event", "waiting-quota", "waiting-timer"]),
      dueMs: z.number().nullable(),
    }),
  ]);
export type WaitOn = z.infer<ReturnType<typeof waitOn>>;

const node = lazily(() => ({ nodeId: z.string(), iteration: z.int().nonnegative() }));
const alert = lazily(() => ({ alert: z.string(), subject: z.string() }));
const attempt = lazily(() => ({ ...node(), attempt: z.int().positive() }));
/** `call` counts the tool calls of an attempt. */
const toolCall = lazily(() => ({ ...attempt(), call: z.int().positive(), tool: z.string() }));
/** `sandboxId` is new with every sandbox. */
const sandbox = lazily(() => ({ ...attempt(), sandboxId: z.string(), runtime: z.enum(SANDBOX_RUNTIMES) }));
/** The scorer's name in the task's map, and its own id. */
const scorer = lazily(() => ({ scorer: z.string(), scorerId: z.string() }));

const scopeFailure = () =>
  z.object({ next: z.enum(["catch", "finally"]), error: ErrorInfo, completed: z.array(z.string()) });

/** Whose results no longer hold. `attempt`: the last one made, so that the next has a higher number; 0 where none was. */
const resetNode = () => z.object({ ...node(), attempt: z.int().nonnegative() });

/** Beside its type, what an event holds. Schemas are made when the first event of a type is read: all of them cost 7 ms. */
const FIELDS = {
  "run.started": () => ({ workflow: z.string() }),
  /** The first event of a run that goes on where another ended: what that one, and those before it, spent. */
  "run.continues": () => ({ elapsedMs: z.number().nonnegative(), usage: TokenUsage().omit({ model: true }) }),
  /** Another owner continues: attempts that ran under the old one are lost. */
  "run.claimed": () => ({ epoch: z.int() }),
  /** A supervisor could not bring the run further: it was `refused`, or the process that took it up at this epoch `died`. */
  "run.resume-failed": () => ({
    epoch: z.int(),
    how: z.enum(["refused", "died"]),
    error: ErrorInfo,
  }),
  /** No supervisor takes it up by itself any more. */
  "run.given-up": () => ({ failures: z.int(), error: ErrorInfo }),
  /** The workflow was exchanged for an edited one while the run went on; the names of the changed files, and what it is made of now. */
  "run.reloaded": () => ({ changed: z.array(z.string()), source: WorkflowSource().nullable() }),
  "run.reload-refused": () => ({ error: ErrorInfo }),
  /** A rule of the workflow's alert policy: what holds about whom (a state key, or `run`). */
  "alert.raised": () => ({
    ...alert(),
    when: z.enum(ALERT_CONDITIONS),
    message: z.string(),
    severity: z.enum(["info", "warning", "critical"]),
    owner: z.string().nullable(),
    runbook: z.string().nullable(),
    labels: z.record(z.string(), z.string()),
    reaction: AlertReaction(),
  }),
  "alert.reacted": () => ({ ...alert(), error: ErrorInfo.optional() }),
  /** Somebody agreed to go on although the workflow, or the folder it works in, is not what the run was started with. */
  "run.change-accepted": () => ({ changed: z.array(z.string()), by: z.string() }),
  /** Nothing new is started until there is room again. */
  "run.parked": () => ({ on: z.literal("disk"), freeBytes: z.number() }),
  "run.unparked": () => ({}),
  /** Nothing new starts; once what runs has ended, the status is `paused`. */
  "run.pause-requested": () => ({ by: z.string() }),
  "run.unpaused": () => ({ by: z.string() }),
  /** `nextRunId`: of a run that continued as new. */
  "run.status": () => ({
    status: RunStatus,
    error: ErrorInfo.optional(),
    nextRunId: z.string().optional(),
  }),
  /** `meta`: what the author said about the task, when anything. */
  "node.started": () => ({
    ...attempt(),
    label: z.string(),
    meta: z.record(z.string(), z.custom<JsonValue>()).optional(),
  }),
  /** `output` null: it has no row (a timer). `cached`: the row was kept from an earlier execution; the body did not run. */
  "node.finished": () => ({
    ...node(),
    output: z.string().nullable(),
    cached: z.literal(true).optional(),
  }),
  /** `retryAtMs` null: no further attempt. `agentAt`: the agent's place in the task's chain; an unusable one is asked no more. */
  "node.failed": () => ({
    ...attempt(),
    error: ErrorInfo,
    retryAtMs: z.number().nullable(),
    agentAt: z.int().nonnegative().optional(),
    agentUnusable: z.literal(true).optional(),
  }),
  /** Tokens of one model call or one answer; the sum of an attempt's is what it cost. Written while the attempt is at work. */
  "node.usage": () => ({
    ...attempt(),
    agent: z.string().nullable(),
    ...TokenUsage().shape,
    /** Told by the log of this run too: it is the node's body. */
    ofRun: z.string().optional(),
  }),
  /** What an agent said while at work, gathered. */
  "node.output": () => ({ ...attempt(), stream: z.enum(["stdout", "stderr"]), text: z.string() }),
  /** Written before a call that must not simply be repeated. `input` and `output` are cut. */
  "tool.started": () => ({
    ...toolCall(),
    sideEffect: z.boolean(),
    idempotent: z.boolean(),
    input: z.string(),
  }),
  "tool.finished": () => ({
    ...toolCall(),
    status: z.enum(["success", "error"]),
    durationMs: z.number(),
    output: z.string(),
  }),
  /** A sandbox is about to run a child workflow: what it is made of, and how strong its walls are. */
  "sandbox.created": () => ({ ...sandbox(), level: z.string(), config: z.custom<JsonValue>() }),
  /** The child is in it. */
  "sandbox.shipped": () => ({ ...sandbox(), bundleSizeBytes: z.int() }),
  /** It is gone again. `remoteRunId`: of the child's run in there. */
  "sandbox.completed": () => ({
    ...sandbox(),
    remoteRunId: z.string().optional(),
    status: z.enum(["finished", "failed", "cancelled"]),
    durationMs: z.number(),
  }),
  /** Its row, and so many files that it changed, are kept; with `review` a person decides about them first. */
  "sandbox.bundled": () => ({ ...attempt(), files: z.int().positive(), patch: z.string(), review: z.boolean() }),
  "node.skipped": () => ({ ...node(), reason: z.string(), cascades: z.boolean() }),
  "node.cancelled": () => ({ ...attempt() }),
  "approval.opened": () => ({
    ...node(),
    title: z.string(),
    dueMs: z.number().nullable().default(null),
    again: z.int().default(0),
  }),
  "approval.decided": () => ({
    ...node(),
    verdict: z.enum(["approve", "deny", "answer"]),
    by: z.string(),
    /** Why nobody was asked. */
    audit: z.object({ manualApprovals: z.int(), after: z.int() }).optional(),
  }),
  "wait.opened": () => ({ ...node(), on: waitOn() }),
  /** What held a task back is over: it may start. */
  "wait.over": () => ({ ...node() }),
  /** A body asks a person; `ask` is the node id of the question's row. */
  "human.asked": () => ({
    ...node(),
    ask: z.string(),
    prompt: z.string(),
    /** JSON Schema of the answer. */
    schema: z.custom<JsonValue>(),
  }),
  /** An answer that does not fit. */
  "human.rejected": () => ({ ...node(), by: z.string(), problem: z.string() }),
  /** What an agent says of its session, so that it can be taken up again: an id, or what stands for one. */
  "agent.session": () => ({ ...attempt(), session: z.custom<JsonValue>() }),
  "hijack.requested": () => ({ ...node(), by: z.string() }),
  "hijack.refused": () => ({ ...node(), error: ErrorInfo }),
  "hijack.ended": () => ({
    ...node(),
    by: z.string(),
    session: z.custom<JsonValue>(),
    output: z.custom<JsonValue>(),
  }),
  /** Signals are numbered from 0 in the order they are received. */
  "signal.received": () => ({
    name: z.string(),
    correlationId: z.string().nullable(),
    payload: z.custom<JsonValue>(),
    by: z.string(),
  }),
  "signal.used": () => ({ ...node(), signal: z.int() }),
  "signal.rejected": () => ({ ...node(), signal: z.int(), error: ErrorInfo }),
  "loop.advanced": () => ({ loopId: z.string(), iteration: z.int() }),
  /** A part of a try or a saga failed and is given up; `next` runs once its bodies have stopped. `completed`: the saga steps that
   *  were done then, in order. */
  "scope.failed": () => ({
    scopeId: z.string(),
    error: ErrorInfo,
    next: z.enum(["catch", "finally"]),
    completed: z.array(z.string()),
  }),
  /** In one commit with `node.finished`: the result is to be scored and remembered. `prompt` is what its agent was asked. */
  "aftermath.due": () => ({
    ...node(),
    output: z.string(),
    prompt: z.string().nullable(),
    latencyMs: z.number(),
    scorers: z.array(z.string()),
    remember: z.object({ namespace: z.string(), key: z.string() }).nullable(),
    threadId: z.string().nullable(),
  }),
  "score.recorded": () => ({
    ...node(),
    ...scorer(),
    scorerName: z.string(),
    score: z.number().min(0).max(1),
    reason: z.string().optional(),
    meta: z.record(z.string(), z.custom<JsonValue>()).optional(),
    durationMs: z.number(),
  }),
  "score.failed": () => ({ ...node(), ...scorer(), error: ErrorInfo }),
  /** Keys of the facts that were put before an agent's prompt. */
  "memory.recalled": () => ({ ...attempt(), namespace: z.string(), keys: z.array(z.string()) }),
  "memory.remembered": () => ({ ...node() }),
  "memory.failed": () => ({ ...node(), during: z.enum(["recall", "remember"]), error: ErrorInfo }),
  /** Somebody sent the run back: these nodes are pending again, these loops at that pass (null: before their first), these
   *  scopes where they were. */
  "nodes.reset": () => ({
    verb: z.enum(["retry-task", "timetravel", "rewind", "fork"]),
    by: z.string(),
    nodes: z.array(resetNode()),
    loops: z.array(z.object({ loopId: z.string(), iteration: z.int().nullable() })),
    /** Null: it has not failed yet. */
    scopes: z.array(z.object({ scopeId: z.string(), failed: scopeFailure().nullable() })),
    /** The audit row it belongs to. */
    travelId: z.string().optional(),
  }),
  /** The events before this one are those of the run it was forked from, up to `atSeq`. */
  "run.forked": () => ({
    from: z.string(),
    atSeq: z.int(),
    label: z.string().nullable(),
    by: z.string(),
  }),
  /** The files as they were right before and right after an attempt; `pointer` is the version control's own name for them. */
  "vcs.pointer": () => ({
    ...attempt(),
    when: z.enum(["start", "end"]),
    root: z.string(),
    pointer: z.string(),
  }),
  /** Files of the run were put back. */
  "vcs.restored": () => ({ root: z.string(), pointer: z.string(), by: z.string() }),
};
type Fields = typeof FIELDS;
type EventSchema<T extends keyof Fields> = z.ZodObject<{ type: z.ZodLiteral<T> } & ReturnType<Fields[T]>>;
export type RunEventBody = { [T in keyof Fields]: z.infer<EventSchema<T>> }[keyof Fields];

const schemas = new Map<string, z.ZodType<RunEventBody>>();

/** Throws for what no version up to this one has written. */
export function parseEvent(body: { readonly type?: unknown }): RunEventBody {
  const type = String(body.type);
  const schema = schemas.get(type) ?? schemaOf(type);
  return schema.parse(body);
}

function schemaOf(type: string): z.ZodType<RunEventBody> {
  if (!Object.hasOwn(FIELDS, type))
    throw new SmoothError(
      "INTERNAL",
      `the log holds an event of the type \`${type}\`, which this version does not know`,
    );
  const fields: z.ZodRawShape = FIELDS[type as keyof Fields]();
  const schema = z.object({ type: z.literal(type), ...fields }) as unknown as z.ZodType<RunEventBody>;
  schemas.set(type, schema);
  return schema;
}

export type StoredEvent = RunEventBody & { readonly runId: string; readonly seq: number; readonly atMs: number };
