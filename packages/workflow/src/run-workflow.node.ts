/** The documented programmatic entry: one workflow, one SQLite file, one call. */
import { appendFileSync, mkdirSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { SmoothError } from "@smooth/protocol/errors";
import type { DeliverAlert } from "@smooth/engine/alerts/deliver";
import type { ErrorInfo, StoredEvent } from "@smooth/engine/events";
import type { JsonValue } from "@smooth/engine/json";
import type { MemoryStore } from "@smooth/engine/memory";
import { isOwnerAlive } from "@smooth/engine/process-owner";
import { lastResult, resumeRun, startRun, type RunHandle } from "@smooth/engine/run";
import type { JudgeModel } from "@smooth/engine/scorers";
import type { AgentLike } from "@smooth/engine/task";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { hotReload, type HotReloadOptions } from "./hot-reload.node.ts";
import type { HostSandboxes } from "./sandbox/host-sandboxes.node.ts";
import { translator, type SmithersEvent } from "./smithers-events.ts";
import { openWorkspace, type Workspace } from "./workspace.node.ts";

export interface RunWorkflowOptions {
  readonly input: JsonValue;
  readonly runId?: string;
  /** Continue `runId` with its recorded input. */
  readonly resume?: boolean;
  /** With `resume`: take the run over although its owner seems to live. What that owner still does is not recorded. */
  readonly force?: boolean;
  readonly maxConcurrency?: number;
  readonly signal?: AbortSignal;
  /** Every event, after it is recorded, by its documented name. */
  readonly onProgress?: (event: SmithersEvent) => void;
  /** The same from the engine's own log, which tells more. */
  readonly onEvent?: (event: StoredEvent) => void;
  /** Where `stream.ndjson` gets what `onProgress` hears; default: no such file. */
  readonly logDir?: string | null;
  /** Holds `smithers.db`, and is what the tools of tasks work in and cannot leave; default: the working directory. */
  readonly rootDir?: string;
  readonly auth?: JsonValue;
  /** Whether the commands of the bash tool may use the network; default false. */
  readonly allowNetwork?: boolean;
  /** Of one tool call; default 200,000. */
  readonly maxOutputBytes?: number;
  /** Of the tools bash and grep; default 60,000. */
  readonly toolTimeoutMs?: number;
  /** Applied to what tool calls leave in the log; default: values of environment variables named like secrets (`…_KEY`, `…_TOKEN`) go. */
  readonly redact?: (text: string) => string;
  /** With `resume`: go on although the workflow's files have changed; the consent is recorded. */
  readonly acceptWorkflowChange?: boolean;
  /** What tasks remember across runs; default: in the same `smithers.db`. */
  readonly memory?: MemoryStore;
  /** Which agent judges under a model's name, for scorers that name one. */
  readonly judges?: (model: JudgeModel) => AgentLike | undefined;
  /** Tells a destination about an alert of the workflow's alertPolicy. */
  readonly deliverAlert?: DeliverAlert;
  /** How <Sandbox> elements are run: the weakest isolation that is good enough (default `emulated-vm`), how many at once, and the
   *  guarded way out for those with `allowNetwork`. */
  readonly sandboxes?: HostSandboxes;
  /** Take up edits of the workflow's files while it runs. */
  readonly hot?: boolean | HotReloadOptions;
}

export interface RunWorkflowResult {
  readonly runId: string;
  readonly status: string;
  readonly output?: unknown;
  readonly error?: ErrorInfo;
  /** Of a run that continued as new in another process. */
  readonly nextRunId?: string;
}

const KNOWN = new Set([
  "input",
  "runId",
  "resume",
  "maxConcurrency",
  "signal",
  "onProgress",
  "onEvent",
  "logDir",
  "force",
  "rootDir",
  "auth",
  "allowNetwork",
  "maxOutputBytes",
  "toolTimeoutMs",
  "redact",
  "acceptWorkflowChange",
  "memory",
  "judges",
  "hot",
  "deliverAlert",
  "sandboxes",
]);

export async function runWorkflow(
  workflow: WorkflowDefinition,
  options: RunWorkflowOptions,
): Promise<RunWorkflowResult> {
  const unknown = Object.keys(options).find((name) => !KNOWN.has(name));
  if (unknown !== undefined)
    throw new SmoothError("INVALID_INPUT", `runWorkflow does not implement the option \`${unknown}\``);
  const { runId, resume = false, rootDir = process.cwd(), hot = false } = options;
  if (resume && runId === undefined) throw new SmoothError("INVALID_INPUT", "resume needs the runId to resume");
  const watchFor = hot === false ? null : hotReload(workflow, hot === true ? {} : hot);
  using workspace = openWorkspace({ ...options, rootDir });
  const handle = await begin(workspace, workflow, options);
  using _watching = watchFor?.(handle);
  const result = await lastResult(handle);
  return {
    runId: result.runId,
    status: result.status,
    ...("output" in result ? { output: result.output } : {}),
    ...("error" in result ? { error: result.error } : {}),
    ...("nextRunId" in result ? { nextRunId: result.nextRunId } : {}),
  };
}

async function begin(
  { deps }: Workspace,
  workflow: WorkflowDefinition,
  options: RunWorkflowOptions,
): Promise<RunHandle> {
  const { runId = "", input, signal, maxConcurrency, auth, force = false, acceptWorkflowChange = false } = options;
  const past = options.resume ? await deps.store.events(runId, 0) : [];
  const run = { ...deps, workflow, signal, maxConcurrency, onEvent: listeners(options, past) };
  if (!options.resume) return startRun({ ...run, runId: options.runId, input, auth });
  return resumeRun({
    ...run,
    runId,
    input: given(input),
    acceptWorkflowChange: acceptWorkflowChange ? { by: userInfo().username } : undefined,
    isAlive: force ? () => false : isOwnerAlive,
  });
}

type Listener = (event: StoredEvent) => void;

/** `past`: what happened in the run before this process took it up. */
function listeners({ onEvent, onProgress, logDir }: RunWorkflowOptions, past: readonly StoredEvent[]): Listener {
  const log = logDir ? ndjson(logDir) : null;
  if (!log && !onProgress) return onEvent ?? (() => {});
  const translated = translator(past);
  return (event) => {
    onEvent?.(event);
    for (const named of translated(event)) {
      log?.(named);
      onProgress?.(named);
    }
  };
}

function ndjson(logDir: string): (event: SmithersEvent) => void {
  mkdirSync(logDir, { recursive: true });
  return (event) => appendFileSync(join(logDir, "stream.ndjson"), `${JSON.stringify(event)}\n`);
}

/** On resume `{}` stands for the recorded input. */
const given = (input: JsonValue): JsonValue | undefined =>
  typeof input === "object" && input !== null && Object.keys(input).length === 0 ? undefined : input;
