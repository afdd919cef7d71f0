/** Why a run does not go on: every reason at once, each with the command that ends it. Pure, over rows and the log.
 *  V1. A reason that a person can end names the exact command; one that ends by itself says when.
 *  V2 is why-pending.ts.
 *  V3. What has left the tree holds nothing up, and is not told. */
import { SmoothError } from "@smooth/protocol/errors";
import { HOW_TO_STOP } from "@smooth/protocol/retry-text";
import { parseStateKey, stateKey, type NodeRef } from "../graph/identity.ts";
import type { ApprovalRow, RunRow, RunStore } from "../store/port.ts";
import { treeAfter } from "../frames/frame-log.ts";
import { rootOf } from "../frames/frame.ts";
import type { Tree } from "../frames/tree.ts";
import { OVER, type RunStatus, type WaitOn } from "./events.ts";
import { requestIdOf } from "./human.ts";
import { foldedLog, type FoldedLog } from "./folded-log.ts";
import { pendingIn, shownKeys, type Pending } from "./why-pending.ts";
import type { RunState } from "./state.ts";
import { askedRef } from "./waits/wait.ts";

export interface Reason {
  readonly kind: WaitOn["kind"] | "backoff" | "paused" | "disk" | Pending["kind"];
  /** Null: it holds the whole run. */
  readonly node: NodeRef | null;
  readonly text: string;
  /** What a person can type to end it; null: nothing to do. */
  readonly command: string | null;
  readonly sinceMs: number | null;
  /** When it ends by itself; null: never. */
  readonly dueMs: number | null;
  /** What came and did not fit, or why the last attempt failed. */
  readonly problem: string | null;
}

export interface Why {
  readonly runId: string;
  readonly status: RunStatus;
  readonly reasons: readonly Reason[];
}

/** Throws RUN_NOT_FOUND. */
export async function why(store: RunStore, runId: string): Promise<Why> {
  const run = await store.run(runId);
  if (!run) throw new SmoothError("RUN_NOT_FOUND", `no run ${runId}`, { details: { runId } });
  const approvals = await store.approvals({ runId, only: "open" });
  const tree = treeAfter(await store.frames(runId));
  return explain({ run, approvals, tree, log: await foldedLog(store, runId) });
}

interface WhyRows {
  readonly run: RunRow;
  readonly log: FoldedLog;
  readonly approvals: readonly ApprovalRow[];
  /** Of the frame that shows now. */
  readonly tree: Tree;
}

function explain({ run, log, approvals, tree }: WhyRows): Why {
  const { runId, status } = run;
  const { state } = log;
  const rows = new Map(approvals.map((row) => [stateKey(row), row]));
  const frame = rootOf(tree, state);
  const shown = shownKeys(frame);
  const waits = [...state.waiting].flatMap(([key, on]): Reason[] => {
    if (!shown.has(key)) return []; // V3
    const node = parseStateKey(key);
    const row = rows.get(stateKey(askedRef(node, on)));
    const said = sayWait({ runId, node, on, row });
    return [{ kind: on.kind, node, ...said, ...timesOf(log, key), dueMs: on.dueMs }];
  });
  const asks = approvals.filter(({ nodeId }) => nodeId.includes("@@ask=")).flatMap((row) => sayAsk(row, state));
  const pending = OVER.has(status) ? [] : pendingIn(frame, state.running.size > 0).map(sayPending);
  return { runId, status, reasons: [...wholeRun(runId, state), ...waits, ...asks, ...backoffs(log), ...pending] };
}

const sayPending = ({ kind, text, node: { nodeId, iteration } }: Pending): Reason => {
  const nothing = { command: null, sinceMs: null, dueMs: null, problem: null };
  return { kind, node: { nodeId, iteration }, text, ...nothing };
};

const timesOf = ({ since, problems }: FoldedLog, key: string): Pick<Reason, "sinceMs" | "problem"> => ({
  sinceMs: since.get(key) ?? null,
  problem: problems.get(key) ?? null,
});

function wholeRun(runId: string, { pause, parked }: RunState): Reason[] {
  const nothing = { node: null, sinceMs: null, dueMs: null, problem: null };
  const paused: Reason = {
    kind: "paused",
    ...nothing,
    text: `${pause.by} paused the run`,
    command: `smithers resume ${runId}`,
  };
  const disk: Reason = {
    kind: "disk",
    ...nothing,
    text: `the disk has only ${parked?.freeBytes} bytes left; free some`,
    command: null,
  };
  return [...(pause.by === null ? [] : [paused]), ...(parked ? [disk] : [])];
}

const backoffs = (log: FoldedLog): Reason[] =>
  [...log.state.nodes].flatMap(([key, node]): Reason[] => {
    if (node.kind !== "backing-off") return [];
    const text = `attempt ${node.attempt} failed; the next one follows by itself; ${HOW_TO_STOP}`;
    return [
      { kind: "backoff", node: parseStateKey(key), text, command: null, ...timesOf(log, key), dueMs: node.dueMs },
    ];
  });

/** A body at work that waits for a person. */
function sayAsk(row: ApprovalRow, { nodes }: RunState): Reason[] {
  const { runId, iteration, request, decided, voided, openedAtMs } = row;
  const node = { nodeId: request.answer?.nodeId ?? row.nodeId, iteration };
  if (decided || voided || nodes.get(stateKey(node))?.kind !== "running") return [];
  const command = `smithers human answer ${quoted(requestIdOf({ ...row, runId }))} --value '<json>'`;
  const text = `asks a person: ${request.summary ?? ""}`;
  return [{ kind: "human", node, text, command, sinceMs: openedAtMs, dueMs: null, problem: null }];
}

interface Waiting {
  readonly runId: string;
  readonly node: NodeRef;
  readonly on: WaitOn;
  readonly row: ApprovalRow | undefined;
}

function sayWait({ runId, node, on, row }: Waiting): Pick<Reason, "text" | "command"> {
  const at = `--node ${quoted(node.nodeId)}${node.iteration > 0 ? ` --iteration ${node.iteration}` : ""}`;
  switch (on.kind) {
    case "approval":
      return {
        text: `waits for a decision: ${row?.request.title ?? node.nodeId}`,
        command: `smithers approve ${runId} ${at}`,
      };
    case "human": {
      const requestId = quoted(requestIdOf({ runId, ...askedRef(node, on) }));
      const text = `waits for an answer: ${row?.request.summary ?? node.nodeId}`;
      return { text, command: `smithers human answer ${requestId} --value '<json>'` };
    }
    case "signal": {
      const correlation = on.correlationId === null ? "" : ` --correlation ${quoted(on.correlationId)}`;
      const command = `smithers signal ${runId} ${quoted(on.name)} --data '<json>'${correlation}`;
      return { text: `waits for the signal ${on.name}`, command };
    }
    case "timer":
      return { text: "waits for its time", command: null };
    case "quota":
      return { text: `waits until the provider takes more: ${on.reason}`, command: null };
    case "run":
      return { text: `waits for run ${on.runId}`, command: `smithers why ${on.runId}` };
    case "hijack":
      return { text: `a person works in the session of its ${on.engine}`, command: null };
  }
}

/** As a shell takes it. */
const quoted = (text: string): string => (/^[\w@=,.:/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
