import { z } from "zod";
import { Ask } from "./asks.ts";
import { AtMs, PearlId, RunId } from "./ids.ts";
import { Finding, IsolationLevel } from "./policy.ts";

/** What happened in a run, in order. The host's event log is the truth; the web mirrors it; every view folds it (run-view.ts).
 *  V1. `seq` starts at 1 and has no gap within a run.
 *  V2. Text is already redacted when it becomes an event (promise P4). */

export const RunStatus = z.enum(["queued", "running", "paused", "waiting", "finished", "failed", "cancelled"]);
export type RunStatus = z.infer<typeof RunStatus>;

export const StopReason = z.enum(["green", "plateau", "budget", "cap", "cancelled", "failed"]);
export type StopReason = z.infer<typeof StopReason>;

export const DiffFile = z.object({
  path: z.string(),
  status: z.enum(["added", "modified", "deleted"]),
  additions: z.int(),
  deletions: z.int(),
  /** Unified diff of this file; empty for binary. */
  patch: z.string(),
  binary: z.boolean(),
});
export type DiffFile = z.infer<typeof DiffFile>;

const text = z.string().max(200_000);
const node = { nodeId: z.string(), iteration: z.int().nonnegative(), attempt: z.int().positive() };

export const RunEventBody = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("run.started"),
    title: z.string(),
    workflow: z.string(),
    pearlId: PearlId.nullable(),
    demo: z.boolean(),
  }),
  /** `reason` is what a person reads: why it waits, why it failed. */
  z.object({ type: z.literal("run.status"), status: RunStatus, reason: z.string().nullable() }),
  z.object({ type: z.literal("node.started"), ...node, label: z.string() }),
  z.object({ type: z.literal("node.finished"), ...node }),
  z.object({ type: z.literal("node.failed"), ...node, error: text, willRetryAtMs: AtMs.nullable() }),
  z.object({ type: z.literal("node.waiting"), nodeId: z.string(), iteration: z.int(), reason: z.string() }),
  z.object({
    type: z.literal("vm.started"),
    driver: z.string(),
    level: IsolationLevel,
    restored: z.boolean(),
    tookMs: z.int(),
  }),
  z.object({ type: z.literal("vm.stopped"), reason: z.string() }),
  /** A finished message part; `partId` ties the deltas to it. */
  z.object({ type: z.literal("message"), partId: z.string(), role: z.enum(["user", "assistant", "system"]), text }),
  z.object({ type: z.literal("message.delta"), partId: z.string(), text }),
  z.object({ type: z.literal("tool.started"), callId: z.string(), tool: z.string(), args: text }),
  z.object({
    type: z.literal("tool.finished"),
    callId: z.string(),
    tool: z.string(),
    ok: z.boolean(),
    output: text,
    tookMs: z.int(),
  }),
  z.object({
    type: z.literal("usage"),
    slot: z.string(),
    provider: z.string(),
    model: z.string(),
    inputTokens: z.int(),
    outputTokens: z.int(),
    costUsd: z.number().nullable(),
    estimated: z.boolean(),
  }),
  z.object({ type: z.literal("finding"), finding: Finding }),
  /** One request at Goalie's door. */
  z.object({
    type: z.literal("egress"),
    verdict: z.enum(["allowed", "blocked"]),
    host: z.string(),
    port: z.int(),
    method: z.string(),
    rule: z.string(),
  }),
  z.object({ type: z.literal("ask.opened"), ask: Ask }),
  z.object({ type: z.literal("ask.closed"), ask: Ask }),
  z.object({
    type: z.literal("verify.finished"),
    iteration: z.int(),
    command: z.string(),
    exitCode: z.int().nullable(),
    green: z.boolean(),
    failing: z.int().nullable(),
    output: text,
  }),
  z.object({ type: z.literal("checkpoint"), checkpointId: z.string(), afterCallId: z.string().nullable() }),
  z.object({ type: z.literal("governor.stopped"), reason: StopReason, detail: z.string() }),
  z.object({ type: z.literal("diff.ready"), diffHash: z.string(), files: z.array(DiffFile).max(5_000) }),
  z.object({ type: z.literal("merged"), commit: z.string(), branch: z.string() }),
  z.object({ type: z.literal("steered"), text, by: z.string() }),
  z.object({ type: z.literal("note"), text }),
]);
export type RunEventBody = z.infer<typeof RunEventBody>;
export type RunEventType = RunEventBody["type"];

export const RunEvent = z.intersection(z.object({ runId: RunId, seq: z.int().positive(), atMs: AtMs }), RunEventBody);
export type RunEvent = z.infer<typeof RunEvent>;
