import type { Access } from "@smooth/cast/access";
import { checkDecision, decideRow } from "@smooth/engine/control";
import type { StoredEvent } from "@smooth/engine/events";
import type { ApprovalDecision, ApprovalRow, RunStore } from "@smooth/engine/store";
import type { PearlStore } from "@smooth/pearls/store";
import type { Clock, Log } from "@smooth/platform/ports";
import type { Ask, AskDecision } from "@smooth/protocol/asks";
import { SmoothError, toSmoothError } from "@smooth/protocol/errors";
import { RunId } from "@smooth/protocol/ids";
import type { AskDesk } from "./actions.ts";
import { approvalSubject } from "./approval-subject.ts";
import type { RunLog } from "./run-log.ts";

/** One queue for people: what Wonk asks and what a workflow waits for (promise P7).
 *  K1. An approval of a workflow and its ask are decided together: the ask first, which is the one decision; then the engine's
 *      row, which a crash in between makes up for at the next start.
 *  K2. What the engine would refuse (a stranger to the node's allowedUsers, an option that is none) is refused before the ask is
 *      decided. */

interface AskDeps {
  readonly access: Access;
  readonly store: RunStore;
  readonly runLog: RunLog;
  readonly pearls: PearlStore;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
  readonly redact: (text: string) => string;
  /** A decided approval may let its run go on. */
  readonly wake: () => Promise<void>;
}

export interface Asks extends AskDesk {
  /** Makes a workflow's open approval visible; harmless when it is already. */
  openApproval(
    event: Pick<Extract<StoredEvent, { type: "approval.opened" }>, "runId" | "nodeId" | "iteration">,
  ): Promise<void>;
  /** K1: after a crash, approvals without an ask get one, and decisions that did not reach the engine do. */
  reconcile(): Promise<void>;
}

export function openAsks(deps: AskDeps): Asks {
  const { access, store, clock, log, wake } = deps;
  const apply = async (ask: Ask): Promise<void> => {
    const node = nodeOf(ask);
    if (ask.status !== "decided" || node === null) return;
    const { decision, decidedBy: by, runId } = ask;
    const [row] = await store.approvals({ runId, ref: node });
    if (!row) throw new SmoothError("ASK_NOT_FOUND", `run ${runId} has no approval ${node.nodeId}`);
    await decideRow(store, row, { decision: choiceOf(decision), by, atMs: clock.now() }).catch((error: unknown) => {
      if (toSmoothError(error).code !== "ALREADY_DECIDED") throw error;
    });
    await wake();
  };
  const openApproval: Asks["openApproval"] = async (event) => {
    const runId = RunId.parse(event.runId);
    const { nodeId, iteration } = event;
    const [row] = await store.approvals({ runId, ref: { nodeId, iteration } });
    if (!row) throw new SmoothError("ASK_NOT_FOUND", `run ${runId} has no approval ${nodeId}`);
    const { outcome } = await access.open(askOf(deps, runId, row));
    void outcome.catch((error: unknown) => log.error("ask.outcome-failed", { runId, error: String(error) }));
  };
  return {
    openApproval,
    async decide(askId, { version, decision, by, scopes }) {
      const open = access.find(askId);
      const node = open && nodeOf(open);
      if (open?.status === "pending" && node)
        await checkDecision(store, { runId: open.runId, ...node, decision: choiceOf(decision), by, scopes }); // K2
      const ask = await access.decide(askId, { version, decision, by: { kind: "human", name: by } });
      await apply(ask);
      return ask;
    },
    async reconcile() {
      for (const approval of await store.approvals({ only: "open" })) {
        const { runId, nodeId, iteration, mode } = approval;
        if (mode === "answer") continue; // a question is answered, not decided
        const known = access.list({ runId, limit: 100 }).find((ask) => isFor(ask, nodeId, iteration));
        if (known?.status === "decided") await apply(known);
        else if (!known) await openApproval({ runId, nodeId, iteration });
      }
    },
  };
}

/** A pearl's merge shows the diff's size and is bound to its hash; any other approval shows its own words. */
function askOf({ runLog, pearls, redact }: AskDeps, runId: RunId, row: ApprovalRow): Parameters<Access["open"]>[0] {
  const summary = runLog.summary(runId);
  if (!summary) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  const { pearlId } = summary;
  const diff = runLog.latest(runId, "diff.ready");
  const reason = `workflow.${row.nodeId}`;
  const shared = { runId, pearlId, request: null, ttlMs: null, reason, risk: "medium" } as const;
  if (row.nodeId !== "merge" || !diff || !pearlId) {
    const subject = approvalSubject(row, redact);
    return { ...shared, subject, action: JSON.stringify(row.request), question: subject.title };
  }
  const sum = (key: "additions" | "deletions"): number => diff.files.reduce((total, file) => total + file[key], 0);
  const { repo, title: pearl } = pearls.get(pearlId);
  const size = { files: diff.files.length, additions: sum("additions"), deletions: sum("deletions") };
  return {
    ...shared,
    subject: { kind: "merge", repo, branch: "the checked-out branch", ...size },
    action: diff.diffHash,
    question: `Merge the diff of “${pearl}”?`,
  };
}

function nodeOf({ subject }: Ask): { nodeId: string; iteration: number } | null {
  if (subject.kind === "merge") return { nodeId: "merge", iteration: 0 };
  return subject.kind === "approval" ? { nodeId: subject.nodeId, iteration: subject.iteration } : null;
}

/** How far an approval reaches is the ask's affair, not the engine's. */
function choiceOf(decision: AskDecision): ApprovalDecision {
  const { verdict, note } = decision;
  return verdict === "deny"
    ? { verdict, note }
    : { verdict, note, selected: decision.selected, ranked: decision.ranked };
}

function isFor(ask: Ask, nodeId: string, iteration: number): boolean {
  const node = nodeOf(ask);
  return node?.nodeId === nodeId && node.iteration === iteration;
}
