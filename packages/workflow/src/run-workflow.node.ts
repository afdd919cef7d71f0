/** The documented programmatic entry: one workflow, one SQLite file, one call. */
import { userInfo } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { SmoothError } from "@smooth/protocol/errors";
import type { DeliverAlert } from "@smooth/engine/alerts/deliver";
import type { ErrorInfo, StoredEvent } from "@smooth/engine/events";
import type { JsonValue } from "@smooth/engine/json";
import type { MemoryStore } from "@smooth/engine/memory";
import { sqliteMemoryBackend } from "@smooth/engine/memory/sqlite";
import { memoryStore } from "@smooth/engine/memory/store";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import { lastResult, resumeRun, startRun } from "@smooth/engine/run";
import type { JudgeModel } from "@smooth/engine/scorers";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import type { AgentLike } from "@smooth/engine/task";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { hotReload, type HotReloadOptions } from "./hot-reload.node.ts";
import { diskAt } from "@smooth/platform/node/disk";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import type { Log } from "@smooth/platform/ports";
import { vcsRootOf } from "@smooth/vcs/files";
import { gitWorktrees } from "@smooth/vcs/worktrees";
import { bindTools } from "@smooth/tools/task/scope";
import { pointers } from "@smooth/vcs/pointers";

export interface RunWorkflowOptions {
  readonly input: JsonValue;
  readonly runId?: string;
  /** Continue `runId` with its recorded input. */
  readonly resume?: boolean;
  readonly maxConcurrency?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: StoredEvent & { readonly timestampMs: number }) => void;
  /** Holds `smithers.db`, and is what the tools of tasks work in and cannot leave; default: the working directory. */
  readonly rootDir?: string;
  readonly auth?: JsonValue;
  /** Whether the commands of the bash tool may use the network; default false. */
  readonly allowNetwork?: boolean;
  /** Of one tool call; default 200,000. */
  readonly maxOutputBytes?: number;
  /** Of the tools bash and grep; default 60,000. */
  readonly toolTimeoutMs?: number;
  /** Applied to what tool calls leave in the log: known secrets, for one. */
  readonly redact?: (text: string) => string;
  /** With `resume`: go on although the workflow's files have changed; the consent is recorded. */
  readonly acceptWorkflowChange?: boolean;
  /** What tasks remember across runs; default: in the same `smithers.db`. */
  readonly memory?: MemoryStore;
  /** Which agent judges under a model's name, for scorers that name one. */
  readonly judges?: (model: JudgeModel) => AgentLike | undefined;
  /** Tells a destination about an alert of the workflow's alertPolicy. */
  readonly deliverAlert?: DeliverAlert;
  /** Take up edits of the workflow's files while it runs. */
  readonly hot?: boolean | HotReloadOptions;
}

export interface RunWorkflowResult {
  readonly runId: string;
  readonly status: string;
  readonly output?: unknown;
  readonly error?: ErrorInfo;
}

const KNOWN = new Set([
  "input",
  "runId",
  "resume",
  "maxConcurrency",
  "signal",
  "onProgress",
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
]);

export async function runWorkflow(
  workflow: WorkflowDefinition,
  options: RunWorkflowOptions,
): Promise<RunWorkflowResult> {
  const unknown = Object.keys(options).find((name) => !KNOWN.has(name));
  if (unknown !== undefined)
    throw new SmoothError("INVALID_INPUT", `runWorkflow does not implement the option \`${unknown}\``);
  const {
    runId,
    resume = false,
    onProgress,
    rootDir = process.cwd(),
    acceptWorkflowChange = false,
    hot = false,
    ...rest
  } = options;
  if (resume && runId === undefined) throw new SmoothError("INVALID_INPUT", "resume needs the runId to resume");
  const watchFor = hot === false ? null : hotReload(workflow, hot === true ? {} : hot);
  const vcsRoot = vcsRootOf(rootDir);
  const sql = openSqlite(join(rootDir, "smithers.db"));
  try {
    const deps = {
      memory: memoryStore(sqliteMemoryBackend(sql), { clock: systemClock, log: quiet }),
      ...rest,
      workflow,
      store: openSqliteStore(sql),
      clock: systemClock,
      random: systemRandom,
      log: quiet,
      owner: processOwner(),
      vcs: pointers,
      vcsRoot,
      worktrees: vcsRoot === null ? null : gitWorktrees(vcsRoot),
      disk: diskAt(rootDir),
      around: bindTools({ ...options, rootDir }),
      onEvent: (event: StoredEvent) => onProgress?.({ ...event, timestampMs: event.atMs }),
    };
    const handle = resume
      ? await resumeRun({
          ...deps,
          runId: runId ?? "",
          input: given(options.input),
          acceptWorkflowChange: acceptWorkflowChange ? { by: userInfo().username } : undefined,
          isAlive: isOwnerAlive,
        })
      : await startRun({ ...deps, runId, ids: systemIds });
    using _watching = watchFor?.(handle);
    const result = await lastResult(handle);
    return {
      runId: result.runId,
      status: result.status,
      ...("output" in result ? { output: result.output } : {}),
      ...("error" in result ? { error: result.error } : {}),
    };
  } finally {
    sql.close();
  }
}

/** On resume `{}` stands for the recorded input. */
const given = (input: JsonValue): JsonValue | undefined =>
  typeof input === "object" && input !== null && Object.keys(input).length === 0 ? undefined : input;

const nothing = (): void => {};
const quiet: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
