/** Why a run does not go on: every reason at once, each with the command that ends it. Pure, over rows and the log.
 *  V1. A reason that a person can end names the exact command; one that ends by itself says when. */
import { SmoothError } from "@smooth/protocol/errors";
import { parseStateKey, stateKey, type NodeRef } from "../graph/identity.ts";
import type { ApprovalRow, RunRow, RunStore } from "../store/port.ts";
import type { RunStatus, StoredEvent, WaitOn } from "./events.ts";
import { requestIdOf } from "./human.ts";
import { foldEvents, type RunState } from "./state.ts";
import { askedRef } from "./waits/wait.ts";

export interface Reason {
  readonly kind: WaitOn["kind"] | "backoff" | "paused" | "disk";
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
  return explain({ run, events: await store.events(runId, 0), approvals: await store.approvals({ runId }) });
}

interface WhyRows {
  readonly run: RunRow;
  readonly events: readonly StoredEvent[];
  readonly approvals: readonly ApprovalRow[];
}

function explain({ run, events, approvals }: WhyRows): Why {
  const { runId, status } = run;
  const state = foldEvents(events);
  const rows = new Map(approvals.map((row) => [stateKey(row), row]));
  const last = lastByNode(events);
  const waits = [...state.waiting].map(([key, on]): Reason => {
    const node = parseStateKey(key);
    const row = rows.get(stateKey(askedRef(node, on)));
    const said = sayWait({ runId, node, on, row });
    return {
      kind: on.kind,
      node,
      ...said,
      sinceMs: last.opened.get(key) ?? null,
      dueMs: on.dueMs,
      problem: last.problem.get(key) ?? null,
    };
  });
  const asks = approvals.filter(({ nodeId }) => nodeId.includes("@@ask=")).flatMap((row) => sayAsk(row, state));
  return { runId, status, reasons: [...wholeRun(runId, state), ...waits, ...asks, ...backoffs(state, last)] };
}

interface Last {
  /** When its wait was opened, or its last attempt failed. */
  readonly opened: ReadonlyMap<string, number>;
  readonly problem: ReadonlyMap<string, string>;
}

function lastByNode(events: readonly StoredEvent[]): Last {
  const opened = new Map<string, number>();
  const problem = new Map<string, string>();
  for (const event of events) {
    if (!("nodeId" in event)) continue;
    const key = stateKey(event);
    if (event.type === "approval.opened" || event.type === "wait.opened") opened.set(key, event.atMs);
    if (event.type === "human.rejected") problem.set(key, event.problem);
    if (event.type !== "signal.rejected" && event.type !== "node.failed") continue;
    problem.set(key, event.error.message);
    if (event.type === "node.failed") opened.set(key, event.atMs);
  }
  return { opened, problem };
}

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

const backoffs = ({ nodes }: RunState, { opened, problem }: Last): Reason[] =>
  [...nodes].flatMap(([key, node]): Reason[] => {
    if (node.kind !== "backing-off") return [];
    const text = `attempt ${node.attempt} failed; the next one follows by itself`;
    const at = { sinceMs: opened.get(key) ?? null, dueMs: node.dueMs, problem: problem.get(key) ?? null };
    return [{ kind: "backoff", node: parseStateKey(key), text, command: null, ...at }];
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
