import { SmoothError } from "@smooth/protocol/errors";
import type { Ask } from "@smooth/protocol/asks";
import {
  type Handlers,
  type HostStatus,
  mayUseRepo,
  type Output,
  ROLE_SCOPES,
  type RunSummary,
} from "@smooth/protocol/gateway";
import type { PearlId, RunId } from "@smooth/protocol/ids";
import type { PendingAsk } from "@smooth/protocol/asks";
import type { HostActions, RunService } from "./actions.ts";
import { flowHandlers, type FlowHandlerDeps } from "./flow-handlers.ts";
import type { RunLog } from "./run-log.ts";
import { waitingHandlers, type WaitingDeps } from "./waiting.ts";

/** The gateway table, answered. Authorisation happened at the door (dispatch); here only the thing itself is done. */

export interface HandlerDeps extends HostActions {
  readonly runLog: RunLog;
  readonly waiting: WaitingDeps;
  readonly flows: FlowHandlerDeps;
  readonly listAsks: (filter: { readonly status: "pending" | "all"; readonly runId?: string | undefined }) => Ask[];
  readonly runs: RunService & {
    output(node: { readonly runId: RunId; readonly nodeId: string; readonly iteration: number }): Promise<unknown>;
  };
  readonly status: () => HostStatus;
  readonly sessionLink: (grant: {
    readonly role: Output<"whoAmI">["role"];
    readonly ttlMs: number;
  }) => Output<"createSessionLink">;
  readonly newId: (prefix: string) => string;
  /** Stops the host soon, after the answer left. */
  readonly shutdown: () => void;
}

const OK = { ok: true } as const;

export function makeHandlers(deps: HandlerDeps): Handlers {
  return {
    ...runHandlers(deps),
    ...waitingHandlers(deps.waiting),
    ...flowHandlers(deps.flows),
    ...askHandlers(deps),
    ...pearlHandlers(deps),
    ...hostHandlers(deps),
  };
}

/** Throws RUN_NOT_FOUND. */
const summaries =
  (runLog: RunLog) =>
  (runId: RunId): RunSummary => {
    const found = runLog.summary(runId);
    if (found) return found;
    throw new SmoothError("RUN_NOT_FOUND", `no run ${runId} on this host`, { details: { runId } });
  };

function runHandlers({ runs, runLog, newId }: HandlerDeps) {
  const summary = summaries(runLog);
  return {
    launchRun: async ({ pearlId, workflow, input, settings, runId }, { name, role, via }) => {
      // A workflow file is code of this machine: only its owner, sitting at it, may run one.
      if (workflow !== undefined && (role !== "owner" || via !== "local"))
        throw new SmoothError(
          "POLICY_DENIED",
          `only the owner at this machine may run a workflow file; you are ${role}, by ${via}`,
        );
      const subject = pearlId
        ? ({ kind: "pearl", pearlId } as const)
        : ({ kind: "workflow", file: workflow ?? "", input, settings } as const);
      return { runId: await runs.launch({ subject, runId, by: name }) };
    },
    resumeRun: async ({ runId, acceptWorkflowChange }, { name, role, via }) => {
      if (acceptWorkflowChange && (role !== "owner" || via !== "local"))
        throw new SmoothError("POLICY_DENIED", `only the owner at this machine may accept changed workflow files`);
      const { status } = await runs.resume(summary(runId).runId, acceptWorkflowChange ? name : undefined);
      return { runId, status };
    },
    cancelRun: async ({ runId }, { name }) => runs.cancel(summary(runId).runId, name).then(() => OK),
    pauseRun: async ({ runId }, { name }) => runs.pause(summary(runId).runId, name).then(() => OK),
    unpauseRun: async ({ runId }, { name }) => runs.unpause(summary(runId).runId, name).then(() => OK),
    steerRun: async ({ runId, text }, { name }) => (
      runs.steer(summary(runId).runId, { id: newId("steer"), text, by: name }),
      OK
    ),
    getRun: async ({ runId }) => summary(runId),
    listRuns: async (filter) => ({ runs: runLog.list(filter) }),
    streamRunEvents: ({ runId, afterSeq }, _caller, signal) => runLog.stream(summary(runId).runId, afterSeq, signal),
    getNodeOutput: async (node) => ({ output: await runs.output({ ...node, runId: summary(node.runId).runId }) }),
  } satisfies Partial<Handlers>;
}

function askHandlers({ asks, listAsks, runLog }: HandlerDeps) {
  const summary = summaries(runLog);
  return {
    listAsks: async (filter) => ({ asks: listAsks(filter) }),
    decideAsk: async ({ askId, version, decision }, { name, role }) => ({
      ask: await asks.decide(askId, { version, decision, by: name, scopes: ROLE_SCOPES[role] }),
    }),
    submitApproval: async ({ runId, nodeId, iteration, approved, ...said }, { name, role }) => {
      const about = listAsks({ status: "all", runId }).filter((other) => isApprovalOf(other, nodeId, iteration));
      const ask = about.find(({ status }) => status === "pending");
      if (!ask) throw noApproval(summary(runId).runId, `${nodeId}::${iteration}`, about.at(-1));
      const decision = approved
        ? ({ verdict: "approve", grant: "once", ...said } as const)
        : ({ verdict: "deny", ...(said.note !== undefined && { note: said.note }) } as const);
      await asks.decide(ask.id, { version: ask.version, decision, by: name, scopes: ROLE_SCOPES[role] });
      return OK;
    },
  } satisfies Partial<Handlers>;
}

/** `last`: what became of the newest one that was there. */
function noApproval(runId: RunId, node: string, last: Ask | undefined): SmoothError {
  if (last?.status !== "decided")
    return new SmoothError("NODE_NOT_FOUND", `run ${runId} has no open approval at ${node}`);
  const { decision, decidedBy } = last;
  const how = decision.verdict === "approve" ? "approved" : "denied";
  return new SmoothError("ALREADY_DECIDED", `${node} of run ${runId} was ${how} by ${decidedBy} already`);
}

/** The merge of a pearl's diff is the approval node `merge` of its workflow. */
function isApprovalOf({ subject }: Pick<PendingAsk, "subject">, nodeId: string, iteration: number): boolean {
  if (subject.kind === "merge") return nodeId === "merge";
  return subject.kind === "approval" && subject.nodeId === nodeId && subject.iteration === iteration;
}

function pearlHandlers({ pearls, runLog }: HandlerDeps) {
  const detail = (pearlId: PearlId) => ({ ...pearls.detail(pearlId), runs: runLog.list({ pearlId, limit: 50 }) });
  return {
    createPearl: async (input, { name, role }) => {
      const isKnown = pearls.list({ ready: false, limit: -1 }).some(({ repo }) => repo === input.repo);
      if (!mayUseRepo(role, isKnown))
        throw new SmoothError(
          "POLICY_DENIED",
          `no pearl is on ${input.repo} yet; the owner has to create the first one`,
        );
      return { pearl: pearls.create(input, name) };
    },
    listPearls: async (filter) => ({ pearls: pearls.list(filter) }),
    getPearl: async ({ pearlId }) => detail(pearlId),
    closePearl: async ({ pearlId, reason }, { name }) => ({
      pearl: pearls.change(pearlId, { status: "closed" }, { by: name, note: reason }),
    }),
    commentPearl: async ({ pearlId, body }, { name }) => ({ comment: pearls.comment(pearlId, { by: name, body }) }),
    addDependency: async (dependency) => (pearls.link(dependency), OK),
  } satisfies Partial<Handlers>;
}

function hostHandlers({ tunnel, status, sessionLink, shutdown }: HandlerDeps) {
  return {
    hostStatus: async () => status(),
    whoAmI: async (_input, { name, role, via }) => ({ name, role, via }),
    startTunnel: async ({ slug }) => tunnel.start(slug),
    stopTunnel: async () => tunnel.stop(),
    createSessionLink: async (grant) => sessionLink(grant),
    shutdown: async () => (shutdown(), OK),
  } satisfies Partial<Handlers>;
}
