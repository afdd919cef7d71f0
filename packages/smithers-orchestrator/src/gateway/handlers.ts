/** What the Gateway's methods do: each is one call of the engine. Who may call is decided before (contract.ts), what an approval
 *  asks of its decider by the engine. */
import { createHash } from "node:crypto";
import { cancelRun, decideApproval, signalRun } from "@smooth/engine/control";
import { RunStatus } from "@smooth/engine/events";
import { readFrame } from "@smooth/engine/frames";
import { processOwner, isOwnerAlive } from "@smooth/engine/process-owner";
import { createSchedule, deleteSchedule } from "@smooth/engine/schedules";
import type { Schedule, ScheduleStore } from "@smooth/engine/schedules/port";
import { decodeRow } from "@smooth/engine/table";
import { nodeDiffs, type NodeDiffs } from "@smooth/engine/time-travel/node-diff";
import { rewind } from "@smooth/engine/time-travel/rewind";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { SmoothError } from "@smooth/protocol/errors";
import { pointers } from "@smooth/vcs/pointers";
import { z } from "zod";
import type { RunHost } from "../hosting/run-host.ts";
import { framesOf, runOf, summaryOf, viewOf } from "../hosting/run-view.ts";
import type { Caller } from "./auth.ts";
import type { MethodName, Params } from "./contract.ts";

export interface ControlPlane {
  readonly runs: RunHost;
  readonly schedules: ScheduleStore;
  readonly workflows: ReadonlyMap<string, WorkflowDefinition>;
}

export type RequestMethod = Exclude<MethodName, "streamRunEvents" | "streamDevTools">;
export type Handlers = { readonly [M in RequestMethod]: (params: Params<M>, caller: Caller) => Promise<object> };

export function handlersOf(plane: ControlPlane): Handlers {
  const { runs, schedules } = plane;
  const { store, clock } = runs;
  const diffs = nodeDiffs({ store, vcs: pointers });
  return {
    launchRun: (params, caller) => launch(plane, params, caller),
    async resumeRun({ runId, options }, { userId }) {
      await runs.resume(runId, { force: options.force, by: userId });
      return { runId, status: (await runOf(store, runId)).status };
    },
    async cancelRun({ runId }, { userId }) {
      await runOf(store, runId);
      await cancelRun(store, { runId, by: userId, atMs: clock.now() });
      return { runId, status: "cancelling" };
    },
    rewindRun: (params, caller) => goBack(plane, params, caller),
    async submitApproval({ decision: { approved, note, selected, ranked }, ...node }, { userId, scopes }) {
      await runOf(store, node.runId);
      const decision = approved
        ? ({ verdict: "approve", note, selected, ranked } as const)
        : ({ verdict: "deny", note } as const);
      await decideApproval(store, { ...node, decision, by: userId, scopes, atMs: clock.now() });
      runs.wake();
      return { ...node, approved };
    },
    async submitSignal({ runId, correlationKey, signalName, payload }, { userId: by }) {
      const name = signalName ?? correlationKey;
      const correlationId = signalName === undefined ? undefined : correlationKey;
      await signalRun(store, { runId, name, correlationId, payload, by, atMs: clock.now() });
      runs.wake();
      return { runId, signalName: name, correlationKey };
    },
    getRun: async ({ runId }) => viewOf(store, runId),
    async listRuns({ filter: { status, limit } }) {
      const wanted = status === undefined ? {} : { status: [statusOf(status)] };
      return { runs: (await store.runs({ limit, ...wanted })).map(summaryOf) };
    },
    getNodeOutput: (params) => outputOf(plane, params),
    getNodeDiff: (params) => diffOf(plane, diffs, params),
    cronList: async ({ filter: { workflow } }) => ({
      crons: (await schedules.list()).filter((one) => workflow === undefined || one.workflow === workflow).map(asCron),
    }),
    async cronCreate({ workflow, pattern, cronId, enabled }, caller) {
      known(plane, workflow);
      const ids = cronId === undefined ? runs.workspace.deps.ids : { next: () => cronId };
      if ((await schedules.list()).some(({ scheduleId }) => scheduleId === cronId))
        throw new SmoothError("CONFLICT", `there is a cron ${cronId} already`);
      const cron = { workflow, pattern, paused: !enabled, maker: makerFrom(caller) };
      return asCron(await createSchedule({ schedules, clock, ids }, cron));
    },
    async cronDelete({ cronId }) {
      await deleteSchedule(schedules, cronId);
      return { cronId, removed: true };
    },
    cronRun: (params, caller) => runCron(plane, params, caller),
    ...olderHandlers(plane),
  };
}

type JsonObject = Params<"launchRun">["input"];

/** Methods of before that the v1 names have no word for. */
function olderHandlers(plane: ControlPlane) {
  const { store } = plane.runs;
  return {
    async "runs.rerun"({ runId, input }, caller) {
      const row = await runOf(store, runId);
      return launch(plane, { workflow: row.workflow, input: input ?? (row.input as JsonObject), options: {} }, caller);
    },
    "frames.list": async ({ runId, limit, afterFrameNo }) => ({
      frames: await framesOf(store, runId, { limit, afterFrameNo }),
    }),
    async "frames.get"({ runId, frameNo }) {
      await runOf(store, runId);
      const { seq, atMs, root } = await readFrame(store, runId, frameNo);
      return { frameNo: seq, createdAtMs: atMs, root };
    },
    "approvals.list": async ({ runId }) => ({
      approvals: await store.approvals({ only: "open", ...(runId !== undefined && { runId }) }),
    }),
  } satisfies Partial<Handlers>;
}

/** What a cron keeps of who made it. */
export const makerFrom = ({ userId, role, scopes }: Caller) => ({ userId, role, scopes: [...scopes] });

const asCron = ({ scheduleId, workflow, pattern, timezone, paused, createdAtMs }: Schedule) => ({
  cronId: scheduleId,
  workflow,
  pattern,
  timezone,
  enabled: !paused,
  createdAtMs,
});

function known({ workflows }: ControlPlane, name: string): void {
  if (!workflows.has(name)) throw new SmoothError("NOT_FOUND", `no workflow ${name} is registered`);
}

function statusOf(status: string): RunStatus {
  const parsed = RunStatus.safeParse(status);
  if (parsed.success) return parsed.data;
  throw new SmoothError("INVALID_INPUT", `${status} is no status; there are ${RunStatus.options.join(", ")}`);
}

/** What a run that is started through the Gateway knows of its starter: `ctx.auth`. */
export const authOf = ({ userId, role, scopes }: Caller, nowMs: number) => ({
  triggeredBy: userId,
  role,
  scopes: [...scopes],
  createdAt: new Date(nowMs).toISOString(),
});

/** The same idempotency key starts one run, however often it is said. */
async function launch({ runs }: ControlPlane, params: Params<"launchRun">, caller: Caller): Promise<object> {
  const { workflow, input, options } = params;
  const { idempotencyKey: key } = options;
  const runId = options.runId ?? (key === undefined ? undefined : `run-${sha256(`${workflow}\0${key}`).slice(0, 24)}`);
  const auth = authOf(caller, runs.clock.now());
  try {
    return { runId: await runs.launch({ workflow, input, runId, auth }), workflow };
  } catch (error) {
    const isRepeated = key !== undefined && options.runId === undefined;
    if (!isRepeated || !(error instanceof SmoothError) || error.code !== "CONFLICT") throw error;
    return { runId, workflow };
  }
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

async function runCron(plane: ControlPlane, params: Params<"cronRun">, caller: Caller): Promise<object> {
  const { cronId, workflow, input } = params;
  const cron = (await plane.schedules.list()).find(({ scheduleId }) => scheduleId === cronId);
  if (cronId !== undefined && !cron) throw new SmoothError("NOT_FOUND", `no cron ${cronId}`);
  const name = cron?.workflow ?? workflow;
  if (name === undefined) throw new SmoothError("INVALID_INPUT", "say which: cronId or workflow");
  return launch(plane, { workflow: name, input: cron ? (cron.input as typeof input) : input, options: {} }, caller);
}

/** The scope alone is not enough: a run is sent back by who started it or by an admin. Refusals are audited, too. */
async function goBack({ runs, workflows }: ControlPlane, params: Params<"rewindRun">, caller: Caller): Promise<object> {
  const { runId, frameNo, confirm } = params;
  const { store, clock } = runs;
  const { deps } = runs.workspace;
  const row = await runOf(store, runId);
  const workflow = workflows.get(row.workflow);
  if (!workflow)
    throw new SmoothError("NOT_FOUND", `run ${runId} is of workflow ${row.workflow}, which is not registered`);
  const startedBy = z.looseObject({ triggeredBy: z.string() }).safeParse(row.auth).data?.triggeredBy;
  const [by, atMs] = [caller.userId, clock.now()];
  if (startedBy !== by && caller.role !== "admin") {
    const audit = { travelId: deps.ids.next("travel"), runId, verb: "rewind", by, toSeq: frameNo, atMs } as const;
    const detail = "POLICY_DENIED: neither the run's starter nor an admin";
    await store.beginTravel({ ...audit, owner: processOwner(), beatAtMs: atMs, result: "refused", detail, undo: [] });
    throw new SmoothError("POLICY_DENIED", `run ${runId} is sent back by who started it, or by an admin`);
  }
  const vcs = deps.vcsRoot === null ? null : pointers;
  const { reset, files } = await rewind(
    { ...deps, workflow: { ...workflow, name: row.workflow }, vcs, isAlive: isOwnerAlive },
    { runId, by, toSeq: frameNo, confirm, resume: true },
  );
  runs.wake();
  return {
    ok: true,
    newFrameNo: frameNo,
    revertedSandboxes: files.length,
    deletedFrames: row.lastSeq - frameNo,
    deletedAttempts: reset.nodes.length,
    durationMs: clock.now() - atMs,
  };
}

async function outputOf({ runs, workflows }: ControlPlane, params: Params<"getNodeOutput">): Promise<object> {
  const { runId, nodeId, iteration } = params;
  const { store } = runs;
  const row = await runOf(store, runId);
  for (const table of workflows.get(row.workflow)?.registry.tables ?? []) {
    const found = (await store.outputs(runId, table)).find(
      (one) => one.nodeId === nodeId && one.iteration === iteration,
    );
    if (found) return { status: "produced", row: decodeRow(table, found.cells), schema: fieldsOf(table.schema) };
  }
  const last = (await store.events(runId, 0)).findLast(
    (event) => "nodeId" in event && event.nodeId === nodeId && "iteration" in event && event.iteration === iteration,
  );
  if (!last) throw new SmoothError("NODE_NOT_FOUND", `run ${runId} has no node ${nodeId} at iteration ${iteration}`);
  const failed = last.type === "node.failed" && last.retryAtMs === null;
  return { status: failed ? "failed" : "pending", row: null, schema: null };
}

const Property = z.object({
  type: z.union([z.string(), z.array(z.string())]).optional(),
  anyOf: z.array(z.object({ type: z.string().optional() })).optional(),
  description: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
});
const ObjectSchema = z.object({
  properties: z.record(z.string(), Property).default({}),
  required: z.array(z.string()).default([]),
});

/** The columns of an output, for people to look at. */
function fieldsOf(schema: z.ZodObject): object {
  const { properties, required } = ObjectSchema.parse(z.toJSONSchema(schema, { unrepresentable: "any", io: "input" }));
  const fields = Object.entries(properties).map(([name, { type, anyOf = [], description, enum: values }]) => {
    const types = [type ?? [], anyOf.flatMap((one) => one.type ?? [])].flat();
    const named = types.find((one) => one !== "null") ?? "unknown";
    return {
      name,
      type: named === "integer" ? "number" : named,
      optional: !required.includes(name),
      nullable: types.includes("null"),
      ...(description === undefined ? {} : { description }),
      ...(values === undefined ? {} : { enum: values }),
    };
  });
  return { fields };
}

/** Of the newest attempt. */
async function diffOf({ runs }: ControlPlane, diffs: NodeDiffs, params: Params<"getNodeDiff">): Promise<object> {
  const { runId, nodeId, iteration } = params;
  await runOf(runs.store, runId);
  const started = (await runs.store.events(runId, 0)).findLast(
    (event) => event.type === "node.started" && event.nodeId === nodeId && event.iteration === iteration,
  );
  if (started?.type !== "node.started")
    throw new SmoothError("NODE_NOT_FOUND", `node ${nodeId} of run ${runId} was never started`);
  return diffs.of(runId, { nodeId, iteration, attempt: started.attempt });
}
