import { nodeDiffs } from "@smooth/engine/time-travel/node-diff";
import { compareSnapshots } from "@smooth/engine/time-travel/compare";
import { replayRun } from "@smooth/engine/time-travel/fork";
import { rewind } from "@smooth/engine/time-travel/rewind";
import { timeline, type Timeline } from "@smooth/engine/time-travel/timeline";
import { retryTask, revert, timetravel } from "@smooth/engine/time-travel/verbs";
import type { EngineDeps } from "@smooth/engine/run";
import type { Owner } from "@smooth/engine/store";
import type { WorkflowDefinition } from "@smooth/engine/workflow";
import { SmoothError } from "@smooth/protocol/errors";
import type { Caller, Handlers, RunSummary } from "@smooth/protocol/gateway";
import type { RunTimeline, SentBack } from "@smooth/protocol/gateway-flows";
import { RunId } from "@smooth/protocol/ids";
import { pointers } from "@smooth/vcs/pointers";
import type { RunService } from "./actions.ts";
import type { Flows } from "./flows.ts";
import type { RunLog } from "./run-log.ts";

/** Looking back at runs of workflow files, and sending them back.
 *  B1. It moves files of this machine and runs a workflow file again: only the owner, sitting here, may.
 *  B2. What the engine's log says of a run that nobody drives, people are told here.
 *  B3. A fork is a run of its own, launched the way its source was. */

export interface TravelDeps {
  readonly engine: Pick<EngineDeps, "store" | "clock" | "ids" | "owner">;
  readonly isAlive: (owner: Owner) => boolean;
  readonly runLog: RunLog;
  readonly flows: Flows;
  readonly runs: RunService;
  readonly loadWorkflow: (file: string) => Promise<WorkflowDefinition>;
}

/** B1 */
export function onlyOwnerHere({ role, via }: Caller, what: string): void {
  if (role === "owner" && via === "local") return;
  throw new SmoothError("POLICY_DENIED", `only the owner at this machine may ${what}; you are ${role}, by ${via}`);
}

export const travelHandlers = (deps: TravelDeps) =>
  ({ ...pastHandlers(deps), ...backHandlers(deps) }) satisfies Partial<Handlers>;

function pastHandlers(deps: TravelDeps) {
  const { store } = deps.engine;
  const diffs = nodeDiffs({ store, vcs: pointers });
  return {
    runTimeline: async ({ runId, tree }) => ({ timelines: flat(await timeline(store, runId, { tree })) }),
    compareRuns: async ({ a, b }) => {
      const workflow = await deps.loadWorkflow(flowOf(deps, a.runId).workflow);
      const at = ({ runId, frame }: typeof a) => ({ runId, seq: frame });
      const { added, removed, changed, outputs } = await compareSnapshots({ store, workflow }, at(a), at(b));
      return { added: [...added], removed: [...removed], changed: [...changed], outputs: [...outputs] };
    },
    getNodeDiff: async ({ runId, nodeId, iteration, attempt }) => {
      if (nodeId === undefined) return wholeDiff(deps, runId);
      const ref = { nodeId, iteration, attempt: attempt ?? (await newestAttempt(store, runId, { nodeId, iteration })) };
      const { from, to, files, omitted } = await diffs.of(runId, ref);
      return { diffHash: `${from}..${to}`, files: [...files], omitted: [...omitted] };
    },
  } satisfies Partial<Handlers>;
}

/** B1 */
function backHandlers(deps: TravelDeps) {
  const { engine, isAlive, loadWorkflow, runLog } = deps;
  const travelDeps = async (runId: RunId) => {
    const workflow = await loadWorkflow(flowOf(deps, runId).workflow);
    return { ...engine, isAlive, workflow, vcs: pointers };
  };
  const back = async (verb: string, caller: Caller, go: (by: string) => Promise<Went>): Promise<SentBack> => {
    onlyOwnerHere(caller, "send a run back");
    return told(deps, { verb, by: caller.name }, await go(caller.name));
  };
  return {
    forkRun: async ({ runId, frame: atSeq, start, ...request }, caller) => {
      onlyOwnerHere(caller, "fork a run");
      const { name: by } = caller;
      const forkId = await replayRun(await travelDeps(runId), { ...request, runId, atSeq, by }, async (id) => {
        const forked = RunId.parse(id);
        adopt(deps, { runId, forked, by });
        if (start) await deps.runs.resume(forked);
        return forked;
      });
      return { runId: forkId };
    },
    retryTask: ({ deps: dependents, ...ask }, caller) =>
      back("retry-task", caller, async (by) =>
        retryTask(await travelDeps(ask.runId), { ...ask, by, noDeps: !dependents, resume: true }),
      ),
    timetravel: ({ deps: dependents, vcs, ...ask }, caller) =>
      back("timetravel", caller, async (by) =>
        timetravel(await travelDeps(ask.runId), { ...ask, by, noDeps: !dependents, noVcs: !vcs }),
      ),
    rewindRun: ({ frame: toSeq, ...ask }, caller) =>
      back("rewind", caller, async (by) => rewind(await travelDeps(ask.runId), { ...ask, by, toSeq })),
    revertFiles: async (ask, caller) => {
      onlyOwnerHere(caller, "move files of this machine");
      const { root, pointer } = await revert({ ...engine, vcs: pointers }, { ...ask, by: caller.name });
      runLog.append(ask.runId, { type: "note", text: `${caller.name} put the files of ${root} back.` });
      return { root, pointer };
    },
  } satisfies Partial<Handlers>;
}

/** Its `workflow` is a file. */
export function flowOf({ runLog }: Pick<TravelDeps, "runLog">, runId: string): RunSummary {
  const summary = runLog.summary(runId);
  if (!summary) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId} on this host`, { details: { runId } });
  if (summary.pearlId === null) return summary;
  throw new SmoothError(
    "CONFLICT",
    `run ${runId} is an operator's on pearl ${summary.pearlId}; only runs of workflow files go back`,
    {
      details: { runId },
    },
  );
}

type Went = Awaited<ReturnType<typeof retryTask>>;

/** B2 */
async function told(
  { runLog, engine }: TravelDeps,
  { verb, by }: { readonly verb: string; readonly by: string },
  { runId, reset, files, sideEffects }: Went,
): Promise<SentBack> {
  const status = (await engine.store.run(runId))?.status === "paused" ? "paused" : "running";
  runLog.append(
    runId,
    { type: "note", text: `${by} sent the run back (${verb}); nodes to do again: ${reset.nodes.length}.` },
    { type: "run.status", status, reason: status === "paused" ? "Resume it when you are ready." : null },
  );
  const nodes = reset.nodes.map(({ nodeId, iteration }) => ({ nodeId, iteration }));
  return { runId: RunId.parse(runId), status, reset: nodes, files: [...files], sideEffects: [...sideEffects] };
}

interface Forked {
  readonly runId: string;
  readonly forked: RunId;
  readonly by: string;
}

/** B3 */
function adopt({ runLog, flows }: TravelDeps, { runId, forked, by }: Forked): void {
  const { title, workflow, demo } = flowOf({ runLog }, runId);
  flows.inherit(forked, runId);
  runLog.open({ runId: forked, title, workflow, pearlId: null, demo });
  runLog.append(
    forked,
    { type: "note", text: `${by} forked this run from ${runId}.` },
    { type: "run.status", status: "paused", reason: "A fork waits until it is resumed." },
  );
}

function wholeDiff({ runLog }: TravelDeps, runId: RunId) {
  if (!runLog.summary(runId))
    throw new SmoothError("RUN_NOT_FOUND", `no run ${runId} on this host`, { details: { runId } });
  const event = runLog.latest(runId, "diff.ready");
  if (event) return { diffHash: event.diffHash, files: event.files, omitted: [] };
  throw new SmoothError("NODE_NOT_FOUND", `run ${runId} has no diff of its own; name a node of its workflow`, {
    details: { runId },
  });
}

async function newestAttempt(
  store: EngineDeps["store"],
  runId: string,
  { nodeId, iteration }: { readonly nodeId: string; readonly iteration: number },
): Promise<number> {
  const events = await store.events(runId, 0);
  const last = events.findLast(
    (event) => event.type === "node.started" && event.nodeId === nodeId && event.iteration === iteration,
  );
  if (last?.type === "node.started") return last.attempt;
  throw new SmoothError("NODE_NOT_FOUND", `run ${runId} has done nothing at ${nodeId}, iteration ${iteration}`, {
    details: { runId, nodeId, iteration },
  });
}

function flat({ run, entries, forks }: Timeline): RunTimeline[] {
  const { runId, status, forkedFrom } = run;
  const from = forkedFrom && { runId: forkedFrom.runId, frame: forkedFrom.atSeq, label: forkedFrom.label };
  return [{ runId: RunId.parse(runId), status, forkedFrom: from, entries: [...entries] }, ...forks.flatMap(flat)];
}
