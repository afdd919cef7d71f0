import { processOwner } from "@smooth/engine/process-owner";
import type { EngineDeps } from "@smooth/engine/run";
import { fireSchedules } from "@smooth/engine/schedules";
import type { Schedule } from "@smooth/engine/schedules/port";
import { openSqliteSchedules } from "@smooth/engine/schedules/sqlite";
import type { Owner } from "@smooth/engine/store";
import { Supervisor } from "@smooth/engine/supervisor";
import { processGroups } from "@smooth/engine/supervisor/process-groups";
import { watchCliProcesses } from "@smooth/agents/cli-agents/processes";
import { RunId } from "@smooth/protocol/ids";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import type { FlowHandlerDeps } from "./flow-handlers.ts";
import type { Flows } from "./flows.ts";
import { Retention } from "./retention.ts";
import type { Runs } from "./runs.ts";
import type { HostState } from "./state.ts";

/** The daemon is the supervisor of its own store: it takes up what nobody drives, fires schedules, forgets what is long over, and
 *  kills what a dead host left running before anything is taken up again. */

interface Supervised {
  readonly state: HostState;
  readonly runs: Runs;
  readonly flows: Flows;
  readonly engine: EngineDeps;
  readonly isAlive: (owner: Owner) => boolean;
  readonly loadWorkflow: (file: string) => Promise<WorkflowDefinition>;
  readonly keepDays: number;
  readonly keepBytes: number | undefined;
}

const DAY_MS = 24 * 3_600_000;

export function superviseRuns({ state, runs, flows, engine, isAlive, loadWorkflow, ...kept }: Supervised): {
  readonly supervisor: Supervisor;
  /** For who asks about runs of workflow files. */
  readonly answers: FlowHandlerDeps;
} {
  const { store, clock, log } = engine;
  const { sql, runLog, payloads, home, memory } = state;
  const schedules = openSqliteSchedules(sql);
  const groups = processGroups(home.path("groups"), processOwner());
  const reap = (): void => {
    for (const { pgid, folder } of groups.reap()) log.warn("orphan.killed", { pgid, folder });
  };
  reap();
  watchCliProcesses((pid, folder) => groups.started(pid, folder));
  const disk = engine.disk ?? { freeBytes: async () => Infinity };
  const retention = new Retention({
    store,
    payloads,
    runLog,
    flows,
    clock,
    log,
    disk,
    policy: { maxAgeMs: kept.keepDays * DAY_MS, maxBytes: kept.keepBytes },
  });
  const launch = ({ workflow, input, scheduleId }: Schedule, runId: string): Promise<RunId> => {
    const subject = { kind: "workflow", file: workflow, input: input as Record<string, unknown> } as const;
    return runs.launch({ subject, runId: RunId.parse(runId), by: scheduleId });
  };
  const supervisor = new Supervisor({
    store,
    log,
    clock,
    isAlive,
    host: processOwner().host,
    reapOrphans: async () => reap(),
    alsoDo: async () => {
      await fireSchedules({ schedules, store, clock, log, launch });
      await retention.tend();
    },
    resume: ({ runId }) => runs.resume(RunId.parse(runId)),
    onGivenUp: (runId, { message }) => {
      const text = `The host gave up resuming this run: ${message} Resume it by hand when that is mended.`;
      if (runLog.summary(runId)) runLog.append(runId, { type: "note", text });
    },
  });
  const answers = { engine, isAlive, runLog, flows, runs, loadWorkflow, schedules, memory, supervisor, retention };
  return { supervisor, answers };
}
