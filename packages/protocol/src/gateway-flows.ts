import { z } from "zod";
import { method } from "./gateway-method.ts";
import { AtMs, RunId } from "./ids.ts";
import { DiffFile } from "./run-events.ts";

/** The rows of the gateway table about runs of workflow files: what they wait for, what they have done, going back, schedules,
 *  memory, scores and retention.
 *  G2. What moves files of the machine, or starts a workflow file again, is for its owner at the machine alone. */

/** How a workflow file's run works on its host; kept with the run, for every resume. */
export const FlowSettings = z.strictObject({
  /** What the tools of its tasks work in and cannot leave; default: the folder of the file. */
  root: z.string().max(4_096).optional(),
  maxConcurrency: z.int().min(1).max(1_000).optional(),
  /** Commands of the bash tool may ask to use the network: Wonk decides, or a person. */
  allowNetwork: z.boolean().optional(),
  maxOutputBytes: z.int().min(1).max(50_000_000).optional(),
  toolTimeoutMs: z.int().min(1).max(86_400_000).optional(),
  /** Take up edits of the file while it runs. */
  hot: z.boolean().optional(),
});
export type FlowSettings = z.infer<typeof FlowSettings>;

/** One reason why a run does not go on. */
export const WaitReason = z.object({
  kind: z.string(),
  /** Null: it holds the whole run. */
  node: z.object({ nodeId: z.string(), iteration: z.int() }).nullable(),
  text: z.string(),
  /** What a person can type to end it. */
  command: z.string().nullable(),
  sinceMs: AtMs.nullable(),
  /** When it ends by itself. */
  dueMs: AtMs.nullable(),
  problem: z.string().nullable(),
});
export type WaitReason = z.infer<typeof WaitReason>;

const at = { frame: z.int(), atMs: AtMs };
/** `frame` is the seq after which it holds. */
export const TimelineEntry = z.discriminatedUnion("kind", [
  z.object({
    ...at,
    kind: z.literal("attempt"),
    nodeId: z.string(),
    iteration: z.int(),
    attempt: z.int(),
    end: z
      .object({
        frame: z.int(),
        how: z.enum(["finished", "failed", "cancelled", "skipped"]),
        error: z.object({ code: z.string(), message: z.string() }).nullable(),
      })
      .nullable(),
  }),
  z.object({ ...at, kind: z.literal("status"), status: z.string() }),
  z.object({ ...at, kind: z.literal("reset"), verb: z.string(), by: z.string(), nodes: z.int() }),
  z.object({ ...at, kind: z.literal("fork"), runId: z.string(), label: z.string().nullable() }),
]);
export type TimelineEntry = z.infer<typeof TimelineEntry>;
/** One run's past, and where it was forked from. */
export const RunTimeline = z.object({
  runId: RunId,
  status: z.string(),
  forkedFrom: z.object({ runId: z.string(), frame: z.int(), label: z.string().nullable() }).nullable(),
  entries: z.array(TimelineEntry),
});
export type RunTimeline = z.infer<typeof RunTimeline>;

/** What a HumanTask, or a task's body, asks. */
export const Question = z.object({
  requestId: z.string(),
  runId: z.string(),
  nodeId: z.string(),
  iteration: z.int(),
  title: z.string(),
  prompt: z.string(),
  /** JSON Schema of the answer. */
  schema: z.unknown(),
  openedAtMs: AtMs,
});
export type Question = z.infer<typeof Question>;

const CatchUp = z.enum(["skip", "once", "all"]);
const Overlap = z.enum(["skip", "queue", "cancel-previous"]);
export const FlowSchedule = z.object({
  scheduleId: z.string(),
  pattern: z.string(),
  timezone: z.string(),
  workflow: z.string(),
  paused: z.boolean(),
  catchUp: CatchUp,
  overlap: Overlap,
  /** Null while it is paused. */
  nextMs: AtMs.nullable(),
  lastRunId: z.string().nullable(),
});
export type FlowSchedule = z.infer<typeof FlowSchedule>;

export const Fact = z.object({
  key: z.string(),
  value: z.unknown(),
  createdAt: z.number().optional(),
  expiresAt: z.number().optional(),
});
export type Fact = z.infer<typeof Fact>;

const NodeKey = z.object({ nodeId: z.string(), iteration: z.int() });
/** What going back took along. */
export const SentBack = z.object({
  runId: RunId,
  status: z.string(),
  reset: z.array(NodeKey),
  files: z.array(z.object({ root: z.string(), pointer: z.string() })),
  /** Calls that cannot be undone and were gone past by force. */
  sideEffects: z.array(NodeKey.extend({ tool: z.string(), attempt: z.int() })),
});
export type SentBack = z.infer<typeof SentBack>;

const runRef = z.strictObject({ runId: RunId });
const nodeId = z.string().min(1).max(500);
const iteration = z.int().nonnegative().default(0);
const attempt = z.int().positive().optional();
const nodeRef = z.strictObject({ runId: RunId, nodeId, iteration });
const frame = z.int().positive();
const snapshot = z.strictObject({ runId: RunId, frame: frame.optional() });
const ok = z.object({ ok: z.literal(true) });
const namespace = z.string().min(3).max(500);
/** Past calls that cannot be undone, and past a process that still works on the run. */
const force = z.boolean().default(false);
const BACK = [
  "RUN_NOT_FOUND",
  "NODE_NOT_FOUND",
  "SNAPSHOT_NOT_FOUND",
  "RUN_OWNER_ALIVE",
  "CONFLICT",
  "POLICY_DENIED",
  "VCS_FAILED",
] as const;

export const FLOW_METHODS = {
  explainRun: method({
    scope: "run:read",
    about: "Why a run does not go on: every reason at once, each with the command that ends it.",
    input: runRef,
    output: z.object({ runId: RunId, status: z.string(), reasons: z.array(WaitReason) }),
    errors: ["RUN_NOT_FOUND"],
  }),
  signalRun: method({
    scope: "run:write",
    about:
      "Send a run a signal; it is kept until somebody waits for it. Answers who waits for it now, and for what the run waits.",
    input: z.strictObject({
      runId: RunId,
      name: z.string().min(1).max(500),
      correlationId: z.string().min(1).max(500).optional(),
      payload: z.json().default(null),
    }),
    output: z.object({
      ok: z.literal(true),
      /** Nodes that wait for it now. */
      waiters: z.array(z.string()),
      /** Signals that nodes of the run wait for now. */
      waitedFor: z.array(z.object({ name: z.string(), correlationId: z.string().nullable() })),
    }),
    errors: ["RUN_NOT_FOUND", "RUN_NOT_RESUMABLE", "INVALID_INPUT"],
  }),
  listQuestions: method({
    scope: "run:read",
    about: "Questions of runs that wait for a person's answer.",
    input: z.strictObject({ runId: RunId.optional() }),
    output: z.object({ questions: z.array(Question) }),
    errors: [],
  }),
  answerQuestion: method({
    scope: "ask:decide",
    about: "Answer what a HumanTask or a task's body asks; an answer that does not fit is refused with its problem.",
    input: z.strictObject({ requestId: z.string().min(1).max(2_000), value: z.json() }),
    output: ok,
    errors: ["ASK_NOT_FOUND", "ASK_VOID", "ALREADY_DECIDED", "INVALID_INPUT"],
  }),
  cancelQuestion: method({
    scope: "ask:decide",
    about: "Refuse to answer a question: who asked fails with HUMAN_TASK_CANCELLED.",
    input: z.strictObject({ requestId: z.string().min(1).max(2_000), note: z.string().max(2_000).optional() }),
    output: ok,
    errors: ["ASK_NOT_FOUND", "ASK_VOID", "ALREADY_DECIDED"],
  }),
  submitApproval: method({
    scope: "ask:decide",
    about: "Decide a workflow's Approval node; one that offers options needs the chosen one, or a ranking.",
    input: z.strictObject({
      ...nodeRef.shape,
      approved: z.boolean(),
      selected: z.string().max(500).optional(),
      ranked: z.array(z.string().max(500)).max(1_000).optional(),
      note: z.string().max(2_000).optional(),
    }),
    output: ok,
    errors: ["RUN_NOT_FOUND", "NODE_NOT_FOUND", "ALREADY_DECIDED", "INVALID_INPUT"],
  }),
  getNodeOutput: method({
    scope: "run:read",
    about: "The recorded output row of a node.",
    input: nodeRef,
    output: z.object({ output: z.unknown() }),
    errors: ["RUN_NOT_FOUND", "NODE_NOT_FOUND"],
  }),
  getRunOutput: method({
    scope: "run:read",
    about: "What a workflow's run came to: its row in `output`; while there is none, null and what its nodes recorded.",
    input: runRef,
    output: z.object({
      output: z.unknown(),
      /** Each can be asked for by getNodeOutput. */
      recorded: z.array(z.object({ nodeId, iteration: z.int(), output: z.string() })).default([]),
    }),
    errors: ["RUN_NOT_FOUND"],
  }),
  getNodeDiff: method({
    scope: "run:read",
    about: "What an operator's run changed, or one attempt of a workflow's node, file by file.",
    input: z.strictObject({
      runId: RunId,
      nodeId: nodeId.optional(),
      iteration,
      /** Default: the newest. */
      attempt: z.int().positive().optional(),
    }),
    output: z.object({
      diffHash: z.string(),
      files: z.array(DiffFile),
      /** Their patches are left out: the answer would be too large. */
      omitted: z.array(z.string()).default([]),
    }),
    errors: ["RUN_NOT_FOUND", "NODE_NOT_FOUND", "SNAPSHOT_NOT_FOUND", "VCS_FAILED"],
  }),
  runTimeline: method({
    scope: "run:read",
    about: "What happened in a run and where it was forked, in order: what a person picks a frame from.",
    input: z.strictObject({ runId: RunId, tree: z.boolean().default(false) }),
    output: z.object({ timelines: z.array(RunTimeline) }),
    errors: ["RUN_NOT_FOUND"],
  }),
  compareRuns: method({
    scope: "run:read",
    about: "The difference between two frames, of one run or of two: nodes and their outputs.",
    input: z.strictObject({ a: snapshot, b: snapshot }),
    output: z.object({
      added: z.array(NodeKey),
      removed: z.array(NodeKey),
      changed: z.array(NodeKey.extend({ before: z.string(), after: z.string() })),
      outputs: z.array(NodeKey.extend({ output: z.string(), before: z.unknown(), after: z.unknown() })),
    }),
    errors: ["RUN_NOT_FOUND", "SNAPSHOT_NOT_FOUND"],
  }),
  forkRun: method({
    scope: "run:write",
    about: "A new run from a frame of another one; `start` takes it up, with the files of then if asked.",
    input: z.strictObject({
      runId: RunId,
      frame: frame.optional(),
      resetNodes: z.array(nodeId).max(1_000).default([]),
      input: z.record(z.string(), z.json()).optional(),
      label: z.string().max(200).optional(),
      start: z.boolean().default(false),
      restoreVcs: z.boolean().default(false),
      force,
    }),
    output: runRef,
    errors: [...BACK, "INVALID_INPUT"],
  }),
  retryTask: method({
    scope: "run:write",
    about: "Do a task again, with everything that comes after it; the run goes on.",
    input: z.strictObject({ ...nodeRef.shape, deps: z.boolean().default(true), force }),
    output: SentBack,
    errors: BACK,
  }),
  timetravel: method({
    scope: "run:write",
    about: "The run as it was when an attempt began, files included where they were recorded.",
    input: z.strictObject({
      ...nodeRef.shape,
      attempt,
      deps: z.boolean().default(true),
      vcs: z.boolean().default(true),
      resume: z.boolean().default(false),
      force,
    }),
    output: SentBack,
    errors: BACK,
  }),
  revertFiles: method({
    scope: "run:write",
    about: "Only the files, as an attempt left them; the run does not notice.",
    input: z.strictObject({ ...nodeRef.shape, attempt }),
    output: z.object({ root: z.string(), pointer: z.string() }),
    errors: BACK,
  }),
  rewindRun: method({
    scope: "run:write",
    about: "The run and its files as they were at a frame; what came after is archived. Audited, ten an hour.",
    input: z.strictObject({
      runId: RunId,
      frame,
      confirm: z.literal(true),
      resume: z.boolean().default(false),
      force,
    }),
    output: SentBack,
    errors: [...BACK, "BUSY", "RATE_LIMITED", "REWIND_FAILED"],
  }),
  listSchedules: method({
    scope: "run:read",
    about: "Cron schedules, and when each fires next.",
    input: z.strictObject({}),
    output: z.object({ schedules: z.array(FlowSchedule) }),
    errors: [],
  }),
  createSchedule: method({
    scope: "run:write",
    about: "Run a workflow file by a cron pattern; the host fires it.",
    input: z.strictObject({
      pattern: z.string().min(1).max(200),
      workflow: z.string().min(1).max(4_096),
      timezone: z.string().min(1).max(100).optional(),
      input: z.record(z.string(), z.json()).optional(),
      catchUp: CatchUp.optional(),
      overlap: Overlap.optional(),
    }),
    output: z.object({ schedule: FlowSchedule }),
    errors: ["INVALID_INPUT", "POLICY_DENIED"],
  }),
  deleteSchedule: method({
    scope: "run:write",
    about: "Forget a schedule; its runs stay.",
    input: z.strictObject({ scheduleId: z.string().min(1).max(100) }),
    output: ok,
    errors: ["NOT_FOUND", "POLICY_DENIED"],
  }),
  pauseSchedule: method({
    scope: "run:write",
    about: "Let a schedule rest, or fire again; what falls due meanwhile is let go.",
    input: z.strictObject({ scheduleId: z.string().min(1).max(100), paused: z.boolean() }),
    output: ok,
    errors: ["NOT_FOUND", "POLICY_DENIED"],
  }),
  superviseRuns: method({
    scope: "host:admin",
    about: "One round of the supervisor now: runs whose process is gone or whose time has come are taken up.",
    input: z.strictObject({ dryRun: z.boolean().default(false) }),
    output: z.object({
      /** Would be, in a dry run. */
      resumed: z.array(z.string()),
      failed: z.array(z.string()),
      waiting: z.array(z.string()),
      givenUp: z.array(z.string()),
    }),
    errors: [],
  }),
  collectGarbage: method({
    scope: "host:admin",
    about:
      "Forget runs that are over, by age, count and size; never what another run needs. A dry run shows what would go.",
    input: z.strictObject({
      dryRun: z.boolean().default(false),
      olderThanMs: z.int().nonnegative().optional(),
      keepNewest: z.int().nonnegative().optional(),
      maxBytes: z.int().nonnegative().optional(),
    }),
    output: z.object({
      remove: z.array(z.object({ runId: z.string(), because: z.enum(["age", "count", "bytes"]) })),
      needed: z.array(z.object({ runId: z.string(), by: z.string() })),
      folders: z.array(z.object({ runId: z.string(), path: z.string() })),
      payloads: z.object({ count: z.int(), bytes: z.int() }),
    }),
    errors: [],
  }),
  listFacts: method({
    scope: "run:read",
    about: "What workflows remember in a namespace (`workflow:<id>`, `agent:<id>`, `user:<id>`, `global:<id>`).",
    input: z.strictObject({ namespace, key: z.string().max(500).optional() }),
    output: z.object({ facts: z.array(Fact) }),
    errors: ["INVALID_INPUT"],
  }),
  recallFacts: method({
    scope: "run:read",
    about: "The facts of a namespace that fit a question best.",
    input: z.strictObject({
      namespace: namespace.default("global:default"),
      query: z.string().min(1).max(10_000),
      topK: z.int().min(1).max(100).default(5),
    }),
    output: z.object({ facts: z.array(Fact) }),
    errors: ["INVALID_INPUT"],
  }),
  runScores: method({
    scope: "run:read",
    about: "What scorers said of a run's results.",
    input: z.strictObject({ runId: RunId, nodeId: nodeId.optional() }),
    output: z.object({
      scores: z.array(
        NodeKey.extend({ scorer: z.string(), score: z.number(), reason: z.string().nullable(), scoredAtMs: AtMs }),
      ),
    }),
    errors: ["RUN_NOT_FOUND"],
  }),
} as const;
