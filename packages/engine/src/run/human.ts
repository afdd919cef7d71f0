/** Questions to people, and their answers: on rows alone, from any process. */
import { SmoothError } from "@smooth/protocol/errors";
import { stateKey, type NodeRef } from "../graph/identity.ts";
import type { JsonValue } from "../outputs/json.ts";
import { misfit } from "../outputs/fit.ts";
import type { ApprovalDecision, ApprovalRow, RunStore } from "../store/port.ts";
import { decideRow } from "./control.ts";
import { foldedLog } from "./folded-log.ts";

export interface HumanRequest {
  readonly requestId: string;
  readonly runId: string;
  /** The node that waits for the answer. */
  readonly nodeId: string;
  readonly iteration: number;
  readonly title: string;
  readonly prompt: string;
  /** JSON Schema of the answer. */
  readonly schema: JsonValue;
  readonly openedAtMs: number;
}

export const requestIdOf = ({ runId, nodeId, iteration }: NodeRef & { readonly runId: string }): string =>
  `${runId}::${nodeId}::${iteration}`;

/** Unanswered ones, of one run or of all. */
export async function listHumanRequests(
  store: RunStore,
  { runId }: { readonly runId?: string } = {},
): Promise<readonly HumanRequest[]> {
  const open = await store.approvals({ runId, only: "open" });
  return open.flatMap((row) => (row.request.answer ? [requestOf(row, row.request.answer)] : []));
}

const requestOf = (
  row: ApprovalRow,
  { nodeId, schema }: NonNullable<ApprovalRow["request"]["answer"]>,
): HumanRequest => ({
  requestId: requestIdOf(row),
  runId: row.runId,
  nodeId,
  iteration: row.iteration,
  title: row.request.title,
  prompt: row.request.summary ?? "",
  schema,
  openedAtMs: row.openedAtMs,
});

interface Answering {
  readonly requestId: string;
  readonly by: string;
  readonly atMs: number;
}

/** An answer that does not fit counts against the node's maxAttempts and is refused with its problem.
 *  Throws ASK_NOT_FOUND, ASK_VOID, ALREADY_DECIDED, INVALID_INPUT. */
export async function answerHuman(
  store: RunStore,
  { value, ...from }: Answering & { readonly value: JsonValue },
): Promise<void> {
  const row = await find(store, from.requestId);
  const { schema, nodeId } = row.request.answer ?? { schema: {}, nodeId: row.nodeId };
  const problem = row.decided || row.voided ? undefined : misfit(schema, value);
  if (problem === undefined) return decideRow(store, row, { ...from, decision: { verdict: "answer", value } });
  const { waiting } = (await foldedLog(store, row.runId)).state;
  if (waiting.has(stateKey({ nodeId, iteration: row.iteration }))) {
    const event = { type: "human.rejected", nodeId, iteration: row.iteration, by: from.by, problem } as const;
    await store.post({ runId: row.runId, event, atMs: from.atMs });
  }
  throw new SmoothError("INVALID_INPUT", `the answer does not fit what ${nodeId} asks for: ${problem}`, {
    details: { requestId: from.requestId },
  });
}

/** Refuses to answer: a HumanTask fails with HUMAN_TASK_CANCELLED, and so does the `ask` of a body. */
export async function cancelHuman(
  store: RunStore,
  { note, ...from }: Answering & { readonly note?: string },
): Promise<void> {
  const decision: ApprovalDecision = { verdict: "deny", note };
  return decideRow(store, await find(store, from.requestId), { ...from, decision });
}

async function find(store: RunStore, requestId: string): Promise<ApprovalRow> {
  const [iteration, nodeId, ...rest] = requestId.split("::").toReversed();
  const runId = rest.toReversed().join("::");
  const ref = { nodeId: nodeId ?? "", iteration: /^\d{1,9}$/.test(iteration ?? "") ? Number(iteration) : -1 };
  const [row] = await store.approvals({ runId, ref });
  if (row?.mode === "answer") return row;
  throw new SmoothError("ASK_NOT_FOUND", `no question ${requestId}`, { details: { requestId } });
}
