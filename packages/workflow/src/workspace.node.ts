/** What the runs of one folder are run with: its smithers.db, its version control, the tools that cannot leave it, and this process. */
import { join } from "node:path";
import process from "node:process";
import type { DeliverAlert } from "@smooth/engine/alerts/deliver";
import type { MemoryStore } from "@smooth/engine/memory";
import { sqliteMemoryBackend } from "@smooth/engine/memory/sqlite";
import { memoryStore } from "@smooth/engine/memory/store";
import { processOwner } from "@smooth/engine/process-owner";
import type { EngineDeps, RunOptions } from "@smooth/engine/run";
import type { JudgeModel } from "@smooth/engine/scorers";
import { openSqliteStore } from "@smooth/engine/store/sqlite";
import type { Sandboxes } from "@smooth/engine/sandboxes";
import type { AgentLike } from "@smooth/engine/task";
import { diskAt } from "@smooth/platform/node/disk";
import { openSqlite } from "@smooth/platform/node/sqlite";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import type { Log, Sql } from "@smooth/platform/ports";
import { bindTools } from "@smooth/tools/task/scope";
import { vcsRootOf } from "@smooth/vcs/files";
import { pointers } from "@smooth/vcs/pointers";
import { worktreesOf } from "@smooth/vcs/worktrees";
import { checkCount, checkNumber } from "@smooth/protocol/numbers";
import { databaseProblem } from "./database.node.ts";
import { hideSecretsOf } from "./secrets-of-env.node.ts";
import type { HostSandboxes } from "./sandbox/host-sandboxes.node.ts";

export interface WorkspaceOptions {
  readonly rootDir: string;
  /** Default: `smithers.db` in `rootDir`. */
  readonly databasePath?: string | undefined;
  readonly allowNetwork?: boolean | undefined;
  readonly maxOutputBytes?: number | undefined;
  readonly toolTimeoutMs?: number | undefined;
  readonly redact?: ((text: string) => string) | undefined;
  readonly memory?: MemoryStore | undefined;
  readonly judges?: ((model: JudgeModel) => AgentLike | undefined) | undefined;
  readonly deliverAlert?: DeliverAlert | undefined;
  readonly sandboxes?: HostSandboxes | undefined;
}

export interface Workspace extends Disposable {
  readonly deps: EngineDeps & Pick<RunOptions, "around">;
  readonly sql: Sql;
}

/** Throws CONFIG_INVALID when the database cannot be used, INVALID_INPUT when a limit cannot be meant. */
export function openWorkspace(options: WorkspaceOptions): Workspace {
  checkCount("maxOutputBytes", options.maxOutputBytes);
  checkNumber("toolTimeoutMs", options.toolTimeoutMs, { least: 1 });
  const databasePath = options.databasePath ?? join(options.rootDir, "smithers.db");
  using open = new DisposableStack();
  try {
    const sql = open.adopt(openSqlite(databasePath), (one) => one.close());
    const workspace = workspaceOn(sql, options);
    open.move();
    return workspace;
  } catch (error) {
    throw databaseProblem(databasePath, error);
  }
}

function workspaceOn(sql: Sql, options: WorkspaceOptions): Workspace {
  const { rootDir, memory, judges, deliverAlert } = options;
  const vcsRoot = vcsRootOf(rootDir);
  return {
    sql,
    deps: {
      memory: memory ?? memoryStore(sqliteMemoryBackend(sql), { clock: systemClock, log: warnings }),
      judges,
      deliverAlert,
      store: openSqliteStore(sql),
      clock: systemClock,
      ids: systemIds,
      random: systemRandom,
      log: warnings,
      owner: processOwner(),
      vcs: pointers,
      vcsRoot,
      worktrees: vcsRoot === null ? null : worktreesOf(vcsRoot, systemClock),
      sandboxes: whenAsked(rootDir, options.sandboxes ?? {}),
      disk: diskAt(rootDir),
      around: bindTools({ ...options, rootDir, redact: options.redact ?? hideSecretsOf(process.env) }),
    },
    [Symbol.dispose]: () => sql.close(),
  };
}

/** Most workflows have no <Sandbox>, and should not pay for what runs them. */
function whenAsked(rootDir: string, given: HostSandboxes): Sandboxes {
  let opened: Promise<Sandboxes> | undefined;
  const open = (): Promise<Sandboxes> =>
    (opened ??= import("./sandbox/host-sandboxes.node.ts").then(({ hostSandboxes }) =>
      hostSandboxes(rootDir, given, warnings),
    ));
  return {
    run: async (call) => (await open()).run(call),
    apply: async (files, worktree) => (await open()).apply(files, worktree),
  };
}

const nothing = (): void => {};
/** Warnings as Node shows them: on standard error, and silent with `--no-warnings`. */
const warn: Log["warn"] = (event, { message, warning, ...fields } = {}) =>
  process.emitWarning(String(message ?? warning ?? `${event} ${JSON.stringify(fields)}`), "SmithersWarning");
const warnings: Log = { debug: nothing, info: nothing, warn, error: warn };
