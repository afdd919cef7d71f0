import { mkdirSync, realpathSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { buildOperator } from "@smooth/agents/operator/bundle";
import { createRedactor } from "@smooth/cast/narc/redact";
import { defaultPolicy } from "@smooth/cast/wonk/default-policy";
import { Policy } from "@smooth/cast/wonk/policy";
import { isOwnerAlive, processOwner } from "@smooth/engine/process-owner";
import type { EngineDeps } from "@smooth/engine/run";
import type { Supervisor } from "@smooth/engine/supervisor";
import { diskAt } from "@smooth/platform/node/disk";
import { systemClock, systemIds, systemRandom } from "@smooth/platform/node/system";
import { toSmoothError } from "@smooth/protocol/errors";
import { git } from "@smooth/vcs/git";
import { WORKSPACE } from "@smooth/vm/driver";
import { loadWorkflow } from "@smooth/workflow/load-workflow";
import type { HostEnv } from "../env.ts";
import { openSandboxes, type Sandboxes } from "../pearl-run/sandboxes.ts";
import { pearlRegistry, pearlWorkflow } from "../pearl-run/pearl-workflow.tsx";
import { openPearlSession } from "../pearl-run/session.ts";
import { deliverBy } from "./alerts.ts";
import { type Asks, openAsks } from "./asks.ts";
import { openDriver } from "./driver.ts";
import type { Egress } from "./egress.ts";
import { Flows } from "./flows.ts";
import type { Home } from "./home.ts";
import { judgesOf } from "./judges.ts";
import { Runs, type RunsDeps } from "./runs.ts";
import type { FlowHandlerDeps } from "./flow-handlers.ts";
import type { HostState } from "./state.ts";
import { superviseRuns } from "./supervision.ts";
import { Steering } from "./steering.ts";

/** Where work is done: sandboxes, runs on the engine, and the asks they raise. */

export interface Workshop {
  readonly runs: Runs;
  readonly supervisor: Supervisor;
  readonly asks: Asks;
  readonly sandboxes: Sandboxes;
  readonly capacity: number;
  /** For who asks about runs of workflow files. */
  readonly flows: FlowHandlerDeps;
}

interface WorkshopDeps {
  readonly state: HostState;
  readonly env: HostEnv;
  readonly onChange: () => void;
}

/** `parts` lets every run go, resumable, when the host stops. */
export async function openWorkshop(
  { state, env, onChange }: WorkshopDeps,
  parts: AsyncDisposableStack,
): Promise<Workshop> {
  const { home, log, runLog, pearls, access, store, models } = state;
  const capacity = env.capacity ?? capacityOf();
  const sandboxes = openSandboxes({ driver: openDriver(env, log), capacity, clock: systemClock, log, onChange });
  const operatorFile = await operatorIn(home);
  const steering = new Steering(state.sql);
  const redact = (text: string): string => createRedactor([...state.secrets()]).redact(text).text;
  const flows = new Flows({ ...state, sandboxes, redact, clock: systemClock, hostHome: realpathSync(home.dir) });
  const engine = engineOf(state, redact);
  const runs = parts.use(
    new Runs({
      engine,
      isAlive: isOwnerAlive,
      runLog,
      steering,
      redact,
      flows,
      pearls,
      demo: () => models.demo,
      openSession: sessionOpener({ state, sandboxes, operatorFile, steering }),
      pearlWorkflow,
      pearlRegistry,
      loadWorkflow,
      onApproval: (event) => {
        asks
          .openApproval(event)
          .catch((error: unknown) =>
            log.error("ask.open-failed", { runId: event.runId, error: toSmoothError(error).message }),
          );
      },
      onEnd: (runId) => access.endRun(runId, "the run ended"),
    }),
  );
  const { keepDays, keepBytes } = env;
  const world = { state, runs, flows, engine, loadWorkflow, isAlive: isOwnerAlive, keepDays, keepBytes };
  const { supervisor, answers } = superviseRuns(world);
  parts.use(supervisor);
  const wake = async (): Promise<void> => void (await supervisor.tick());
  const asks = openAsks({ access, store, runLog, pearls, clock: systemClock, log, redact, wake });
  return { runs, asks, supervisor, sandboxes, capacity, flows: answers };
}

const engineOf = ({ store, log, memory, models, home }: HostState, redact: (text: string) => string): EngineDeps => ({
  store,
  clock: systemClock,
  ids: systemIds,
  random: systemRandom,
  log,
  owner: processOwner(),
  memory,
  judges: judgesOf(models),
  disk: diskAt(home.dir),
  deliverAlert: deliverBy({ file: home.path("alerts.json"), redact }),
});

async function operatorIn(home: Home): Promise<string> {
  const file = home.path("cache", "operator.mjs");
  mkdirSync(home.path("cache"), { recursive: true });
  await buildOperator(file);
  return file;
}

interface Opener {
  readonly state: HostState;
  readonly sandboxes: Sandboxes;
  readonly operatorFile: string;
  readonly steering: Steering;
}

function sessionOpener({ state, sandboxes, operatorFile, steering }: Opener): RunsDeps["openSession"] {
  const { groove, access, models, runLog, pearls, egress, log } = state;
  return async ({ runId, pearlId }) => {
    await models.refresh();
    const paused = runLog.summary(runId)?.status === "paused";
    return openPearlSession(
      { runId, pearl: pearls.get(pearlId), paused },
      {
        groove,
        access,
        sandboxes,
        models,
        operatorFile,
        egress,
        log,
        vcs: git,
        clock: systemClock,
        secrets: () => state.secrets(),
        policyOf: (pearl) => policyFor(pearl.id, egress),
        wordsMissingIn: (conversation) => steering.missingIn(conversation, runId),
        emit: (...bodies) => runLog.append(runId, ...bodies),
      },
    );
  };
}

const BYTES_PER_VM = 400 * 1024 * 1024;

/** SANDBOX: what memory and cores allow. */
function capacityOf(): number {
  return Math.max(1, Math.floor(Math.min(freemem() / BYTES_PER_VM, availableParallelism() * 2)));
}

function policyFor(pearlId: string, { askRules }: Egress): Policy {
  const base = defaultPolicy({ repoRoot: WORKSPACE, pearlId });
  return Policy.parse({ ...base, network: { ...base.network, ask: [...base.network.ask, ...askRules] } });
}
